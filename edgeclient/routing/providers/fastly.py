"""Fastly AI Accelerator: a proxy at Fastly's PoPs in front of one API, with a semantic cache that is Fastly's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...values import Failure
from ..systems import Signal, System, only_of

_GUIDE = "fastly.com/documentation/guides/platform/about-the-ai-accelerator-page"
_BETA = "community.fastly.com/t/2723 (the announcement of the beta)"


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    """In front of OpenAI, or of an API like it."""
    if "llm" in options:
        return {"url": "https://ai.fastly.app/compat/openai/{llm}", "route": None}
    return {"url": "https://ai.fastly.app/api.openai.com/v1", "key": "env:OPENAI_API_KEY"}


def _naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    return model if "llm" in options else only_of("openai")(model, sdk, options)


SYSTEM = System(
    name="fastly",
    what="Fastly AI Accelerator: a semantic cache at the edge in front of OpenAI or an API like it",
    spelling="fastly:",
    at=_at,
    key_header="authorization",
    route="gateway",
    options={
        "token": 'a read-only token of Fastly: "env:NAME"',
        "llm": "host and path of another API that is like OpenAI's, without https://",
    },
    defaults={"token": "env:FASTLY_API_TOKEN"},
    headers=(("Fastly-Key", "{token}"),),
    naming=_naming,
    signals=(Signal(Failure.THROTTLED, (429,), "platform.openai.com/docs/guides/error-codes (OpenAI's, passed on)"),),
    speaks=("chat", "stream", "tools", "schema", "embeddings", "responses"),
    lacks={"messages": f"no Anthropic path is documented ({_GUIDE})"},
    opaque_cache=True,  # no header that turns it off is documented
    sources=(_GUIDE, f"{_BETA}: only chat completions are cached, other calls pass"),
)
