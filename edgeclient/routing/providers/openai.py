"""OpenAI's own API, as an endpoint among others."""

from __future__ import annotations

from collections.abc import Mapping

from ...values import Failure
from ..systems import Signal, System, either, listed_as, only_of

_ERRORS = "developers.openai.com/api/docs/guides/error-codes"


def _tuned(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    return model if model.startswith("ft:") else None


SYSTEM = System(
    name="openai",
    what="OpenAI's own API",
    spelling="openai:",
    url="https://api.openai.com/v1",
    key="env:OPENAI_API_KEY",
    key_header="authorization",
    route="gateway",
    options={"organization": "sent as `openai-organization`", "project": "sent as `openai-project`"},
    headers=(("openai-organization", "{organization}"), ("openai-project", "{project}")),
    naming=either(_tuned, listed_as("openai"), only_of("openai")),
    signals=(
        Signal(Failure.QUOTA, (429,), _ERRORS, says="insufficient_quota|credit_balance_exhausted|billing_hard_limit"),
        Signal(Failure.MODEL_MISSING, (403, 404), _ERRORS, says="model_not_found"),
        Signal(Failure.CAPACITY, (503,), _ERRORS, says="(?i)overloaded|slow_down|slow down"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "responses"),
    lacks={"messages": "not an API of OpenAI's"},
    sources=("openai 3.57, _client.py", _ERRORS),
)
