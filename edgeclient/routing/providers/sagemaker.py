"""Amazon SageMaker AI: a real-time endpoint of one's own, in one region, with a container that speaks OpenAI.

Two ways lead there: the OpenAI-compatible path, with a bearer token, and the native one (`path=native`), whose requests are
signed and whose streams come in AWS's own framing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...aws_signing import Signer
from ...aws_streams import FRAMES, ErrorSaid, Unframed
from ...aws_tokens import Token
from ...errors import SettingsError
from ...values import Call, Failure, Unwrapping
from .. import aws, families
from ..families import Likeness
from ..systems import Asked, Seal, Signal, System

_PAGE = "docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-openai-compatible"
_ERRORS = "botocore 1.44, sagemaker-runtime/2017-05-13 service-2.json"
_ONLY_CHAT = f"only /chat/completions is routed ({_PAGE})"


_LARGEST = 6_291_456  # bytes of a body (botocore: BodyBlob); containers and serverless endpoints may take less
_NATIVE = {  # options that only the native path has a header for
    "variant": "X-Amzn-SageMaker-Target-Variant",
    "session": "X-Amzn-SageMaker-Session-Id",
}


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    address = f"https://runtime.sagemaker.{{region}}.{aws.domain(options['region'])}/endpoints/{{endpoint}}"
    if _is_native(options):
        named = {**_NATIVE, "component": "X-Amzn-SageMaker-Inference-Component"}
        return {
            "url": address,
            "key": "none",
            "headers": [(header, f"{{{option}}}") for option, header in named.items()],
        }
    odd = next((option for option in _NATIVE if options.get(option)), None)
    if odd is not None:
        raise SettingsError(f"sagemaker: {odd} is for the native path; say path=native, or leave it out")
    part = "/inference-components/{component}" if options.get("component") else ""
    return {"url": f"{address}{part}/openai/v1"}


def _is_native(options: Mapping[str, str]) -> bool:
    if options["path"] not in ("openai", "native"):
        raise SettingsError(f"sagemaker: path is {options['path']!r}; give 'openai' or 'native'")
    return options["path"] == "native"


def _path(call: Call, options: Mapping[str, str]) -> str:
    if not _is_native(options):
        return call.path
    return "/invocations-response-stream" if call.streamed else "/invocations"


def _seal(options: Mapping[str, str]) -> Seal | None:
    return Signer("sagemaker", options["region"]) if _is_native(options) else None


def _unwrap(status: int, headers: Mapping[str, str], options: Mapping[str, str]) -> Unwrapping | None:
    if not _is_native(options):
        return None
    if status >= 400:
        return ErrorSaid(headers.get("x-amzn-errortype", ""))
    return Unframed() if headers.get("content-type", "").startswith(FRAMES) else None


def _cannot(call: Call, options: Mapping[str, str]) -> str | None:
    if _is_native(options) and "largest" not in options and call.size > _LARGEST:
        return f"it takes {_LARGEST} bytes at the most, and this request has {call.size}"
    return None


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """The model that the endpoint was said to serve, in any spelling; every one with `model=any`.

    Where nothing was said a call means it by its own name (or its component's), as other clients of SageMaker do.
    """
    served = options.get("model")
    if not served:
        return model if model == (options.get("component") or options["endpoint"]) else None
    if served in ("any", model):
        return model
    family = families.find(served)
    same = isinstance(family, families.Family) and family is families.find(model)
    return model if same and not any(map(_sold_instead, (served, model))) else None


def _sold_instead(spelling: str) -> bool:
    """True for the name of another revision than the published one."""
    published = families.Name("", Likeness.SAME_WEIGHTS)
    return families.likeness(spelling, published) is Likeness.SUBSTITUTE


def _no_name(asked: Asked) -> None:
    """The URL says the model; vLLM refuses a name that it was not started with, and takes an empty one."""
    asked.body["model"] = asked.options.get("name", "")


def _token(options: Mapping[str, str]) -> Callable[[], str]:
    return Token("sagemaker", options["region"])


SYSTEM = System(
    name="sagemaker",
    what="Amazon SageMaker AI: your own real-time endpoint in one region, with a container that speaks OpenAI",
    spelling="sagemaker:REGION/ENDPOINT",
    at=_at,
    token=_token,
    token_of="made of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`",
    key_header="authorization",
    options={
        "model": "the model that it serves, in any spelling; `any` when every name may mean it; else calls say the "
        "endpoint's own name, or its component's, as `model`",
        "component": "the inference component, where the endpoint has several",
        "name": "what to say as `model` there, when the container wants the name that it was started with",
        "path": '"openai" or "native": `/invocations`, signed by botocore with the credentials that it finds',
        "variant": "the production variant, on the native path",
        "session": "the id of a stateful session, on the native path",
        "largest": f"bytes of a request; {_LARGEST} on the native path",
    },
    defaults={"path": "openai"},
    rules=(_no_name,),
    path=_path,
    seal=_seal,
    unwrap=_unwrap,
    cannot=_cannot,
    naming=_naming,
    signals=(
        *aws.named(Failure.COLD, 429, "ModelNotReadyException", _ERRORS),
        Signal(
            Failure.COLD,
            (400,),
            "the SageMaker AI client of stdapi.ai: measured by others at an endpoint that is scaled to zero",
            says=r"(?i)(inference component|endpoint)[^.]*has no capacity",
        ),
        Signal(
            Failure.TOO_LONG,
            (424,),
            f"{_ERRORS}; github.com/vllm-project/vllm/issues/20409",
            says="maximum context length",
        ),
        Signal(Failure.STATUS, (424,), _ERRORS, says=r'(?i)received server error|"OriginalStatusCode":\s*5'),
        Signal(
            Failure.THROTTLED, (424,), _ERRORS, says=r'(?i)received client error \(429\)|"OriginalStatusCode":\s*429'
        ),
    ),
    speaks=("chat", "stream", "tools", "schema"),
    lacks={"embeddings": _ONLY_CHAT, "responses": _ONLY_CHAT, "messages": _ONLY_CHAT},
    sources=(
        _PAGE,
        _ERRORS,
        "sagemaker-core 2.27, token_generator.py",
        "docs.continue.dev/customize/model-providers/more/sagemaker (an endpoint's name as the model)",
        "docs.getbifrost.ai/providers/supported-providers/sagemaker (an empty model)",
        "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint",
        "docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointWithResponseStream",
    ),
)
