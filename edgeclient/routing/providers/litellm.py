"""LiteLLM's proxy: one's own gateway to providers, with the names of models that its configuration gives."""

from __future__ import annotations

from ...values import Failure
from ..caching import CacheWords
from ..systems import Signal, System

_DOCS = "docs.litellm.ai/docs/proxy"
_SOURCE = "litellm 1.108.7, proxy"

SYSTEM = System(
    name="litellm",
    what="LiteLLM's proxy: your own gateway to providers, with the names of models that its configuration gives",
    spelling="litellm:",
    url="http://localhost:4000/v1",
    anthropic="http://localhost:4000",
    key="env:LITELLM_API_KEY",
    key_header="authorization",
    route="gateway",
    probe="/health/liveliness",
    cache_words=CacheWords(
        refresh={"no-cache": "true"},
        bypass={"no-cache": "true", "no-store": "true"},
        max_age={"s-maxage": "{s}"},
        ttl={"ttl": "{s}"},
        namespace={"namespace": '"{namespace}"'},
        member="cache",
        source=f"{_DOCS}/caching_controls; caching/caching_handler.py",
    ),
    signals=(
        Signal(Failure.QUOTA, (400, 429), f"{_SOURCE}/_types.py", says="budget_exceeded"),
        Signal(Failure.MODEL_MISSING, (400, 404), f"{_SOURCE}/route_llm_request.py", says="Invalid model name passed"),
        Signal(Failure.CAPACITY, (429,), "litellm 1.108.7, types/router.py", says="No deployments available"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        f"{_DOCS}/user_keys (chat, embeddings), .../response_api, .../anthropic_unified",
        f"{_DOCS}/caching, .../caching_controls",
        f"{_DOCS}/health",
    ),
)
