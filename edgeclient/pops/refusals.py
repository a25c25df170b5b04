"""Tells a provider's refusal to serve the place that a PoP is at from other answers. Pure.

The nearest PoP can be the wrong one: a provider that does not serve Hong Kong refuses what a gateway there sends on. Each
rule is what a provider is known to say, and names where it was seen.
"""

from __future__ import annotations

_SAID: tuple[tuple[int, bytes], ...] = (
    (403, b"unsupported_country_region_territory"),  # OpenAI: home-assistant/core#120072, continuedev/continue#11449
    (
        400,
        b"User location is not supported for the API use",
    ),  # Google: google-gemini/gemini-cli#24641, langchain-google#930
)
_HEAD = 4096  # bytes that are looked at: such answers are short
STATUSES = frozenset(status for status, _ in _SAID)


def by_region(status: int, body: bytes) -> bool:
    """True when an answer says that the caller, which is the PoP, is somewhere the provider does not serve."""
    head = body[:_HEAD]
    return any(status == said and words in head for said, words in _SAID)
