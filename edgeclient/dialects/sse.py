"""Server-sent events, as both SDKs read and write them: bytes to events and back. Pure."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..values import Step

DONE = b"data: [DONE]\n\n"

F = TypeVar("F", bound=Callable[..., Any])


def total(otherwise: Any) -> Callable[[F], F]:
    """Makes a reader of foreign JSON total: what does not have the expected shape is `otherwise`, not an error."""

    def wrap(read: F) -> F:
        @functools.wraps(read)
        def reading(*args: Any) -> Any:
            try:
                return read(*args)
            except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
                return otherwise

        return reading  # type: ignore[return-value]

    return wrap


def events(body: bytes) -> Iterator[tuple[str, str]]:
    """The (event, data) pairs of a whole stream, in order; comments and empty events are left out."""
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        name, data = "", []
        for line in block.decode("utf-8", "replace").split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
        if data:
            yield name, "\n".join(data)


def parsed(body: bytes) -> list[dict[str, Any]] | None:
    """The data of each event as a JSON object, up to `[DONE]`; None when one of them is not an object."""
    found: list[dict[str, Any]] = []
    for _, data in events(body):
        if data.strip() == "[DONE]":
            break
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        found.append(value)
    return found


def joined(steps: list[Step]) -> bytes:
    """A stream at once."""
    return b"".join([part for _, part in steps])


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate, which UTF-8 cannot hold, stays escaped as JSON has it."""
    try:
        return _compact(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def event(value: Any, name: str = "") -> bytes:
    """One event, with its `event:` line when it has a name."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + dumps(value) + b"\n\n"
