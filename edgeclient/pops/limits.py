"""What an answer's headers say about asking again: pauses, rate limits, and how long the model took. Pure."""

from __future__ import annotations

import email.utils
import re
from datetime import datetime

from ..values import Reply

_LIMITS = (  # how many requests are left, and when there are more: as a duration ("1m2.5s", "20ms"), or as a time of RFC 3339
    (b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    (b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"),
    (b"anthropic-ratelimit-requests-remaining", b"anthropic-ratelimit-requests-reset"),
    (b"anthropic-ratelimit-tokens-remaining", b"anthropic-ratelimit-tokens-reset"),
)
_PARTS = re.compile(r"([0-9.]+)(ms|[hms])")
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def exhausted_s(reply: Reply, wall_s: float) -> float | None:
    """For how many seconds an endpoint that has just answered has nothing left to give; None while it has."""
    named = reply.named
    for remaining, reset in _LIMITS:
        if named.get(remaining) == b"0":
            return _until_s(reply.header(reset), wall_s)
    return None


def _until_s(said: str, wall_s: float) -> float | None:
    parts = _PARTS.findall(said) if _PARTS.sub("", said) == "" else []
    try:
        if parts:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        at = datetime.fromisoformat(said.replace("Z", "+00:00"))
    except ValueError:
        return None
    return max(0.0, at.timestamp() - wall_s) if at.tzinfo is not None else None  # without a zone it is no time


def processing_s(reply: Reply) -> float | None:
    """How long the server says that the model took, in seconds; None when it does not say."""
    said = reply.named.get(b"openai-processing-ms")
    if said is None:
        return None
    try:
        return max(0.0, float(said) / 1e3)
    except ValueError:
        return None


def retry_after_s(reply: Reply, wall_s: float) -> float | None:
    """The pause an answer asks for, in seconds: `retry-after-ms`, or `Retry-After` as seconds or as a date."""
    for name, unit in ((b"retry-after-ms", 1e-3), (b"x-ms-retry-after-ms", 1e-3), (b"retry-after", 1.0)):
        said = reply.header(name)
        if said:
            try:
                return max(0.0, float(said) * unit)
            except ValueError:
                pass
            try:
                return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - wall_s)
            except (ValueError, TypeError):
                return None
    return None
