"""Amazon Bedrock: models of many makers in one region, by OpenAI's API, and Claude by Anthropic's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...aws_tokens import Token
from ...values import Failure
from .. import aws
from ..systems import Signal, System, either, listed_as

_ENDPOINTS = "docs.aws.amazon.com/bedrock/latest/userguide/endpoints"
_MESSAGES = "docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api"
_TROUBLE = "docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes"
_ERRORS = "botocore 1.44, bedrock-runtime/2023-09-30 service-2.json"
_MAKERS = (
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "meta", "minimax", "mistral", "moonshot", "moonshotai",
    "nvidia", "openai", "qwen", "writer", "zai",
)  # fmt: skip
_ID = re.compile(rf"((us|us-gov|eu|apac|jp|au|global)\.)?({'|'.join(_MAKERS)})\.[\w.:-]+")
_BUILD = re.compile(r"(-\d{8})?-(v?\d+:\d+|v\d+)$")  # -20250929-v1:0, -1:0: names at bedrock-mantle have none


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    runtime = f"https://bedrock-runtime.{{region}}.{aws.domain(options['region'])}"
    mantle = "https://bedrock-mantle.{region}.api.aws"
    prefix = "/openai" if options["via"] == "mantle-openai" else ""
    return {
        "url": f"{runtime}/openai/v1" if options["via"] == "runtime" else f"{mantle}{prefix}/v1",
        "anthropic": f"{runtime if options['messages'] == 'runtime' else mantle}/anthropic",
    }


def _own_id(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    return model if _ID.fullmatch(model) else None


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """The catalogue's name, or an id of Bedrock's as it is. Claude only to those who ask in Anthropic's format."""
    there = either(_own_id, listed_as("bedrock"))(model, sdk, options)
    if there is None or ("anthropic." in there) != (sdk == "anthropic"):
        return None
    if options["messages" if sdk == "anthropic" else "via"] != "runtime":
        return _BUILD.sub("", there)
    profile = options.get("profile", "")
    return f"{profile}.{there}" if profile and there.split(".")[0] in _MAKERS else there


def _token(options: Mapping[str, str]) -> Callable[[], str]:
    return Token("bedrock", options["region"], instead="AWS_BEARER_TOKEN_BEDROCK")


_OF_MESSAGES = f"{_MESSAGES}; openai 3.57, providers/bedrock.py; anthropic 2.13, lib/bedrock/_mantle.py"
_NAMED = (
    (Failure.THROTTLED, 429, "ThrottlingException"),
    (Failure.COLD, 429, "ModelNotReadyException"),
    (Failure.QUOTA, 400, "ServiceQuotaExceededException"),
    (Failure.STATUS, 408, "ModelTimeoutException"),
    (Failure.STATUS, 424, "ModelErrorException"),
    (Failure.MODEL_MISSING, 404, "ResourceNotFoundException"),
)

SYSTEM = System(
    name="bedrock",
    what="Amazon Bedrock in one region: many makers' models by OpenAI's API, Claude by Anthropic's",
    spelling="bedrock:REGION",
    at=_at,
    key="env:AWS_BEARER_TOKEN_BEDROCK",
    token=_token,
    token_of="`AWS_BEARER_TOKEN_BEDROCK`, or made of `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`",
    key_header="authorization",
    options={
        "via": 'OpenAI\'s API: "runtime" (bedrock-runtime, which AWS recommends), "mantle" (bedrock-mantle, /v1) or '
        '"mantle-openai" (bedrock-mantle, /openai/v1, where some models are instead)',
        "messages": 'Anthropic\'s API: "mantle" (bedrock-mantle) or "runtime" (bedrock-runtime)',
        "profile": 'the inference profile that goes before ids at bedrock-runtime: "eu", "us", "apac", "global", ...',
    },
    defaults={"via": "runtime", "messages": "mantle"},
    naming=_naming,
    signals=(
        *(signal for failure, status, error in _NAMED for signal in aws.named(failure, status, error, _ERRORS)),
        *aws.named(Failure.MODEL_MISSING, 404, "FTUFormNotFilled", _TROUBLE),  # Anthropic's form was not filled in
        Signal(
            Failure.MODEL_MISSING,
            (400, 404),
            "docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api",
            says="isn't supported on this route",
        ),
        Signal(
            Failure.MODEL_MISSING,
            (400,),
            f"{_TROUBLE}; the words are from memory",
            says="model identifier is invalid",
        ),
        Signal(
            Failure.TOO_LONG,
            (400,),
            "github.com/aws-samples/bedrock-chat/issues/95",
            says="Input is too long for requested model",
        ),
        Signal(
            Failure.MODEL_MISSING,
            (403,),
            f"{_TROUBLE}; the words are from memory",
            says="access to the model with the specified model ID",
        ),
    ),
    speaks=("chat", "stream", "tools", "schema", "messages", "responses"),
    lacks={"embeddings": f"no OpenAI-compatible path at either endpoint ({_ENDPOINTS}); only InvokeModel"},
    sources=(
        _ENDPOINTS,
        "docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api",
        _OF_MESSAGES,
        _ERRORS,
        "aws-bedrock-token-generator 1.1.0",
    ),
)
