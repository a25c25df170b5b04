"""OpenRouter under test: as it is, and with the names of an app."""

from edgeclient.lab.systems.openrouter import OpenRouter

from ..cases import Case

_MODELS = {"": "gpt-4o", "messages": "claude-sonnet-4-6", "embeddings": "text-embedding-3-small"}

CASES = {
    "openrouter": Case(
        "openrouter:",
        OpenRouter,
        _MODELS,
        {
            "too long": "too_long", "broken inside": "status", "rate limit inside": "throttled",
            "bad request": "ok", "model missing": "model_missing", "auth": "ok", "quota": "quota", "moderated": "ok",
            "no endpoints": "model_missing", "timeout": "status", "rate limit": "throttled", "model is down": "status",
            "no provider": "model_missing",
        },
    ),
    "openrouter?app": Case("openrouter:?referer=https://app.example.com&title=My+app", OpenRouter, _MODELS, {}),
}  # fmt: skip
