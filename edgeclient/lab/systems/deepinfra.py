"""Emulates DeepInfra's OpenAI- and Anthropic-compatible paths."""

from __future__ import annotations

import re

from edgeclient.lab.systems.compatible import Compatible, below, error


class DeepInfra(Compatible):
    """Strict: names are those of the Hugging Face Hub."""

    paths = {  # noqa: RUF012
        **below("/v1/openai", "/chat/completions", "/embeddings"), **below("/anthropic/v1", "/messages")
    }  # fmt: skip
    models = re.compile(r"[\w.-]+/[\w.-]+")
    failures = {  # noqa: RUF012
        "auth": (401, error("Not authenticated"), ()),
        "quota": (402, {"detail": {"error": "inference prohibited, please top up your balance"}}, ()),
        "model missing": (404, {"detail": {"error": "Model x does not exist"}}, ()),
        "bad request": (422, {"detail": [{"loc": ["body"], "msg": "no", "type": "value_error"}]}, ()),
        "rate limit": (429, {"detail": {"error": "Rate limited"}}, ()),
        "busy": (429, {"detail": {"error": "Model busy, retry later"}}, ()),
        "down": (500, {"detail": {"error": "internal error"}}, ()),
    }
