"""SageMaker under test: an endpoint with one model, a component whose container wants a name, and the native path of both."""

from edgeclient.lab.systems.sagemaker import SageMaker
from edgeclient.lab.systems.sagemaker_native import SageMakerNative

from ..cases import Case

_OUTCOMES = {
    "not ready": "cold", "scaled to zero": "cold", "the container failed": "status", "the container refused": "ok",
    "too long": "too_long",
    "dependency": "status", "internal": "status", "unavailable": "status", "invalid": "ok", "auth": "ok",
}  # fmt: skip

CASES = {
    "sagemaker": Case(
        "sagemaker:eu-central-1/llama-small?model=llama-3.1-8b-instruct",
        SageMaker,
        {"": "@cf/meta/llama-3.1-8b-instruct"},
        _OUTCOMES,
    ),
    "sagemaker?component": Case(
        "sagemaker:eu-central-1/shared?model=any&component=qwen&name=Qwen/Qwen3-8B",
        SageMaker,
        {"": "qwen3-8b"},
        {},
        set={"names": ("Qwen/Qwen3-8B",)},
    ),
    "sagemaker?path=native": Case(
        "sagemaker:eu-central-1/llama-small?model=llama-3.1-8b-instruct&path=native",
        SageMakerNative,
        {"": "@cf/meta/llama-3.1-8b-instruct"},
        {**_OUTCOMES, "throttled": "throttled", "the container is full": "throttled", "signature": "ok"},
        key=None,
    ),
    "sagemaker?path=native&component": Case(
        "sagemaker:eu-central-1/shared?model=any&component=qwen&path=native&variant=blue&session=s-1",
        SageMakerNative,
        {"": "qwen3-8b"},
        {},
        set={"streams": "lines"},
        key=None,
    ),
}
