"""Emulates three gateways that pass calls on in the APIs of the providers: Helicone, Portkey and LiteLLM's proxy."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below, error
from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_BOOLEAN = {"true", "false"}
_YEAR_S = 31_536_000


class Helicone(Emulator):
    """Strict: Helicone's key beside the provider's, or alone at the one address for all; its cache is on or off."""

    knows = frozenset({"helicone-auth", "helicone-cache-enabled", "helicone-cache-seed", "cache-control"})
    failures = {  # noqa: RUF012
        "auth": (401, error("Incorrect API key provided"), ()),
        "bad request": (400, error("no"), ()),
        "rate limit": (429, error("Rate limit"), (("retry-after", "7"),)),
        "down": (502, error("upstream failed"), ()),
    }
    token = "token-of-the-gateway"  # "": Helicone's key is the bearer's

    def answer(self, heard: Heard) -> Said:
        key = self.bearer(heard) or heard.headers.get("x-api-key", "")
        if key != self.secret or heard.headers.get("helicone-auth", "") != (
            f"Bearer {self.token}" if self.token else ""
        ):
            raise Refused(*self.failures["auth"])
        if heard.headers.get("helicone-cache-enabled", "true") not in _BOOLEAN:
            raise Refused(*self.failures["bad request"])
        lives = re.fullmatch(r"max-age=(\d+)", heard.headers.get("cache-control", "max-age=1"))
        if lives is None or not 0 < int(lives[1]) <= _YEAR_S:
            raise Refused(*self.failures["bad request"])
        if heard.path not in {"/v1/messages", *(f"/v1{path}" for path in OPENAI)}:
            raise Refused(404, error(f"Unknown path {heard.path}"))
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        kept = heard.headers.get("helicone-cache-enabled") == "true"
        return Said(
            said.status, (*said.headers, *((("helicone-cache", "MISS"),) if kept else ())), said.body, said.events
        )


class Portkey(Emulator):
    """Strict: Portkey's key, and a provider or a configuration."""

    knows = frozenset(
        {
            "x-portkey-api-key", "x-portkey-provider", "x-portkey-config", "x-portkey-cache-namespace",
            "x-portkey-cache-force-refresh",
        }
    )  # fmt: skip
    failures = {  # noqa: RUF012
        "auth": (401, {"status": "failure", "message": "Unauthorized"}, ()),
        "bad request": (400, error("no"), ()),
        "budget": (412, {"status": "failure", "message": "usage limits exceeded"}, ()),
        "rate limit": (429, error("Rate limit"), (("retry-after", "7"),)),
        "down": (502, error("upstream failed"), ()),
    }
    token = "token-of-the-gateway"

    def answer(self, heard: Heard) -> Said:
        if heard.headers.get("x-portkey-api-key") != self.token:
            raise Refused(*self.failures["auth"])
        if not {"x-portkey-provider", "x-portkey-config"} & {*heard.headers}:
            raise Refused(
                400, {"status": "failure", "message": "Either x-portkey-config or x-portkey-provider is required"}
            )
        if (self.bearer(heard) or heard.headers.get("x-api-key")) != self.secret:
            raise Refused(*self.failures["auth"])
        if heard.headers.get("x-portkey-cache-force-refresh", "true") not in _BOOLEAN:
            raise Refused(*self.failures["bad request"])
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        status = "REFRESH" if "x-portkey-cache-force-refresh" in heard.headers else "DISABLED"
        return Said(said.status, (*said.headers, ("x-portkey-cache-status", status)), said.body, said.events)


class LiteLLM(Compatible):
    """Strict: the names of its configuration, and words about its cache that it knows, as it wants them."""

    paths = below("/v1", *OPENAI, "/messages")
    models = re.compile(r"[\w.-]+")
    probes = {"/health/liveliness": b'"I\'m alive!"'}  # noqa: RUF012
    failures = {  # noqa: RUF012
        "auth": (401, error("Authentication Error", "auth_error", "401"), ()),
        "bad request": (400, error("no"), ()),
        "model missing": (400, {"error": {"message": "/chat/completions: Invalid model name passed in model=x."}}, ()),
        "budget": (429, error("Budget has been exceeded!", "budget_exceeded", "429"), ()),
        "no deployment": (429, error("No deployments available for selected model", "None", "429"), ()),
        "down": (500, error("litellm.InternalServerError", "None", "500"), ()),
    }

    def check(self, heard: Heard, path: str) -> None:
        words = heard.body.get("cache", {})
        known = {"no-cache": bool, "no-store": bool, "ttl": int, "s-maxage": int, "namespace": str}
        if not all(type(value) is known.get(name) for name, value in words.items()) or (words and "messages" in path):
            raise Refused(*self.failures["bad request"])
