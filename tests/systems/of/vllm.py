"""vLLM under test, with the name that it serves."""

from edgeclient.lab.systems.vllm import VLLM

from ..cases import Case

CASES = {
    "vllm": Case(
        "vllm:?model=local-model",
        VLLM,
        {"": "local-model"},
        {
            "auth": "ok", "bad request": "ok", "too long": "too_long", "model missing": "model_missing",
            "down": "status",
        },
    ),
}  # fmt: skip
