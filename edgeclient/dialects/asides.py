"""What is asked about a prompt in place of an answer to it: how many tokens it has, whether it is harmful. Pure.

`POST /v1/messages/count_tokens` (Anthropic), `POST /responses/input_tokens` and `POST /moderations` (OpenAI). Such calls go
where calls of no dialect go; these say only what the cache has to know of them.
"""

from __future__ import annotations

from typing import Any

from ..values import Json
from .whole import Whole


class AnthropicCountTokens(Whole):
    """An answer is the number of tokens of a prompt."""

    name = "anthropic_count_tokens"

    def storable(self, answer: Json) -> bool:
        return _is_number(answer.get("input_tokens"))


class OpenAIInputTokens(Whole):
    """An answer is the number of tokens of a prompt of `responses`."""

    name = "openai_input_tokens"

    def storable(self, answer: Json) -> bool:
        return answer.get("object") == "response.input_tokens" and _is_number(answer.get("input_tokens"))

    def serves(self, has_usage: bool, body: Json) -> bool:
        return not body.get("conversation")  # it grows at the provider


class OpenAIModerations(Whole):
    """An answer has the verdict over each input, and an id of its own."""

    name = "openai_moderations"

    def storable(self, answer: Json) -> bool:
        results = answer.get("results")
        return isinstance(results, list) and bool(results) and all(map(_is_verdict, results))

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        return {"id": f"modr-{fresh_id}"}


def _is_number(said: Any) -> bool:
    return type(said) is int and said >= 0


def _is_verdict(said: Any) -> bool:
    return isinstance(said, dict) and type(said.get("flagged")) is bool and isinstance(said.get("categories"), dict)
