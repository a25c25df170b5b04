"""Emulates Fastly's AI Accelerator, and a service on Fastly Compute that passes on what it gets."""

from __future__ import annotations

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_OPENAI = "/api.openai.com/v1"
_COMPAT = "/compat/openai/"


class Fastly(Emulator):
    """Strict: Fastly's token beside the provider's key, and OpenAI's paths behind the provider's host."""

    knows = frozenset({"fastly-key"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "no token": (401, {"msg": "Provided credentials are missing or invalid"}, ()),
        "provider's key": (401, {"error": {"message": "Incorrect API key provided", "type": "invalid_api_key"}}, ()),
        "bad request": (400, {"error": {"message": "no", "type": "invalid_request_error"}}, ()),
        "rate limit": (429, {"error": {"message": "Rate limit", "type": "requests"}}, (("retry-after", "7"),)),
        "no backend": (503, "first byte timeout", ()),
    }

    token = "token-of-the-gateway"

    def answer(self, heard: Heard) -> Said:
        if heard.headers.get("fastly-key") != self.token:
            raise Refused(*self.failures["no token"])
        if self.bearer(heard) != self.secret:
            raise Refused(*self.failures["provider's key"])
        if heard.path.startswith(_COMPAT):
            return by_the_api(heard, "/v1/" + heard.path.partition("/v1/")[2])
        if not heard.path.startswith(_OPENAI) or "/messages" in heard.path:
            raise Refused(404, {"error": {"message": f"no such host or path: {heard.path}"}})
        return by_the_api(heard, heard.path.removeprefix("/api.openai.com"))

    def named(self, said: Said, heard: Heard) -> Said:
        more = (("x-served-by", "cache-fra-etou8220041-FRA"), ("x-cache", "MISS"))
        return Said(said.status, (*said.headers, *more), said.body, said.events)


class FastlyCompute(Emulator):
    """A service of the user's that asks for a key, and passes everything on."""

    knows = frozenset({"cache-control"})
    pop = "FRA"
    failures = {  # noqa: RUF012
        "auth": (401, {"error": {"message": "no", "type": "authentication_error"}}, ()),
        "rate limit": (429, {"error": {"message": "slower", "type": "rate_limit_error"}}, (("retry-after", "7"),)),
        "time is up": (503, {"diagnostic": "instance_limit", "limit": "timeout"}, ()),
        "memory is up": (500, {"diagnostic": "instance_limit", "limit": "heap"}, ()),
    }

    def answer(self, heard: Heard) -> Said:
        if (self.bearer(heard) or heard.headers.get("x-api-key")) != self.secret:
            raise Refused(*self.failures["auth"])
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        more = (("x-served-by", "cache-iad-kiad7000123-IAD, cache-fra-etou8220041-FRA"),)
        return Said(said.status, (*said.headers, *more), said.body, said.events)
