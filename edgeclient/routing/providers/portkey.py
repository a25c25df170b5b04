"""Portkey: a gateway that is driven by a provider's name or by a configuration that is kept there."""

from __future__ import annotations

from ...values import Failure
from ..caching import CacheWords
from ..systems import Signal, System

_API = "portkey.ai/docs/api-reference"

SYSTEM = System(
    name="portkey",
    what="Portkey: a gateway with fallbacks, caches and limits of its own",
    spelling="portkey:",
    url="https://api.portkey.ai/v1",
    anthropic="https://api.portkey.ai",
    route="gateway",
    options={
        "token": 'Portkey\'s own key: "env:NAME"',
        "provider": 'whose model it is: "openai", or "@NAME" of its model catalogue',
        "config": "the id of a configuration that is kept there",
        "namespace": "a part of its cache that only calls with this name share",
    },
    defaults={"token": "env:PORTKEY_API_KEY"},
    headers=(
        ("x-portkey-api-key", "{token}"),
        ("x-portkey-provider", "{provider}"),
        ("x-portkey-config", "{config}"),
        ("x-portkey-cache-namespace", "{namespace}"),
    ),
    cache_words=CacheWords(
        refresh={"x-portkey-cache-force-refresh": "true"},  # the new answer is kept: it has no word against that
        # "The sole basis for partitioning": it takes the place of all other headers, the credentials among them.
        # How long an answer is kept (`max_age`) only a configuration can say.
        namespace={"x-portkey-cache-namespace": "{namespace}-{caller}"},
        source="portkey.ai/docs/product/ai-gateway/cache-simple-and-semantic",
    ),
    signals=(Signal(Failure.QUOTA, (412,), f"{_API}/inference-api/error-codes"),),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        f"{_API}/inference-api/headers, .../error-codes",
        f"{_API}/response-schema",
        "portkey.ai/docs/product/ai-gateway/cache-simple-and-semantic",
    ),
)
