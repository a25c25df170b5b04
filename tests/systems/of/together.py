"""Together AI under test."""

from edgeclient.lab.systems.together import Together

from ..cases import Case

CASES = {
    "together": Case(
        "together:",
        Together,
        {"": "gpt-oss-20b", "embeddings": "bge-base-en-v1.5"},
        {
            "too long": "too_long",
            "auth": "ok", "bad request": "ok", "quota": "quota", "too many tokens": "too_long",
            "model missing": "model_missing",
            "rate limit": "throttled", "down": "status", "overloaded": "capacity",
        },
    ),
}  # fmt: skip
