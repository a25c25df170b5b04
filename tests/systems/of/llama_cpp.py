"""llama.cpp's server under test, with the model that it was started with."""

from edgeclient.lab.systems.llama_cpp import LlamaCpp

from ..cases import Case

CASES = {
    "llama-cpp": Case(
        "llama-cpp:?model=Llama-3.1-8B-Instruct-Q4_K_M.gguf",
        LlamaCpp,
        {"": "Llama-3.1-8B-Instruct-Q4_K_M.gguf"},
        {
            "auth": "ok", "bad request": "ok", "too long": "too_long", "model missing": "ok",
            "no embeddings": "model_missing", "loading": "cold", "down": "status",
        },
    ),
}  # fmt: skip
