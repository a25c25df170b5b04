"""Which dialect a request speaks, by its method and path."""

from __future__ import annotations

from ..values import Dialect
from .anthropic_messages import AnthropicMessages
from .openai_chat import OpenAIChat
from .openai_embeddings import OpenAIEmbeddings
from .openai_responses import OpenAIResponses

_BY_ENDING: tuple[tuple[str, str, Dialect], ...] = (
    ("/chat/completions", "openai", OpenAIChat()),
    ("/responses", "openai", OpenAIResponses()),
    ("/embeddings", "openai", OpenAIEmbeddings()),
    ("/messages", "anthropic", AnthropicMessages()),
)


def dialect_of(method: str, path: str) -> tuple[str, Dialect] | None:
    """The SDK family and the dialect of a request to `path`; None when it is none of ours (files, batches, audio ...)."""
    if method != "POST":
        return None
    for ending, sdk, dialect in _BY_ENDING:
        if path.endswith(ending):
            return sdk, dialect
    return None
