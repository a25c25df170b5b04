"""What answers say that they used: the tokens that were read and written, and the same answer with none. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..values import Json
from . import sse


@sse.total(None)
def _of_chat(answer: Json) -> tuple[int, int] | None:
    used = answer["usage"]
    return _count(used["prompt_tokens"]), _count(used["completion_tokens"])


@sse.total(None)
def _of_responses(answer: Json) -> tuple[int, int] | None:
    used = answer["usage"]
    return _count(used["input_tokens"]), _count(used["output_tokens"])


@sse.total(None)
def _of_embeddings(answer: Json) -> tuple[int, int] | None:
    return _count(answer["usage"]["prompt_tokens"]), 0


@sse.total(None)
def _of_messages(answer: Json) -> tuple[int, int] | None:
    used = answer["usage"]
    cached = (used.get(f"cache_{what}_input_tokens") or 0 for what in ("creation", "read"))  # not among the others
    return _count(used["input_tokens"]) + sum(map(_count, cached)), _count(used["output_tokens"])


def _count(said: Any) -> int:
    if not isinstance(said, int) or not 0 <= said < 2**53:
        raise ValueError("no number of tokens")
    return said


TOKENS: dict[str, Callable[[Json], tuple[int, int] | None]] = {
    "openai_chat": _of_chat,
    "openai_responses": _of_responses,
    "openai_embeddings": _of_embeddings,
    "anthropic_messages": _of_messages,
}
"""Dialect -> the tokens that an answer says were read and written; None where it does not say."""


def unused(answer: Json) -> Json:
    """The same answer as one that used nothing: each number of its `usage` is zero, those of its details too."""
    return {**answer, "usage": _zero(answer["usage"])} if "usage" in answer else answer


def _zero(said: Any) -> Any:
    """Words, as the name of a service tier, stay."""
    if isinstance(said, dict):
        return {name: _zero(one) for name, one in said.items()}
    if isinstance(said, list):
        return [_zero(one) for one in said]
    return type(said)(0) if type(said) in (int, float) else said
