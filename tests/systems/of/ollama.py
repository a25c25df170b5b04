"""Ollama under test."""

from edgeclient.lab.systems.ollama import Ollama

from ..cases import Case

CASES = {
    "ollama": Case(
        "ollama:",
        Ollama,
        {"": "llama-3.1-8b-instruct", "embeddings": "bge-m3"},
        {
            "bad request": "ok", "model missing": "model_missing", "queue full": "capacity",
            "does not fit": "model_missing", "down": "status",
        },
    ),
}  # fmt: skip
