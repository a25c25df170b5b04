"""What emulators of products share that speak OpenAI's API, and perhaps Anthropic's, below folders of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard, Refused, Said, by_the_api

OPENAI = ("/chat/completions", "/embeddings", "/responses")


def below(folder: str, *paths: str) -> dict[str, str]:
    """The product's paths in a folder, each with the API's path that it stands for."""
    return {f"{folder}{path}": f"/v1{path}" for path in paths}


def error(message: str, kind: str = "invalid_request_error", code: str | int | None = None) -> dict[str, Any]:
    """An error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class Compatible(Emulator):
    """Strict: its own paths, a bearer's token, its own names of models. `failures` has "auth" and "model missing"."""

    paths: Mapping[str, str] = {}
    models = re.compile("")  # of the names that it knows
    probes: Mapping[str, bytes] = {}  # path -> what a GET without a key gets
    ends: tuple[tuple[str, str], ...] = ()  # headers of every answer

    def answer(self, heard: Heard) -> Said:
        path = self.paths.get(heard.path)
        if path is None:
            raise Refused(404, error(f"Unknown request URL: {heard.method} {heard.path}", code="unknown_url"))
        self.check_key(heard)
        self.check(heard, path)
        if not self.models.fullmatch(str(heard.body.get("model", ""))):
            raise Refused(*self.failures["model missing"])
        return by_the_api(heard, path)

    def check_key(self, heard: Heard) -> None:
        if heard.headers.get("authorization") != f"Bearer {self.secret}" or "x-api-key" in heard.headers:
            raise Refused(*self.failures["auth"])

    def check(self, heard: Heard, path: str) -> None:
        """What else the product wants; raises Refused."""

    def probed(self, heard: Heard) -> Said:
        if heard.path in self.probes:
            return Said(200, (("content-type", "application/json"),), self.probes[heard.path])
        return super().probed(heard)

    def named(self, said: Said, heard: Heard) -> Said:
        return Said(said.status, (*said.headers, *self.ends), said.body, said.events)
