"""Together AI: many open-weight models, central."""

from __future__ import annotations

from ...values import Failure
from ..systems import Signal, System, listed_as

_ERRORS = "docs.together.ai/docs/error-codes"

SYSTEM = System(
    name="together",
    what="Together AI: many open-weight models and embeddings",
    spelling="together:",
    url="https://api.together.ai/v1",
    key="env:TOGETHER_API_KEY",
    key_header="authorization",
    naming=listed_as("together"),
    signals=(
        Signal(Failure.QUOTA, (402,), _ERRORS),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.CAPACITY, (503,), _ERRORS),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings"),
    lacks={
        "messages": "its pages name no Anthropic path (docs.together.ai/docs/inference/openai-compatibility)",
        "responses": "not in its table of endpoints (docs.together.ai/docs/inference/openai-compatibility)",
    },
    sources=("docs.together.ai/docs/inference/openai-compatibility", _ERRORS),
)
