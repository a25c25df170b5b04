"""Emulates llama.cpp's server, started with `--jinja --embeddings --api-key`."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below
from edgeclient.lab.systems.emulator import Heard, Refused, Said

_CONTEXT = "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it"


def _error(code: int, message: str, kind: str) -> tuple[int, dict[str, object], tuple[()]]:
    return code, {"error": {"code": code, "message": message, "type": kind}}, ()


class LlamaCpp(Compatible):
    """Strict in one thing more than the server: it refuses other names than its model's, which the server would answer."""

    paths = below("/v1", *OPENAI, "/messages")
    models = re.compile(r"Llama-3\.1-8B-Instruct-Q4_K_M\.gguf")
    failures = {  # noqa: RUF012
        "auth": _error(401, "Invalid API Key", "authentication_error"),
        "bad request": _error(400, "no", "invalid_request_error"),
        "too long": _error(400, _CONTEXT, "exceed_context_size_error"),
        "model missing": _error(400, "emulator: it has one model, and would answer with that", "emulator"),
        "no embeddings": _error(501, "This server does not support embeddings.", "not_supported_error"),
        "loading": _error(503, "Loading model", "unavailable_error"),
        "down": _error(500, "no", "server_error"),
    }

    loading = False

    def check_key(self, heard: Heard) -> None:
        if self.bearer(heard) != self.secret and heard.headers.get("x-api-key") != self.secret:
            raise Refused(*self.failures["auth"])

    def probed(self, heard: Heard) -> Said:
        if heard.path == "/health" and not self.loading:
            return Said(200, (("content-type", "application/json"),), b'{"status":"ok"}')
        raise Refused(*self.failures["loading" if heard.path == "/health" else "bad request"])
