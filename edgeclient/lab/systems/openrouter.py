"""Emulates OpenRouter's OpenAI- and Anthropic-compatible paths."""

from __future__ import annotations

import re
from typing import Any

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below
from edgeclient.lab.systems.emulator import Headers


def _error(status: int, message: str, *headers: tuple[str, str]) -> tuple[int, dict[str, Any], Headers]:
    return status, {"error": {"code": status, "message": message}}, headers


class OpenRouter(Compatible):
    """Strict: names are `vendor/model`, and of Claude's with a dot."""

    knows = frozenset(
        {
            "http-referer", "x-openrouter-title", "x-title", "x-openrouter-categories", "x-openrouter-cache",
            "x-openrouter-cache-ttl", "x-openrouter-cache-clear",
        }
    )  # fmt: skip
    paths = below("/api/v1", *OPENAI, "/messages")
    models = re.compile(r"(?!anthropic/claude-[a-z]+-\d+-\d)[\w.-]+/[\w.-]+(:[a-z]+)?")
    probes = {"/api/v1/models": b'{"data":[]}'}  # noqa: RUF012
    failures = {  # noqa: RUF012
        "bad request": _error(400, "no"),
        "model missing": _error(400, "x/y is not a valid model ID"),
        "auth": _error(401, "No auth credentials found"),
        "quota": _error(402, "Insufficient credits"),
        "moderated": _error(403, "x requires moderation and your input was flagged"),
        "no endpoints": _error(404, "No endpoints found that support tool use."),
        "timeout": _error(408, "Your request timed out"),
        "rate limit": _error(429, "Rate limit exceeded", ("retry-after", "3")),
        "model is down": _error(502, "Provider returned error"),
        "no provider": _error(503, "There is no available model provider that meets your routing requirements"),
    }
