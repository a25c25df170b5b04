"""DeepInfra under test."""

from edgeclient.lab.systems.deepinfra import DeepInfra

from ..cases import Case

CASES = {
    "deepinfra": Case(
        "deepinfra:",
        DeepInfra,
        {"": "llama-3.3-70b-instruct"},
        {
            "auth": "ok", "quota": "quota", "model missing": "model_missing", "bad request": "ok",
            "rate limit": "throttled", "busy": "capacity", "down": "status",
        },
        lacks={"embeddings": "the catalogue knows no embedding model's name there; say it in `models`"},
    ),
}  # fmt: skip
