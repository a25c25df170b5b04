"""Cloudflare AI Gateway: a proxy at Cloudflare's PoPs, the models at their providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...values import Failure
from ..caching import CacheWords
from ..systems import Signal, System, either, listed_as, only_of, prefixed

_REST = "https://api.cloudflare.com/client/v4/accounts/{account}/ai"
_NATIVE = "https://gateway.ai.cloudflare.com/v1/{account}/{gateway}"


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    """Where it is: at the providers' own paths, or at the one address for all that Cloudflare bills."""
    if options["via"] == "rest":
        return {"url": f"{_REST}/v1", "anthropic": _REST, "key": "env:CLOUDFLARE_API_TOKEN"}
    return {"url": f"{_NATIVE}/openai", "anthropic": f"{_NATIVE}/anthropic"}


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    if options["via"] == "rest":
        return either(listed_as("cloudflare-gateway"), prefixed)(model, sdk, options)
    return only_of(sdk)(model, sdk, options)  # the path says the provider


def _key_header(sdk: str, options: Mapping[str, str]) -> str:
    return "authorization" if options["via"] == "rest" else ""  # a provider's own key stays where its SDK puts it


SYSTEM = System(
    name="cloudflare-gateway",
    what="Cloudflare AI Gateway: logs, caches and limits calls at the edge, the model stays at its provider",
    spelling="cloudflare-gateway:ACCOUNT/GATEWAY",
    at=_at,
    key_header=_key_header,
    route="gateway",
    probe="/cdn-cgi/trace",
    options={
        "via": '"native" (the providers\' own paths and keys) or "rest" (one address, billed by Cloudflare)',
        "token": 'the token of an authenticated gateway: "env:NAME"',
        "attempts": "how often the gateway itself tries, 1 to 5",
    },
    defaults={"via": "native", "gateway": "default", "attempts": "1"},
    headers=(
        ("cf-aig-authorization", "Bearer {token}"),
        ("cf-aig-gateway-id", "{gateway}"),
        ("cf-aig-max-attempts", "{attempts}"),  # else our attempts and its own multiply
    ),
    cache_words=CacheWords(
        refresh={"cf-aig-skip-cache": "true"},
        ttl={"cf-aig-cache-ttl": "{s}"},
        ttl_from=60,
        ttl_to=30 * 86400,
        namespace={
            "cf-aig-cache-key": "{namespace}-{request}"
        },  # it takes the place of all that its own key is made of
        source="developers.cloudflare.com/ai-gateway/features/caching",
    ),
    naming=_naming,
    signals=(
        Signal(Failure.THROTTLED, (429,), "developers.cloudflare.com/ai-gateway/reference/limits"),
        Signal(
            Failure.MODEL_MISSING,
            (400, 404),
            "developers.cloudflare.com/workers-ai/platform/errors",
            says=r"\b(5007|3042)\b",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "developers.cloudflare.com/ai-gateway/usage/providers/openai, .../anthropic",
        "developers.cloudflare.com/ai-gateway/usage/rest-api",
        "developers.cloudflare.com/ai-gateway/configuration/authentication, .../caching, .../request-handling",
    ),
)
