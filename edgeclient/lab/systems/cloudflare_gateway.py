"""Emulates Cloudflare AI Gateway: the providers' own paths, and the one address for all that Cloudflare bills."""

from __future__ import annotations

import re

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_NATIVE = re.compile(r"/v1/([0-9a-z]+)/([0-9a-z-]+)/(openai|anthropic)(/.*)")
_MONTH_S = 30 * 86_400
_REST = re.compile(r"/client/v4/accounts/([0-9a-z]+)/ai/v1(/.*)")
_PATHS = {
    "openai": {"/chat/completions", "/responses", "/embeddings"},
    "anthropic": {"/v1/messages", "/v1/messages/count_tokens"},
}


class CloudflareGateway(Emulator):
    """Strict: the path says the provider, the gateway may want a token of its own, the provider's key has its own place."""

    knows = frozenset(
        {
            "cf-aig-authorization", "cf-aig-gateway-id", "cf-aig-max-attempts", "cf-aig-skip-cache", "cf-aig-cache-ttl",
            "cf-aig-cache-key", "cf-aig-metadata", "cf-aig-collect-log", "cf-aig-request-timeout",
        }
    )  # fmt: skip
    pop = "FRA"
    failures = {  # noqa: RUF012
        "rate limit": (
            429,
            {"success": False, "errors": [{"code": 2003, "message": "Rate limited"}]},
            (("retry-after", "7"),),
        ),
        "auth": (401, {"success": False, "errors": [{"code": 2009, "message": "Unauthorized"}]}, ()),
        "model missing": (400, {"errors": [{"code": 5007, "message": "5007: No such model"}]}, ()),
        "provider is down": (502, {"error": {"message": "upstream failed"}}, ()),
        "bad request": (400, {"error": {"message": "no", "type": "invalid_request_error"}}, ()),
    }

    token = ""  # of an authenticated gateway

    def answer(self, heard: Heard) -> Said:
        if self.token and heard.headers.get("cf-aig-authorization") != f"Bearer {self.token}":
            raise Refused(*self.failures["auth"])
        attempts = heard.headers.get("cf-aig-max-attempts", "1")
        if not (attempts.isdecimal() and 1 <= int(attempts) <= 5):
            raise Refused(400, {"error": {"message": "cf-aig-max-attempts is 1 to 5"}})
        if not 60 <= int(heard.headers.get("cf-aig-cache-ttl", "60")) <= _MONTH_S:
            raise Refused(400, {"error": {"message": "cf-aig-cache-ttl is a minute to a month"}})
        native, rest = _NATIVE.fullmatch(heard.path), _REST.fullmatch(heard.path)
        if native is not None and native[4] in _PATHS[native[3]]:
            return self._native(heard, native[3], native[4])
        if rest is not None:
            return self._rest(heard, rest[2])
        raise Refused(404, {"success": False, "errors": [{"code": 7000, "message": f"No route for {heard.path}"}]})

    def _native(self, heard: Heard, provider: str, path: str) -> Said:
        key = self.bearer(heard) or (heard.headers.get("x-api-key", "") if provider == "anthropic" else "")
        if key != self.secret:
            raise Refused(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}})
        if "/" in str(heard.body.get("model", "")):
            raise Refused(404, {"error": {"message": "the model does not exist", "code": "model_not_found"}})
        return by_the_api(heard, path if path.startswith("/v1") else f"/v1{path}")

    def _rest(self, heard: Heard, path: str) -> Said:
        if self.bearer(heard) != self.secret or "cf-aig-gateway-id" not in heard.headers:
            raise Refused(401, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]})
        model = str(heard.body.get("model", ""))
        if not re.fullmatch(r"(openai|anthropic|google|xai|workers-ai)/.+|@cf/.+", model):
            raise Refused(400, {"errors": [{"code": 5007, "message": f"5007: No such model {model}"}]})
        return by_the_api(heard, f"/v1{path}")

    def probed(self, heard: Heard) -> Said:
        if heard.path == "/cdn-cgi/trace":
            return Said(200, (("content-type", "text/plain"),), b"fl=1\ncolo=FRA\n")
        return super().probed(heard)

    def named(self, said: Said, heard: Heard) -> Said:
        skips = heard.headers.get("cf-aig-skip-cache") == "true"
        more = (
            ("cf-ray", "8f0123456789abcd-FRA"),
            ("cf-aig-step", "0"),
            ("cf-aig-cache-status", "BYPASS" if skips else "MISS"),
        )
        return Said(said.status, (*said.headers, *more), said.body, said.events)
