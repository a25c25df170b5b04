"""Emulates Fly.io's proxy in front of a user's app that passes on what it gets."""

from __future__ import annotations

import re

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

_REGIONS = re.compile(r"[a-z]{2,4}(,[a-z]{2,4})*")


class Fly(Emulator):
    """Strict: region codes in the headers that choose one, never both headers; a key of the app's own."""

    knows = frozenset({"fly-prefer-region", "fly-force-region", "cache-control"})
    pop = "fra"
    failures = {  # noqa: RUF012
        "auth": (401, {"error": {"message": "no", "type": "authentication_error"}}, ()),
        "rate limit": (429, {"error": {"message": "slower", "type": "rate_limit_error"}}, (("retry-after", "7"),)),
        "machine broke": (502, "", ()),
        "no machine": (503, "", ()),
    }

    machines = ("fra", "sin")  # regions that have one

    def answer(self, heard: Heard) -> Said:
        said = [heard.headers[name] for name in ("fly-prefer-region", "fly-force-region") if name in heard.headers]
        if len(said) > 1 or not all(_REGIONS.fullmatch(value) for value in said):
            raise Refused(400, {"error": {"message": "emulator: one header of region codes"}})
        forced = heard.headers.get("fly-force-region")
        if forced is not None and not {*forced.split(",")} & {*self.machines}:
            raise Refused(*self.failures["no machine"])
        if (self.bearer(heard) or heard.headers.get("x-api-key")) != self.secret:
            raise Refused(*self.failures["auth"])
        return by_the_api(heard, heard.path)

    def named(self, said: Said, heard: Heard) -> Said:
        more = (("fly-request-id", "01HZX3Y4Z5A6B7C8D9E0F1G2H3-fra"), ("via", "1.1 fly.io"))
        return Said(said.status, (*said.headers, *more), said.body, said.events)
