"""Emulates Fireworks AI's OpenAI- and Anthropic-compatible paths."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import OPENAI, Compatible, below, error


class Fireworks(Compatible):
    """Strict: names are `accounts/.../models/...`, but for embeddings; the key is a bearer's in both APIs."""

    paths = below("/inference/v1", *OPENAI, "/messages")
    models = re.compile(r"accounts/[\w-]+/(models|routers)/[\w.-]+|nomic-ai/[\w.-]+")
    failures = {  # noqa: RUF012
        "auth": (401, error("Unauthorized", code="UNAUTHORIZED"), ()),
        "bad request": (400, error("no"), ()),
        "quota": (402, error("Payment Required"), ()),
        "forbidden": (403, error("Forbidden"), ()),
        "model missing": (404, error("Model not found, inaccessible, and/or not deployed", code="NOT_FOUND"), ()),
        "method": (405, error("Method Not Allowed"), ()),
        "timeout": (408, error("Request Timeout"), ()),
        "suspended": (412, error("Account is suspended", code="PRECONDITION_FAILED"), ()),
        "too large": (413, error("Payload Too Large"), ()),
        "rate limit": (429, error("Too Many Requests"), ()),
        "down": (502, error("Bad Gateway"), ()),
        "overloaded": (503, error("Service Unavailable"), ()),
    }  # fmt: skip
