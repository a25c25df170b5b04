"""Emulates Together AI's OpenAI-compatible paths."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import Compatible, below, error
from edgeclient.lab.systems.emulator import Heard, Refused


class Together(Compatible):
    """Strict: names are `maker/model`, and embeddings know neither `user` nor `dimensions`."""

    paths = below("/v1", "/chat/completions", "/embeddings")
    models = re.compile(r"[\w.-]+/[\w.-]+")
    failures = {  # noqa: RUF012
        "auth": (401, error("Invalid API key provided", code="invalid_api_key"), ()),
        "bad request": (400, error("no"), ()),
        "quota": (402, error("You have reached your monthly spending limit", "credit_limit"), ()),
        "too many tokens": (403, error("Input token count + max_tokens must be less than the context length"), ()),
        "too long": (422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193"), ()),
        "model missing": (404, error("Unable to access model x", code="model_not_available"), ()),
        "rate limit": (429, error("Too many requests", "rate_limit", "rate_limit"), ()),
        "down": (500, error("Unknown server error", "server_error"), ()),
        "overloaded": (503, error("Engine overloaded", "service_unavailable"), ()),
    }  # fmt: skip

    def check(self, heard: Heard, path: str) -> None:
        odd = {"user", "dimensions"} & {*heard.body} if path == "/v1/embeddings" else ()
        if odd:
            raise Refused(400, error(f"Unrecognized request arguments supplied: {', '.join(odd)}"))
