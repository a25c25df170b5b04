"""OpenRouter: one address for the models of all vendors and hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...errors import SettingsError
from ...values import Failure
from ..caching import CacheWords
from ..systems import Signal, System, either, listed_as, prefixed

_ERRORS = "openrouter.ai/docs/api/errors"
_CACHE = "openrouter.ai/docs/guides/features/response-caching"
_HOSTS = {"global": "https://openrouter.ai", "eu": "https://eu.openrouter.ai"}
_VERSION = re.compile(r"(claude-[a-z]+-\d+)-(\d{1,2})")


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    host = _HOSTS.get(options["region"])
    if host is None:
        raise SettingsError(f"openrouter: there is no region {options['region']!r}; there are {', '.join(_HOSTS)}")
    return {"url": f"{host}/api/v1", "anthropic": f"{host}/api"}


def _dotted(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """`claude-sonnet-4-5` is written with a dot there."""
    found = _VERSION.fullmatch(model)
    return f"anthropic/{found[1]}.{found[2]}" if found else None


SYSTEM = System(
    name="openrouter",
    what="OpenRouter: one address for the models of all vendors and hosts",
    spelling="openrouter:",
    at=_at,
    key="env:OPENROUTER_API_KEY",
    key_header="authorization",
    probe="/api/v1/models",
    options={
        "region": '"global", or "eu" (in-region routing, for business accounts)',
        "referer": "the address of your app, for its rankings",
        "title": "the name of your app, for its rankings",
    },
    defaults={"region": "global"},
    headers=(("HTTP-Referer", "{referer}"), ("X-OpenRouter-Title", "{title}")),
    cache_words=CacheWords(
        refresh={"X-OpenRouter-Cache-Clear": "true"},
        bypass={"X-OpenRouter-Cache": "false"},
        ttl={"X-OpenRouter-Cache-TTL": "{s}"},  # where the caller, or a preset, has its cache on; it has no namespaces
        ttl_to=86400,
        source=_CACHE,
    ),
    naming=either(listed_as("openrouter"), _dotted, prefixed),
    signals=(
        Signal(Failure.QUOTA, (402,), _ERRORS),
        Signal(Failure.STATUS, (408,), _ERRORS),
        Signal(Failure.MODEL_MISSING, (503,), _ERRORS),  # no provider of this model fits the request
        Signal(Failure.MODEL_MISSING, (404,), "github.com/anomalyco/opencode/issues/1675", says=r"No endpoints found"),
        Signal(
            Failure.MODEL_MISSING,
            (400,),
            "github.com/maxnowack/anthropic-proxy/issues/4",
            says=r"is not a valid model ID",
        ),
    ),
    errors_inside=_ERRORS,
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "openrouter.ai/docs/api/reference/overview",
        "openrouter.ai/docs/api/api-reference/anthropic-messages/create-a-message",
        "openrouter.ai/docs/client-sdks/typescript/models/operations/createembeddingsrequest",
        "openrouter.ai/docs/app-attribution",
        _CACHE,
        _ERRORS,
    ),
)
