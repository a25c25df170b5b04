"""Emulates the makers' own APIs: OpenAI's and Anthropic's. (Google's is with Vertex AI, in `google.py`.)"""

from __future__ import annotations

from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api


def _of_openai(kind: str, code: str | None, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _of_anthropic(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


class OpenAI(Emulator):
    """Strict: the key as bearer and nowhere else, its own models and its own paths."""

    knows = frozenset({"openai-organization", "openai-project"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "rate limit": (
            429,
            _of_openai("tokens", "rate_limit_exceeded", "Rate limit reached for gpt-6-luna. Please try again in 7s."),
            (("retry-after-ms", "7000"),),
        ),
        "quota": (429, _of_openai("insufficient_quota", "insufficient_quota", "You exceeded your current quota."), ()),
        "no credit": (429, _of_openai("insufficient_quota", "credit_balance_exhausted", "No credits are left."), ()),
        "overloaded": (
            503,
            _of_openai("service_unavailable_error", "server_is_overloaded", "The engine is currently overloaded."),
            (),
        ),
        "internal": (500, _of_openai("server_error", None, "The server had an error while processing."), ()),
        "model missing": (
            404,
            _of_openai("invalid_request_error", "model_not_found", "The model `gpt-0` does not exist."),
            (),
        ),
        "too long": (
            400,
            _of_openai("invalid_request_error", "context_length_exceeded", "Your input exceeds the context window."),
            (),
        ),
        "auth": (401, _of_openai("invalid_request_error", "invalid_api_key", "Incorrect API key provided."), ()),
        "bad request": (400, _of_openai("invalid_request_error", None, "Invalid value for 'temperature'."), ()),
    }
    _paths = frozenset({"/v1/chat/completions", "/v1/embeddings", "/v1/responses"})

    def answer(self, heard: Heard) -> Said:
        if heard.path not in self._paths:
            raise Refused(404, _of_openai("invalid_request_error", "unknown_url", f"Invalid URL (POST {heard.path})"))
        if self.bearer(heard) != self.secret or "x-api-key" in heard.headers:
            raise Refused(*self.failures["auth"])
        if not str(heard.body.get("model", "")).startswith(("gpt-", "text-embedding-", "ft:")):
            raise Refused(*self.failures["model missing"])
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        return Said(said.status, (*said.headers, ("cf-ray", "8f0123456789abcd-FRA")), said.body, said.events)


class Anthropic(Emulator):
    """Strict: the key in one place, a version, Claude's names, Messages only."""

    knows = frozenset({"anthropic-workspace-id"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "overloaded": (529, _of_anthropic("overloaded_error", "Overloaded"), ()),
        "rate limit": (
            429,
            _of_anthropic("rate_limit_error", "This request would exceed your limit."),
            (("retry-after", "7"),),
        ),
        "no credit": (
            400,
            _of_anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
            (),
        ),
        "spend limit": (
            400,
            _of_anthropic("invalid_request_error", "You have reached your specified API usage limits."),
            (),
        ),
        "billing": (402, _of_anthropic("billing_error", "There is an issue with your billing."), ()),
        "model missing": (404, _of_anthropic("not_found_error", "model: claude-0"), ()),
        "timeout": (504, _of_anthropic("timeout_error", "The request timed out."), ()),
        "internal": (500, _of_anthropic("api_error", "Internal server error"), ()),
        "auth": (401, _of_anthropic("authentication_error", "invalid x-api-key"), ()),
        "permission": (403, _of_anthropic("permission_error", "Your API key may not use this resource."), ()),
        "too long": (
            400,
            _of_anthropic("invalid_request_error", "prompt is too long: 208656 tokens > 200000 maximum"),
            (),
        ),
        "too large": (413, _of_anthropic("request_too_large", "Request exceeds the maximum size"), ()),
        "bad request": (400, _of_anthropic("invalid_request_error", "max_tokens: Field required"), ()),
    }
    header = "authorization"

    def answer(self, heard: Heard) -> Said:
        if heard.path != "/v1/messages":
            raise Refused(404, _of_anthropic("not_found_error", "Not found"))
        given = {name: heard.headers[name] for name in ("x-api-key", "authorization") if name in heard.headers}
        if given != {self.header: f"Bearer {self.secret}" if self.header == "authorization" else self.secret}:
            raise Refused(*self.failures["auth"])
        if not str(heard.body.get("model", "")).startswith("claude-"):
            raise Refused(*self.failures["model missing"])
        if "anthropic-version" not in heard.headers or "max_tokens" not in heard.body:
            raise Refused(*self.failures["bad request"])
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        return Said(said.status, (*said.headers, ("cf-ray", "8f0123456789abcd-FRA")), said.body, said.events)
