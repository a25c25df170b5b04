"""Vercel AI Gateway: a proxy at Vercel's PoPs to many providers, foundation models and open ones, under one key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...values import Failure
from .. import families
from ..catalogue import Kind
from ..systems import Asked, Signal, System, either, listed_as, prefixed

_ERRORS = "vercel/ai, packages/gateway/src/errors/"
_LISTS = {"order": "order", "only": "only", "tags": "tags"}  # option -> member of `providerOptions.gateway`
_TEXTS = {"sort": "sort", "user": "user"}
_DATED = re.compile(r"-20\d{6}$")
_DASHED = re.compile(r"(\d)-(\d)(?!\d)")


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    return {"key": "env:VERCEL_OIDC_TOKEN" if options["auth"] == "oidc" else "env:AI_GATEWAY_API_KEY"}


def _creator(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """`creator/model` for what the catalogue does not list: without a date, and with dots (`claude-opus-4-8` -> `-4.8`)."""
    family = families.find(model)
    if model.startswith("@") or (isinstance(family, families.Family) and family.kind is Kind.SMALL):
        return None  # an open model that is known, and is not sold there as itself
    name = prefixed(model, sdk, options)
    if name is not None and name.startswith("anthropic/"):
        return _DASHED.sub(r"\1.\2", _DATED.sub("", name))
    return name


def _provider_options(asked: Asked) -> None:
    """The options of the preset in `providerOptions.gateway`; what the caller says there himself stays."""
    if asked.call.path.endswith("/embeddings"):
        return
    ours: dict[str, Any] = {
        member: asked.options[name].split(",") for name, member in _LISTS.items() if name in asked.options
    }
    ours |= {member: asked.options[name] for name, member in _TEXTS.items() if name in asked.options}
    if asked.options.get("zdr") == "on":
        ours["zeroDataRetention"] = True
    said = asked.body.get("providerOptions") or {}
    if ours and isinstance(said, dict):
        asked.body["providerOptions"] = {**said, "gateway": {**ours, **(said.get("gateway") or {})}}


SYSTEM = System(
    name="vercel",
    what="Vercel AI Gateway: enters at Vercel's edge, and goes on to the providers of hundreds of models",
    spelling="vercel:",
    url="https://ai-gateway.vercel.sh/v1",
    anthropic="https://ai-gateway.vercel.sh",
    at=_at,
    key_header="authorization",
    probe="/v1/models",
    options={
        "auth": '"key" (AI_GATEWAY_API_KEY) or "oidc" (VERCEL_OIDC_TOKEN, which lasts 12 hours)',
        "team": "the team that is meant, for personal tokens that reach several",
        "order": "providers in the order in which the gateway tries them, with commas",
        "only": "providers that it may use, with commas",
        "sort": '"cost", "ttft" or "tps": by what it orders providers',
        "tags": "tags for its reports, with commas",
        "user": "whom its reports name",
        "zdr": '"on": only providers that keep no data',
    },
    defaults={"auth": "key"},
    headers=(("x-vercel-ai-gateway-team", "{team}"),),
    rules=(_provider_options,),
    naming=either(listed_as("vercel"), _creator),
    signals=(
        Signal(
            Failure.QUOTA,
            (402, 403),
            "vercel.com/docs/ai-gateway/pricing, community.vercel.com/t/21461; the types as public clients met them",
            says=r"insufficient_funds|byok_requires_paid_credits|customer_verification_required",
        ),
        Signal(Failure.QUOTA, (402,), "vercel.com/docs/ai-gateway/pricing"),
        Signal(
            Failure.QUOTA,
            (429,),
            "vercel.com/docs/ai-gateway/observability-and-spend/budgets; the type as public clients met it",
            says="quota_for_entity_exceeded",
        ),
        Signal(
            Failure.MODEL_MISSING,
            (403,),
            "community.vercel.com/t/42526 (free credits do not reach every model)",
            says=r"no_providers_available|Free credits temporarily have restricted access",
        ),
        Signal(Failure.MODEL_MISSING, (400, 404), f"{_ERRORS}gateway-model-not-found-error.ts", says="model_not_found"),
        Signal(Failure.THROTTLED, (429,), "vercel.com/docs/ai-gateway/rate-limits", says="rate_limit_exceeded"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(
        "vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions, .../responses, .../anthropic-messages-api",
        "vercel.com/docs/ai-gateway/authentication-and-byok, .../oidc",
        "vercel/ai, content/providers/01-ai-sdk-providers/00-ai-gateway.mdx (providerOptions.gateway)",
    ),
)
