"""The last thing a user says in a request, and the request without it. Pure.

The semantic cache lets only that text differ: whatever else is in the request has to be equal. Where the last turn is not
one plain text of the user's (an image, a tool's result, a beginning of the answer), there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..values import Json
from . import sse

Split = tuple[str, Json] | None

_HERE = None  # stands where the text was: no request has it there


@sse.total(None)
def _of_messages(body: Json) -> Split:
    *before, last = body["messages"]
    found = _of_turn(last, "text")
    return (found[0], {**body, "messages": [*before, found[1]]}) if found else None


@sse.total(None)
def _of_input(body: Json) -> Split:
    """Only where the provider keeps no response: the id of a kept one is a handle, and would name another question."""
    if body.get("store") is not False:
        return None
    said = body["input"]
    if isinstance(said, str):
        return said, {**body, "input": _HERE}
    *before, last = said
    found = _of_turn(last, "input_text")
    return (found[0], {**body, "input": [*before, found[1]]}) if found else None


def _of_turn(turn: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]] | None:
    """The text of a user's turn, and the turn without it. `kind`: the type of a text among parts."""
    content = turn["content"]
    if turn["role"] != "user":
        return None
    if isinstance(content, str):
        return content, {**turn, "content": _HERE}
    (part,) = content
    if part["type"] != kind or not isinstance(part["text"], str):
        return None
    return part["text"], {**turn, "content": [{**part, "text": _HERE}]}


PROMPTS: dict[str, Callable[[Json], Split]] = {
    "openai_chat": _of_messages,
    "anthropic_messages": _of_messages,
    "openai_responses": _of_input,
}
"""Dialect -> what takes a request apart: (text, the request without it), or None."""
