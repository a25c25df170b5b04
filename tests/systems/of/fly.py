"""Fly.io under test: an app wherever it answers, and in one region by preference and by force."""

from edgeclient.lab.systems.fly import Fly

from ..cases import Case

_MODELS = {"": "llama-3.1-8b-instruct", "messages": "claude-sonnet-5", "embeddings": "bge-m3"}

CASES = {
    "fly": Case(
        "fly:my-app",
        Fly,
        _MODELS,
        {"auth": "ok", "rate limit": "throttled", "machine broke": "status", "no machine": "status"},
    ),
    "fly?regions": Case("fly:my-app?regions=fra", Fly, _MODELS, {}),
    "fly?pin": Case("fly:my-app?regions=sin&pin=on", Fly, _MODELS, {}),
}
