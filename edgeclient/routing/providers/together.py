"""Together AI: many open-weight models, central."""

from __future__ import annotations

from collections.abc import Mapping

from ...values import Call, Failure
from ..systems import Asked, Signal, System, listed_as

_ERRORS = "docs.together.ai/docs/error-codes"
_EMBEDS = "github.com/ogx-ai/ogx/pull/3559"


def _nameless(asked: Asked) -> None:
    """Its embeddings know no `user`, and say 400."""
    if asked.call.path.endswith("/embeddings"):
        asked.body.pop("user", None)


def _other_size(call: Call, options: Mapping[str, str]) -> str | None:
    sized = call.path.endswith("/embeddings") and call.body.get("dimensions") is not None
    return "its embeddings do not know dimensions" if sized else None


SYSTEM = System(
    name="together",
    what="Together AI: many open-weight models and embeddings",
    spelling="together:",
    url="https://api.together.ai/v1",
    key="env:TOGETHER_API_KEY",
    key_header="authorization",
    rules=(_nameless,),
    cannot=_other_size,
    naming=listed_as("together"),
    signals=(
        Signal(Failure.QUOTA, (402,), _ERRORS),
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.TOO_LONG, (403,), _ERRORS, says="less than the context length"),
        Signal(
            Failure.TOO_LONG,
            (400, 422),
            "github.com/stanford-crfm/helm/pull/2079",
            says=r"`inputs` tokens \+ `max_new_tokens` must be",
        ),
        Signal(Failure.CAPACITY, (503,), _ERRORS),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings"),
    lacks={
        "messages": "its pages name no Anthropic path (docs.together.ai/docs/inference/openai-compatibility)",
        "responses": "not in its table of endpoints (docs.together.ai/docs/inference/openai-compatibility)",
    },
    sources=("docs.together.ai/docs/inference/openai-compatibility", _ERRORS, f"{_EMBEDS} (embeddings)"),
)
