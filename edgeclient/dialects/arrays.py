"""Calls that ask several things at once: OpenAI embeddings of a list of inputs. Pure.

Each of the inputs is a question of its own, and has an answer of its own in the cache. `usage` is told for all of them
together: an input's part of it is in proportion to its length (of texts in UTF-8, else in tokens), so that the parts
add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..values import Dialect, Json

DIALECT = "openai_embeddings"
_MOST = 2048  # inputs, which is OpenAI's limit too


def inputs(dialect: Dialect, body: Json) -> list[Any]:
    """The inputs of a call that has a list of them; [] for every other call."""
    said = body.get("input") if dialect.name == DIALECT else None
    if not isinstance(said, list) or not 0 < len(said) <= _MOST:
        return []
    texts = all(isinstance(one, str) for one in said)
    return said if texts or all(_is_tokens(one) for one in said) else []


def asking(body: Json, asked: Any) -> Json:
    """The same call for one input, or for a list of inputs."""
    return {**body, "input": asked}


def apart(answer: Json, asked: Sequence[Any]) -> list[Json] | None:
    """The answer of each input; None when the answer does not have exactly these, in their order."""
    data, usage = answer.get("data"), answer.get("usage")
    if answer.get("object") != "list" or not isinstance(data, list) or len(data) != len(asked):
        return None
    if any(not isinstance(one, dict) or one.get("index") != n for n, one in enumerate(data)):
        return None
    if len({_kind(one.get("embedding")) for one in data}) != 1 or not data[0].get("embedding"):
        return None
    parts = _divided(usage, asked) if isinstance(usage, dict) else [{}] * len(asked)
    return [
        {**answer, "data": [{**one, "index": 0}], **({"usage": part} if part else {})}
        for one, part in zip(data, parts, strict=True)
    ]


def together(answers: Sequence[Json]) -> Json | None:
    """The answer for all inputs, of the answers of each; None when they are not of one kind: of other models, or lengths."""
    data = [one["data"][0] for one in answers]
    if len({one.get("model") for one in answers}) != 1 or len({_kind(one["embedding"]) for one in data}) != 1:
        return None
    usage: dict[str, Any] = {}
    for one in answers:
        for name, tokens in (one.get("usage") or {}).items():
            usage[name] = usage.get(name, 0) + tokens if isinstance(tokens, int) else tokens
    whole = {**answers[0], "data": [{**one, "index": n} for n, one in enumerate(data)]}
    return {**whole, "usage": usage} if usage else whole


def _is_tokens(said: Any) -> bool:
    return isinstance(said, list) and bool(said) and all(type(one) is int for one in said)


def _kind(embedding: Any) -> tuple[type, int]:
    return type(embedding), len(embedding) if isinstance(embedding, (str, list)) else 0


def _divided(usage: Json, asked: Sequence[Any]) -> list[dict[str, Any]]:
    lengths = [max(1, len(one.encode("utf-8", "surrogatepass")) if isinstance(one, str) else len(one)) for one in asked]
    parts: list[dict[str, Any]] = [{} for _ in asked]
    for name, tokens in usage.items():
        gone = given = 0
        for part, length in zip(parts, lengths, strict=True):
            gone += length
            until = tokens * gone // sum(lengths) if type(tokens) is int else tokens
            part[name], given = (until - given, until) if type(tokens) is int else (tokens, 0)
    return parts
