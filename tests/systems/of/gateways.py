"""Gateways in front of providers under test: Helicone, Portkey, LiteLLM's proxy."""

from edgeclient.lab.systems.gateways import Helicone, LiteLLM, Portkey

from ..cases import Case

_MODELS = {"": "gpt-6-luna", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"}

CASES = {
    "helicone": Case(
        "helicone:?token=env:GATEWAY_TOKEN",
        Helicone,
        _MODELS,
        {"auth": "ok", "bad request": "ok", "rate limit": "throttled", "down": "status"},
    ),
    "helicone?gateway": Case(
        "helicone:?via=gateway&cache=true",
        Helicone,
        _MODELS,
        {},
        set={"token": ""},
        lacks={"messages": "its pages show OpenAI's API only (docs.helicone.ai/gateway/overview)"},
    ),
    "portkey": Case(
        "portkey:?token=env:GATEWAY_TOKEN&provider=openai&namespace=team-a",
        Portkey,
        _MODELS,
        {"auth": "ok", "bad request": "ok", "budget": "quota", "rate limit": "throttled", "down": "status"},
    ),
    "litellm": Case(
        "litellm:",
        LiteLLM,
        _MODELS,
        {
            "auth": "ok", "bad request": "ok", "model missing": "model_missing", "budget": "quota",
            "no deployment": "capacity", "down": "status",
        },
    ),
}  # fmt: skip
