"""The texts of whole answers, for those who judge an answer by what it says. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ..values import Json
from . import sse


@sse.total(())
def _of_choices(answer: Json) -> tuple[str, ...]:
    return tuple(choice["message"]["content"] for choice in answer["choices"])


@sse.total(())
def _of_blocks(answer: Json) -> tuple[str, ...]:
    return ("".join(block["text"] for block in answer["content"]),)


@sse.total(())
def _of_output(answer: Json) -> tuple[str, ...]:
    return ("".join(part["text"] for item in answer["output"] for part in item["content"]),)


TEXTS: dict[str, Callable[[Json], tuple[str, ...]]] = {
    "openai_chat": _of_choices,
    "anthropic_messages": _of_blocks,
    "openai_responses": _of_output,
}
"""Dialect -> the texts of an answer that is `storable`, one for each choice; () for any other shape."""
