"""Fireworks AI: many open-weight models, central, with an address that stays in the US."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import SettingsError
from ...values import Failure
from ..systems import Signal, System, listed_as

_ERRORS = "docs.fireworks.ai/guides/inference-error-codes"
_HOSTS = {"global": "https://api.fireworks.ai", "us": "https://us.api.fireworks.ai"}


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    host = _HOSTS.get(options["region"])
    if host is None:
        raise SettingsError(f"fireworks: there is no region {options['region']!r}; there are {', '.join(_HOSTS)}")
    return {"url": f"{host}/inference/v1", "anthropic": f"{host}/inference"}


SYSTEM = System(
    name="fireworks",
    what="Fireworks AI: many open-weight models and embeddings",
    spelling="fireworks:",
    at=_at,
    key="env:FIREWORKS_API_KEY",
    key_header="authorization",
    options={"region": '"global" or "us"', "regions": "several of them, an endpoint each: global,us"},
    defaults={"region": "global"},
    naming=listed_as("fireworks"),
    signals=(
        Signal(Failure.QUOTA, (402, 412), _ERRORS),  # 412: the account is suspended, or a LoRA did not load
        Signal(Failure.MODEL_MISSING, (404,), _ERRORS),
        Signal(Failure.STATUS, (408,), _ERRORS),
        Signal(Failure.CAPACITY, (503,), _ERRORS),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "docs.fireworks.ai/tools-sdks/openai-compatibility, .../anthropic-compatibility",
        "docs.fireworks.ai/nexus/apis-and-sdks (responses)",
        "docs.fireworks.ai/guides/querying-embeddings-models",
        _ERRORS,
    ),
)
