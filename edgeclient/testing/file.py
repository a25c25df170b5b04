"""A recording as a file: JSON, in an order that does not change. Reads it, and writes it wholly or not at all."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import RecordingError
from .spelling import read_outcome

VERSION = 1
_KIND = "edgeclient recording"
_REQUEST, _ANSWER = "request", "answer"

Call = tuple[dict[str, Any], dict[str, Any]]  # the request and how it went, as they are written


def read(path: Path) -> list[Call]:
    """The calls in the order in which they were recorded. Raises RecordingError for what is no recording of ours."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path} cannot be read as a recording ({error}); mend it, or remove it") from None
    if not isinstance(said, dict) or said.get("kind") != _KIND:
        raise RecordingError(f"{path} is not a recording; name another file, or remove it")
    version = said.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise RecordingError(
            f"{path} is of version {version}, and this edgeclient reads up to {VERSION}; update edgeclient, or remove it"
        )
    try:
        calls = [(dict(call[_REQUEST]), dict(call[_ANSWER])) for call in said["calls"]]
        for request, answer in calls:
            _ = request["method"], request["path"], read_outcome(answer)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path} is damaged ({error!r}); mend it, or remove it and record anew") from None
    return calls


def write(path: Path, calls: Sequence[Call], secrets: Sequence[str]) -> None:
    """Write beside it, then put it in place in one step. Raises RecordingError, also when a secret would be written."""
    text = _text(calls)
    if any(secret in text or json.dumps(secret)[1:-1] in text for secret in secrets):
        raise RecordingError(f"{path} is not written: a secret would be in it; give it in scrub=")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written ({error.strerror}); name a file that can be") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _text(calls: Sequence[Call]) -> str:
    """Requests are sorted by name; in answers the order is the provider's, since a reader sees it."""
    listed = [{_REQUEST: _sorted(request), _ANSWER: answer} for request, answer in calls]
    said = {"kind": _KIND, "version": VERSION, "calls": listed}
    text = json.dumps(said, indent=1, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character that a stream was cut in
        text = json.dumps(said, indent=1) + "\n"
    return text


def _sorted(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))
