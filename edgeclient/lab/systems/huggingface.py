"""Emulates the router of Hugging Face Inference Providers."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import Compatible, below, error

_CREDITS = "You have exceeded your monthly included credits for Inference Providers."
_NO_PROVIDER = "The requested model 'x' is not supported by any provider you have enabled."


class HuggingFace(Compatible):
    """Strict: names are those of the Hub, perhaps with a policy or a provider behind a colon."""

    knows = frozenset({"x-hf-bill-to"})
    paths = below("/v1", "/chat/completions", "/responses", "/messages")
    models = re.compile(r"[\w.-]+/[\w.-]+(:(fastest|cheapest|preferred|[a-z-]+))?")
    probes = {"/v1/models": b'{"object":"list","data":[]}'}  # noqa: RUF012
    failures = {  # noqa: RUF012
        "auth": (401, {"error": "Invalid username or password."}, ()),
        "quota": (402, {"error": _CREDITS}, ()),
        "forbidden": (403, {"error": "This authentication method does not have sufficient permissions"}, ()),
        "model missing": (400, error(_NO_PROVIDER, code="model_not_supported"), ()),
        "bad request": (422, error("no"), ()),
        "rate limit": (429, error("Too many requests"), ()),
        "down": (503, error("the provider is unavailable"), ()),
    }
