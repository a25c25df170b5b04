"""Cerebras Inference under test."""

from edgeclient.lab.systems.cerebras import Cerebras

from ..cases import Case

CASES = {
    "cerebras": Case(
        "cerebras:",
        Cerebras,
        {"": "gpt-oss-120b"},
        {
            "too long": "too_long",
            "auth": "ok", "bad request": "ok", "quota": "quota", "forbidden": "ok", "model missing": "model_missing",
            "unprocessable": "ok", "rate limit": "throttled", "queue": "capacity", "down": "status",
        },
    ),
}  # fmt: skip
