"""Cerebras Inference: a few open-weight models on wafer-scale chips, fast and central."""

from __future__ import annotations

from ...values import Failure
from ..systems import Asked, Signal, System, listed_as

_ERRORS = "inference-docs.cerebras.ai/support/error"
_REFUSED = ("frequency_penalty", "presence_penalty", "logit_bias", "parallel_tool_calls", "service_tier")


def _plain(asked: Asked) -> None:
    """Leaves out what older pages say is answered with 400; newer ones name these as parameters."""
    if asked.options["unsupported"] == "drop":
        for name in _REFUSED:
            asked.body.pop(name, None)


SYSTEM = System(
    name="cerebras",
    what="Cerebras Inference: a few open-weight models on wafer-scale chips",
    spelling="cerebras:",
    url="https://api.cerebras.ai/v1",
    key="env:CEREBRAS_API_KEY",
    key_header="authorization",
    options={
        "unsupported": f'"drop" or "send": {", ".join(_REFUSED)}, about which its pages of different years disagree',
    },
    defaults={"unsupported": "drop"},
    rules=(_plain,),
    naming=listed_as("cerebras"),
    signals=(
        Signal(Failure.QUOTA, (402,), _ERRORS),
        Signal(Failure.CAPACITY, (429,), "its answers, as clients log them", says=r"queue_exceeded"),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.TOO_LONG, (400,), "github.com/cline/cline/issues/5140", says="Please reduce the length"),
    ),
    speaks=("chat", "stream", "tools", "schema"),
    lacks={
        "embeddings": "none among its endpoints (inference-docs.cerebras.ai/api-reference)",
        "messages": "its pages name no Anthropic path (inference-docs.cerebras.ai/resources/openai)",
        "responses": "not among its endpoints; clients that ask get 404 (inference-docs.cerebras.ai/api-reference)",
    },
    sources=(
        "inference-docs.cerebras.ai/resources/openai",
        "inference-docs.cerebras.ai/api-reference/chat-completions",
        _ERRORS,
    ),
)
