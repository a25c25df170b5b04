"""A cascade's part of the routing: which calls a small model is asked first, and whether its answer is good enough. Pure.

The one thing that is not: a function that the user gave as a check may do anything. What it raises goes up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..values import Call, Json, Route

if TYPE_CHECKING:
    from ..settings import Cascade

DIALECTS = ("openai_chat", "anthropic_messages")  # a response may be a state that its provider keeps
_NEEDS = ("tools", "functions", "logprobs")  # what comes of these is not to be judged by a text


def fits(body: Json) -> bool:
    """True for a request whose answer is told by its text alone."""
    return not any(body.get(need) for need in _NEEDS)


def is_lasting(said: Cascade | None) -> bool:
    """False where nothing can tell one cascade's answers from another's in the cache: a function has no lasting name."""
    return said is None or said.check is None


def stamp(said: Cascade | None) -> str:
    """What sets a cascade's answers apart in the cache."""
    if said is None:
        return ""
    return "/cascade/" + "/".join(map(repr, (said.first, said.min_chars, said.max_chars, said.matches, said.json)))


def first_leg(call: Call) -> Call:
    """The call as the small model is asked it."""
    return replace(
        call,
        model=call.first_model,
        first_model="",
        stands_in=True,
        asked_model=call.asked_model or call.model,
        body={**call.body, "model": call.first_model},
        route=Route.INFERENCE,
        keeps_origin=False,
    )


def good(said: Cascade, texts: Sequence[str]) -> bool:
    """True when every text passes every check, and there is one."""
    return bool(texts) and all(_passes(said, text) for text in texts)


def _passes(said: Cascade, text: str) -> bool:
    """The function comes last: it is the dearest."""
    return (
        len(text) >= said.min_chars
        and (said.max_chars is None or len(text) <= said.max_chars)
        and (not said.matches or re.search(said.matches, text) is not None)
        and (not said.json or _is_json(text))
        and (said.check is None or bool(said.check(text)))
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(word: str) -> None:
    """NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(word)
