"""Hugging Face Inference Providers: one router, the models at many hosts."""

from __future__ import annotations

from collections.abc import Mapping

from ...values import Failure
from ..systems import Signal, System, listed_as

_DOCS = "huggingface.co/docs/inference-providers"


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """The id on the Hub, with what chooses the host behind it: a policy, or a provider."""
    found = listed_as("huggingface")(model, sdk, options)
    by = options.get("by", "")
    return found if found is None or not by or ":" in found else f"{found}:{by}"


SYSTEM = System(
    name="huggingface",
    what="Hugging Face Inference Providers: a router to many hosts of open-weight models",
    spelling="huggingface:",
    url="https://router.huggingface.co/v1",
    anthropic="https://router.huggingface.co",
    key="env:HF_TOKEN",
    key_header="authorization",
    probe="/v1/models",
    options={
        "by": 'what chooses the host: "fastest" (its default), "cheapest", "preferred", or a provider, as in "groq"',
        "bill_to": "the organisation that pays",
    },
    headers=(("X-HF-Bill-To", "{bill_to}"),),
    naming=_naming,
    signals=(
        Signal(Failure.QUOTA, (402,), f"{_DOCS}/pricing"),
        Signal(
            Failure.MODEL_MISSING,
            (400, 404),
            "github.com/cline/cline/issues/5098",
            says=r"model_not_supported|model_not_found|not supported by any provider|does not exist",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "messages", "responses"),
    lacks={"embeddings": f"a task of another API, not below /v1 ({_DOCS}/tasks/feature-extraction)"},
    sources=(
        f"{_DOCS}/tasks/chat-completion",
        f"{_DOCS}/guides/responses-api (beta), .../function-calling, .../structured-output",
        f"{_DOCS}/integrations/claude-code (messages, policies, X-HF-Bill-To)",
        f"{_DOCS}/pricing",
    ),
)
