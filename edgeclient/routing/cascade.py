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

_NEEDS = ("tools", "functions", "logprobs")  # what comes of these is not to be judged by a text
_TELL = ("openai_chat",)  # APIs whose answers can tell log probabilities


def fits(said: Cascade, body: Json, dialect: str, schema: Json | None) -> bool:
    """True for a request whose answer is told by its text alone, and can be put to a check that is said.

    One that asks for a schema goes to the small model only where its answer is checked against it.
    """
    if any(body.get(need) for need in _NEEDS) or (said.min_logprob is not None and dialect not in _TELL):
        return False
    if schema is not None:
        return said.schema
    return not said.schema or _says_more(said)


def _says_more(said: Cascade) -> bool:
    """True when there is a check besides that of the schema."""
    of_text = said.min_chars or said.max_chars or said.matches or said.json or said.check
    return bool(of_text) or said.min_logprob is not None


def is_lasting(said: Cascade | None) -> bool:
    """False where nothing can tell one cascade's answers from another's in the cache: a function has no lasting name."""
    return said is None or said.check is None


def stamp(said: Cascade | None) -> str:
    """What sets a cascade's answers apart in the cache."""
    if said is None:
        return ""
    checks = (said.min_chars, said.max_chars, said.matches, said.json, said.schema, said.min_logprob)
    return "/cascade/" + "/".join(map(repr, (said.first, *checks)))


def first_leg(call: Call, said: Cascade) -> Call:
    """The call as the small model is asked it."""
    more = {"logprobs": True} if said.min_logprob is not None else {}
    return replace(
        call,
        model=call.first_model,
        first_model="",
        stands_in=True,
        asked_model=call.asked_model or call.model,
        body={**call.body, "model": call.first_model, **more},
        silent_s=said.within_s,
        route=Route.INFERENCE,
        keeps_origin=False,
    )


def good(said: Cascade, texts: Sequence[str], sure: Sequence[float] = (), schema: Json | None = None) -> bool:
    """True when every text passes every check, and there is one. `sure`: how sure the model was of each."""
    least = said.min_logprob
    if least is not None and (len(sure) != len(texts) or not all(value >= least for value in sure)):
        return False
    return bool(texts) and all(_fits_schema(schema, text) and _passes(said, text) for text in texts)


def _fits_schema(schema: Json | None, text: str) -> bool:
    """True when the text is JSON of that schema. What the schema refers to elsewhere is not fetched: it fails."""
    if schema is None:
        return True
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return bool(validator_for(schema)(schema, registry=Registry()).is_valid(value))


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
