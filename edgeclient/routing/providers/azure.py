"""Azure OpenAI and Microsoft Foundry: deployments of one's own in one resource, by the v1 API; Claude by Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping

from ...values import Failure
from ..systems import Signal, System, vendor_of

_V1 = "learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle"
_CLAUDE = "anthropic 2.13, lib/foundry.py"


def _key_header(sdk: str, options: Mapping[str, str]) -> str:
    if options["auth"] == "token":
        return "authorization"
    return "x-api-key" if sdk == "anthropic" else "api-key"


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """The name as it was asked for: it is that of a deployment. Claude only in Anthropic's format."""
    return model if (vendor_of(model) == "anthropic") == (sdk == "anthropic") else None


SYSTEM = System(
    name="azure",
    what="Azure OpenAI and Microsoft Foundry: the deployments of one resource, and so of one region",
    spelling="azure:RESOURCE",
    url="https://{resource}.openai.azure.com/openai/v1",
    anthropic="https://{resource}.services.ai.azure.com/anthropic",
    key="env:AZURE_OPENAI_API_KEY",
    key_header=_key_header,
    options={"auth": '"key" (a key of the resource) or "token" (of Entra ID: give `key` a function that returns one)'},
    defaults={"auth": "key"},
    naming=_naming,
    signals=(
        Signal(
            Failure.MODEL_MISSING,
            (400, 404),
            "learn.microsoft.com/azure/ai-services/openai (error codes); from memory",
            says="DeploymentNotFound|unknown_model|model_not_found",
        ),
        Signal(Failure.STATUS, (408,), "learn.microsoft.com/azure/ai-services/openai (error codes); from memory"),
    ),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "messages", "responses"),
    sources=(_V1, _CLAUDE, "openai 3.57, lib/azure.py (api-key)"),
)
