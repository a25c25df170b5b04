"""Emulates Ssimplifi's Prism: the edge that refuses bad keys, and the router behind it."""

from __future__ import annotations

import re

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_TAGS = re.compile(r"[\w.-]+=[\w.-]+(,[\w.-]+=[\w.-]+)*")


def _error(kind: str, message: str, **more: str) -> dict[str, object]:
    return {"detail": {"error": {"type": kind, "message": message, **more}}}


class Prism(Emulator):
    """Strict: its mode on each request, one path, and no guess at the model: a request has to prefer the one it names."""

    knows = frozenset({"x-prism-mode", "x-prism-model-prefer", "x-prism-session", "x-prism-cache", "x-prism-tags"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "bad key": (401, {"error": {"type": "authentication_error", "message": "Invalid API key"}}, ()),
        "no money": (402, _error("insufficient_balance", "Insufficient balance."), ()),
        "tier": (402, _error("tier_upgrade_required", "Pro or higher.", current_tier="free"), ()),
        "bad request": (400, _error("invalid_request_error", "messages is required"), ()),
        "rate limit": (429, _error("rate_limit_error", "Too many requests"), (("retry-after", "7"),)),
        "the origin is down": (522, {"error": {"message": "connection timed out"}}, ()),
    }

    def answer(self, heard: Heard) -> Said:
        if self.bearer(heard) != self.secret:
            raise Refused(*self.failures["bad key"])
        if heard.path != "/v1/chat/completions":
            raise Refused(404, {"detail": "Not Found"})
        if heard.headers.get("x-prism-mode") not in ("eco", "balanced", "sport"):
            raise Refused(400, _error("invalid_request_error", "X-Prism-Mode is required: eco, balanced or sport"))
        if heard.headers.get("x-prism-model-prefer") != heard.body.get("model"):
            raise Refused(400, {"error": {"message": "emulator: another model than the one asked for would answer"}})
        if heard.headers.get("x-prism-cache", "off") != "off":
            raise Refused(400, _error("invalid_request_error", "X-Prism-Cache is off, or not there"))
        if "x-prism-tags" in heard.headers and not _TAGS.fullmatch(heard.headers["x-prism-tags"]):
            raise Refused(400, _error("invalid_request_error", "X-Prism-Tags: k=v,k=v"))
        return by_the_api(heard, heard.path)

    def probed(self, heard: Heard) -> Said:
        if heard.path == "/cdn-cgi/trace":
            return Said(200, (("content-type", "text/plain"),), b"fl=1\ncolo=FRA\n")
        return super().probed(heard)

    def named(self, said: Said, heard: Heard) -> Said:
        more = (("cf-ray", "8f0123456789abcd-FRA"), ("x-prism-feedback-id", "fb_123"))
        return Said(said.status, (*said.headers, *more), said.body, said.events)
