"""Fireworks AI under test."""

from edgeclient.lab.systems.fireworks import Fireworks

from ..cases import Case

CASES = {
    "fireworks": Case(
        "fireworks:",
        Fireworks,
        {"": "gpt-oss-20b", "embeddings": "nomic-embed-text-v1.5"},
        {
            "auth": "ok", "bad request": "ok", "quota": "quota", "forbidden": "ok", "model missing": "model_missing",
            "method": "ok", "timeout": "status", "suspended": "quota", "too large": "too_long", "rate limit": "throttled",
            "down": "status", "overloaded": "capacity",
        },
    ),
}  # fmt: skip
