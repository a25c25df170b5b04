"""Azure under test: with a key of the resource, and with a token of Entra ID."""

from edgeclient.lab.systems.azure import Azure

from ..cases import Case

_MODELS = {"": "gpt-6-luna", "messages": "claude-sonnet-5", "embeddings": "text-embedding-3-small"}

CASES = {
    "azure": Case(
        "azure:my-resource",
        Azure,
        _MODELS,
        {
            "too long": "too_long",
            "rate limit": "throttled", "no deployment": "model_missing", "filtered": "ok", "auth": "ok", "network": "ok",
            "timeout": "status", "internal": "status", "unavailable": "status",
        },
    ),
    "azure?auth=token": Case("azure:my-resource?auth=token", Azure, _MODELS, {}, set={"token": True}),
}  # fmt: skip
