"""Cloudflare Workers AI: small open-weight models at Cloudflare's PoPs."""

from __future__ import annotations

from ...values import Failure
from ..shaping import limit_said, plain_text
from ..systems import Asked, Signal, System, listed_as

_ERRORS = "developers.cloudflare.com/workers-ai/platform/errors"


def _fail_fast(asked: Asked) -> None:
    """Refused at once when nothing is free, instead of queued: another endpoint may have room."""
    if asked.options["busy"] == "reject" and asked.call.path.endswith("/chat/completions"):
        asked.body.setdefault("options", {"rejectIfBusy": True})


def _prompt_cache(asked: Asked) -> None:
    """Turns of one conversation go to one instance, which has its beginning in the prompt cache."""
    if asked.call.size >= 4096:
        asked.headers["x-session-affinity"] = f"edgeclient-{asked.call.opening & 0xFFFFFFFFFFFF:012x}"


SYSTEM = System(
    name="workers-ai",
    what="Cloudflare Workers AI: small open-weight models and embeddings at the edge",
    spelling="workers-ai:ACCOUNT",
    url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
    anthropic="https://api.cloudflare.com/client/v4/accounts/{account}/ai",  # the SDK adds /v1/messages
    key="env:CLOUDFLARE_API_TOKEN",
    key_header="authorization",
    route="inference",
    probe="/cdn-cgi/trace",
    options={
        "busy": '"reject" (429 when nothing is free) or "queue"',
        "gateway": "the AI Gateway that calls pass, if any",
    },
    defaults={"busy": "reject"},
    headers=(("cf-aig-gateway-id", "{gateway}"),),
    rules=(plain_text, limit_said(2048), _fail_fast, _prompt_cache),
    naming=listed_as("workers-ai"),
    signals=(
        Signal(Failure.QUOTA, (429,), _ERRORS, says=r"\b3036\b", until="midnight"),
        Signal(Failure.CAPACITY, (429,), _ERRORS, says=r"\b3040\b"),
        Signal(Failure.MODEL_MISSING, (400, 404), _ERRORS, says=r"\b(5007|3042)\b"),
        Signal(Failure.STATUS, (408,), _ERRORS, says=r"\b(3007|3008)\b"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
        "developers.cloudflare.com/ai-gateway/usage/rest-api (messages)",
        "developers.cloudflare.com/workers-ai/features/reject-if-busy, .../prompt-caching",
    ),
)
