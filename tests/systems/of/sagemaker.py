"""SageMaker under test: an endpoint with one model, and an inference component whose container wants a name."""

from edgeclient.lab.systems.sagemaker import SageMaker

from ..cases import Case

CASES = {
    "sagemaker": Case(
        "sagemaker:eu-central-1/llama-small?model=llama-3.1-8b-instruct",
        SageMaker,
        {"": "@cf/meta/llama-3.1-8b-instruct"},
        {
            "not ready": "cold", "scaled to zero": "cold", "the container failed": "status", "the container refused": "ok",
            "too long": "too_long",
            "dependency": "status", "internal": "status", "unavailable": "status", "invalid": "ok", "auth": "ok",
        },
    ),
    "sagemaker?component": Case(
        "sagemaker:eu-central-1/shared?model=any&component=qwen&name=Qwen/Qwen3-8B",
        SageMaker,
        {"": "qwen3-8b"},
        {},
        set={"names": ("Qwen/Qwen3-8B",)},
    ),
}  # fmt: skip
