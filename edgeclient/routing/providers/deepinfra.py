"""DeepInfra: many open-weight models, central."""

from __future__ import annotations

from ...values import Failure
from ..systems import Signal, System, listed_as

_LIMITS = "deepinfra.com/docs/advanced/rate-limits"

SYSTEM = System(
    name="deepinfra",
    what="DeepInfra: many open-weight models",
    spelling="deepinfra:",
    url="https://api.deepinfra.com/v1/openai",
    anthropic="https://api.deepinfra.com/anthropic",
    key="env:DEEPINFRA_API_KEY",
    key_header="authorization",
    naming=listed_as("deepinfra"),
    signals=(
        Signal(Failure.QUOTA, (402,), "RFC 9110, 15.5.3; it is not on its pages"),
        Signal(Failure.MODEL_MISSING, (404,), "docs.deepinfra.com/api-reference"),
        Signal(Failure.CAPACITY, (429,), _LIMITS, says=r"(?i)\bbusy\b"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages"),
    lacks={"responses": "not among its paths (docs.deepinfra.com/api-reference)"},
    sources=(
        "docs.deepinfra.com/api-reference/openai-chat-completions-1, .../openai-embeddings-1, .../anthropic-messages",
        _LIMITS,
    ),
)
