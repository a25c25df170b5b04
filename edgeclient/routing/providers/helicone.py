"""Helicone: logs and caches calls at Cloudflare's PoPs, the models at their providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..caching import CacheWords
from ..systems import System, only_of

_CACHE = "docs.helicone.ai/features/advanced-usage/caching"


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    """In front of each provider's own API, with its key, or at one address for all, with Helicone's."""
    if options["via"] == "gateway":
        return {"url": "https://ai-gateway.helicone.ai/v1", "key": "env:HELICONE_API_KEY"}
    return {
        "url": "https://oai.helicone.ai/v1",
        "anthropic": "https://anthropic.helicone.ai",
        "headers": (("Helicone-Auth", "Bearer {token}"),),
    }


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    return model if options["via"] == "gateway" else only_of(sdk)(model, sdk, options)


def _key_header(sdk: str, options: Mapping[str, str]) -> str:
    return "authorization" if options["via"] == "gateway" else ""  # a provider's own key stays where its SDK puts it


SYSTEM = System(
    name="helicone",
    what="Helicone: logs and caches calls at the edge, the model stays at its provider",
    spelling="helicone:",
    at=_at,
    key_header=_key_header,
    route="gateway",
    options={
        "via": '"native" (in front of the providers\' own APIs, with their keys) or "gateway" (one address and key for all)',
        "token": 'Helicone\'s own key: "env:NAME"',
        "cache": '"true": it keeps answers',
    },
    defaults={"via": "native", "token": "env:HELICONE_API_KEY"},
    headers=(("Helicone-Cache-Enabled", "{cache}"),),
    cache_words=CacheWords(
        refresh={"Helicone-Cache-Enabled": "false"},
        ttl={"cache-control": "max-age={s}"},
        ttl_to=365 * 86400,
        namespace={"Helicone-Cache-Seed": "{namespace}"},  # a part of its key, besides the credentials
        source=_CACHE,
    ),
    naming=_naming,
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "docs.helicone.ai/getting-started/integration-method/openai, .../anthropic (the addresses, Helicone-Auth)",
        "docs.helicone.ai/gateway/overview, .../concepts/responses-api; docs.litellm.ai/docs/providers/helicone (embeddings)",
        _CACHE,
    ),
)
