"""Groq under test."""

from edgeclient.lab.systems.groq import Groq

from ..cases import Case

CASES = {
    "groq": Case(
        "groq:",
        Groq,
        {"": "gpt-oss-20b"},
        {
            "auth": "ok", "bad request": "ok", "model missing": "model_missing", "decommissioned": "model_missing",
            "too long": "too_long",
            "too large": "too_long", "too many tokens": "throttled", "unprocessable": "ok", "failed dependency": "ok",
            "rate limit": "throttled", "flex capacity": "capacity", "down": "status",
        },
    ),
}  # fmt: skip
