"""Workers AI under test."""

from edgeclient.lab.systems.workers_ai import WorkersAI

from ..cases import Case

CASES = {
    "workers-ai": Case(
        "workers-ai:acc123",
        WorkersAI,
        {"": "llama-3.1-8b-instruct", "embeddings": "bge-m3", "responses": "gpt-oss-20b"},
        {
            "quota": "quota", "capacity": "capacity", "model missing": "model_missing", "timeout": "status",
            "auth": "ok", "bad request": "ok", "too long": "too_long", "too large": "too_long", "terms": "ok",
        },
    ),
}  # fmt: skip
