"""Anthropic's own API, as an endpoint among others; in its own format only."""

from __future__ import annotations

from collections.abc import Mapping

from ...values import Failure
from ..systems import Signal, System, either, listed_as, only_of

_ERRORS = "platform.claude.com/docs/en/api/errors"
_LAYER = "Anthropic's OpenAI layer is for trials: no prompt cache, no response_format (platform.claude.com, openai-sdk)"


def _key_header(sdk: str, options: Mapping[str, str]) -> str:
    return "authorization" if options["auth"] == "bearer" else options["auth"]


SYSTEM = System(
    name="anthropic",
    what="Anthropic's own API, in Anthropic's own format",
    spelling="anthropic:",
    anthropic="https://api.anthropic.com",
    key="env:ANTHROPIC_API_KEY",
    key_header=_key_header,
    route="gateway",
    options={
        "auth": '"bearer", as the SDK has it since 2.12, or "x-api-key", as the pages show it',
        "workspace": "sent as `anthropic-workspace-id`, for keys of several workspaces",
    },
    defaults={"auth": "bearer"},
    headers=(("anthropic-workspace-id", "{workspace}"),),
    naming=either(listed_as("anthropic"), only_of("anthropic")),
    signals=(
        Signal(Failure.CAPACITY, (529,), _ERRORS),
        # A spend limit is a 400 (page); what it says is from memory.
        Signal(Failure.QUOTA, (400, 403), _ERRORS, says="credit balance is too low|specified API usage limits"),
        Signal(Failure.QUOTA, (402,), _ERRORS, says="billing_error"),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS, says="not_found_error"),
    ),
    largest=32 * 2**20,
    speaks=("stream", "tools", "messages"),
    lacks={
        "chat": _LAYER,
        "schema": "response_format is OpenAI's; Messages has a form of its own, which passes as it is",
        "embeddings": "not an API of Anthropic's",
        "responses": "not an API of Anthropic's",
    },
    sources=("anthropic 2.13, _client.py", _ERRORS, "platform.claude.com/docs/en/api/openai-sdk"),
)
