"""What a judge of an answer reads: its texts, how sure the model was of them, the schema asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


@sse.total(())
def sureness(answer: Json) -> tuple[float, ...]:
    """The mean log probability of the tokens of each choice of a chat completion; () where one does not tell."""
    return tuple(
        _mean([float(token["logprob"]) for token in choice["logprobs"]["content"]]) for choice in answer["choices"]
    )


def _mean(values: list[float]) -> float:
    if not values:
        raise ValueError("no tokens")
    return sum(values) / len(values)


@sse.total({})
def without_logprobs(answer: Json) -> dict[str, Any]:
    """A chat completion as it would be if nobody had asked for log probabilities."""
    return {**answer, "choices": [{**choice, "logprobs": None} for choice in answer["choices"]]}


@sse.total(None)
def _of_chat(body: Json) -> Json | None:
    wanted = body["response_format"]
    schema = wanted["json_schema"]["schema"] if wanted["type"] == "json_schema" else None
    return schema if isinstance(schema, dict) else None


@sse.total(None)
def _of_messages(body: Json) -> Json | None:
    wanted = body["output_config"]["format"] if "output_config" in body else body["output_format"]
    schema = wanted["schema"] if wanted["type"] == "json_schema" else None
    return schema if isinstance(schema, dict) else None


SCHEMAS: dict[str, Callable[[Json], Json | None]] = {"openai_chat": _of_chat, "anthropic_messages": _of_messages}
"""Dialect -> the JSON schema that a request asks its answer to fit; None where it asks for none."""
