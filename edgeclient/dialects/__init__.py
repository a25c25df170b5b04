"""Which dialect a request speaks, by its method and path."""

from __future__ import annotations

from ..values import Dialect
from .anthropic_messages import AnthropicMessages
from .asides import AnthropicCountTokens, OpenAIInputTokens, OpenAIModerations
from .openai_chat import OpenAIChat
from .openai_embeddings import OpenAIEmbeddings
from .openai_responses import OpenAIResponses

_Endings = tuple[tuple[str, str, Dialect], ...]
_ROUTED: _Endings = (
    ("/chat/completions", "openai", OpenAIChat()),
    ("/responses", "openai", OpenAIResponses()),
    ("/embeddings", "openai", OpenAIEmbeddings()),
    ("/messages", "anthropic", AnthropicMessages()),
)
_ASIDES: _Endings = (
    ("/moderations", "openai", OpenAIModerations()),
    ("/responses/input_tokens", "openai", OpenAIInputTokens()),
    ("/messages/count_tokens", "anthropic", AnthropicCountTokens()),
)


def dialect_of(method: str, path: str) -> tuple[str, Dialect] | None:
    """The SDK family and the dialect of a request to `path`; None when it is none of ours (files, batches, audio ...)."""
    return _found(_ROUTED, method, path)


def aside_of(method: str, path: str) -> tuple[str, Dialect] | None:
    """The same for requests that a cache may answer, and that no endpoint takes but the client's own origin."""
    return _found(_ASIDES, method, path)


def _found(endings: _Endings, method: str, path: str) -> tuple[str, Dialect] | None:
    if method != "POST":
        return None
    for ending, sdk, dialect in endings:
        if path.endswith(ending):
            return sdk, dialect
    return None
