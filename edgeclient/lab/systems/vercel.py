"""Emulates Vercel AI Gateway's OpenAI- and Anthropic-compatible paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_PATHS = {"/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"}
_MODEL = re.compile(r"[a-z0-9-]+/[a-z0-9.-]+")
_DASHED = re.compile(r"anthropic/.*\d-\d")  # its names have dots, and no dates
_GATEWAY: Mapping[str, type] = {
    "order": list, "only": list, "models": list, "tags": list, "sort": str, "user": str, "zeroDataRetention": bool,
    "byok": dict, "providerTimeouts": dict, "caching": str, "serviceTier": str, "has": list,
}  # fmt: skip


def _error(kind: str, message: str, param: Any = None) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": param, "code": None}, "generationId": "gen_01"}


class Vercel(Emulator):
    """Strict: a key of its own as a bearer or in x-api-key, `creator/model` with dots, only known options of the gateway."""

    knows = frozenset({"x-vercel-ai-gateway-team"})
    pop = "fra1"
    failures = {  # noqa: RUF012
        "auth": (401, _error("authentication_error", "Invalid API key"), ()),
        "bad request": (400, _error("invalid_request_error", "Invalid input"), ()),
        "model missing": (404, _error("model_not_found", "Model not found", {"modelId": "openai/gpt-4o"}), ()),
        "rate limit": (429, _error("rate_limit_exceeded", "Too many requests"), (("retry-after", "7"),)),
        "budget": (429, _error("quota_for_entity_exceeded", "The budget of this key is used up"), ()),
        "no money": (402, _error("insufficient_funds", "Insufficient funds"), ()),
        "paid credits": (403, _error("byok_requires_paid_credits", "Purchase credits"), ()),
        "verification": (403, _error("customer_verification_required", "Add a credit card"), ()),
        "free tier": (403, _error("no_providers_available", "Free credits temporarily have restricted access"), ()),
        "forbidden": (403, {"error": {"message": "Forbidden.", "type": "access_denied"}}, ()),
        "dependency": (424, _error("failed_dependency", "Failed dependency"), ()),
        "provider is down": (500, _error("internal_server_error", "Internal Server Error"), ()),
    }

    team = ""  # the one that a personal token has to name

    def answer(self, heard: Heard) -> Said:
        if heard.path not in _PATHS:
            raise Refused(404, _error("not_found", f"no such path: {heard.path}"))
        if (self.bearer(heard) or heard.headers.get("x-api-key")) != self.secret:
            raise Refused(*self.failures["auth"])
        if self.team and heard.headers.get("x-vercel-ai-gateway-team") != self.team:
            raise Refused(403, _error("forbidden", "this token reaches several teams"))
        model = str(heard.body.get("model", ""))
        if not _MODEL.fullmatch(model) or _DASHED.search(model):
            raise Refused(404, _error("model_not_found", f"Model {model} not found", {"modelId": model}))
        self._check_options(heard.body.get("providerOptions"))
        return by_the_api(heard, heard.path)

    def _check_options(self, said: Any) -> None:
        if said is None:
            return
        gateway = said.get("gateway", {}) if isinstance(said, dict) else None
        if not isinstance(gateway, dict):
            raise Refused(400, _error("invalid_request_error", "providerOptions is an object of objects"))
        for name, value in gateway.items():
            if name not in _GATEWAY or not isinstance(value, _GATEWAY[name]):
                raise Refused(400, _error("invalid_request_error", f"providerOptions.gateway.{name}"))

    def probed(self, heard: Heard) -> Said:
        if heard.path == "/v1/models":
            return Said(200, (("content-type", "application/json"),), b'{"object":"list","data":[]}')
        return super().probed(heard)

    def named(self, said: Said, heard: Heard) -> Said:
        more = (("x-vercel-id", "fra1::iad1::abcde-1700000000000-0123456789ab"), ("x-vercel-cache", "MISS"))
        return Said(said.status, (*said.headers, *more), said.body, said.events)
