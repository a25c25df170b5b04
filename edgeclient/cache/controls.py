"""What a caller may say about caching for one call: request directives of RFC 9111 (5.2.1) and RFC 5861 (4). Pure.

Directives that are not known here are ignored, as the RFC demands; so is a malformed one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..values import UNSAID, Controls

_LONGEST_S = 2.0**31  # what a longer time means (RFC 9111, section 1.2.2)


def read(headers: Iterable[tuple[str, str]]) -> Controls:
    """The controls in a request's `Cache-Control` headers.

    `no-store`: neither answered from the cache nor stored. `no-cache`: not answered from it, but stored (a refresh).
    `max-age=N`: answered only by an entry that is at most N seconds old. `only-if-cached`: never sent; 504 on a miss.
    `stale-if-error=N`: when every attempt failed, an entry answers that was fresh until at most N seconds ago.
    """
    said = ",".join(value for name, value in headers if name == "cache-control").lower()
    if not said:
        return UNSAID
    words = {name.strip(): value.strip() for name, _, value in (word.partition("=") for word in said.split(","))}
    return Controls(
        store="no-store" not in words,
        lookup="no-store" not in words and "no-cache" not in words,
        max_age_s=_seconds(words.get("max-age", "")),
        only_if_cached="only-if-cached" in words,
        stale_if_error_s=_seconds(words.get("stale-if-error", "")),
    )


def _seconds(said: str) -> float | None:
    return min(float(said), _LONGEST_S) if said.isdecimal() else None
