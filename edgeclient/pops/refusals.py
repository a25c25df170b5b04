"""Tells refusals that any endpoint may pass on from a provider behind it, and that others would not say. Pure.

The nearest PoP can be the wrong one: a provider that does not serve Hong Kong refuses what a gateway there sends on, and a
small context is too short for what a larger one takes. Each rule is what a provider is known to say, and names where it was
seen. What only one product says is with the product, in `routing/providers/`.
"""

from __future__ import annotations

from ..values import Failure

SAID: tuple[tuple[Failure, int, bytes, str], ...] = (  # what it means, the status, words of the body, where it was seen
    (
        Failure.REGION,
        403,
        b"unsupported_country_region_territory",
        "home-assistant/core#120072, continuedev/continue#11449",
    ),
    (
        Failure.REGION,
        400,
        b"User location is not supported for the API use",
        "google-gemini/gemini-cli#24641, langchain-google#930",
    ),
    (Failure.TOO_LONG, 400, b"context_length_exceeded", "OpenAI and Groq: letta-ai/letta#1963, himanushi/chat-code#17"),
    (Failure.TOO_LONG, 400, b"maximum context length", "vLLM and hosts that run it: vllm-project/vllm#20409"),
    (Failure.TOO_LONG, 400, b"prompt is too long", "Anthropic: anthropics/claude-code#12186"),
    (Failure.TOO_LONG, 413, b"", "RFC 9110, 15.5.14"),
)
_HEAD = 4096  # bytes that are looked at: such answers are short
STATUSES = frozenset(status for _, status, _, _ in SAID)


def refusal(status: int, body: bytes) -> Failure | None:
    """What a refusal means: the place that the PoP is at is not served, or the request is too long there; else None."""
    head = body[:_HEAD]
    return next((failure for failure, said, words, _ in SAID if status == said and words in head), None)
