"""Bedrock under test: at bedrock-runtime and at bedrock-mantle, Claude at either, and with an inference profile."""

from edgeclient.lab.systems.bedrock import Bedrock

from ..cases import Case

_MODELS = {"": "gpt-oss-20b", "messages": "claude-sonnet-5"}

CASES = {
    "bedrock": Case(
        "bedrock:eu-central-1",
        Bedrock,
        _MODELS,
        {
            "throttled": "throttled", "not ready": "cold", "quota": "quota", "timeout": "status", "model error": "status",
            "model missing": "model_missing", "no form": "model_missing", "unknown id": "model_missing",
            "no access": "model_missing",
            "too long": "too_long",
            "wrong route": "model_missing", "invalid": "ok", "auth": "ok", "internal": "status", "unavailable": "status",
        },
    ),
    "bedrock?via=mantle": Case(
        "bedrock:eu-central-1?via=mantle&messages=mantle", Bedrock, _MODELS, {}, set={"mantle": ("/v1", "/anthropic")}
    ),
    "bedrock?messages=runtime": Case(
        "bedrock:eu-central-1?messages=runtime&profile=eu", Bedrock, _MODELS, {}, set={"mantle": ("/nowhere",)}
    ),
}  # fmt: skip
