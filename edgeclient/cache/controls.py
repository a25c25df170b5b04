"""What a caller may say about caching for one call: the request directives of RFC 9111, section 5.2.1. Pure.

Directives that are not known here are ignored, as the RFC demands; so is a malformed one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..values import Controls

DEFAULT = Controls()


def read(headers: Iterable[tuple[str, str]]) -> Controls:
    """The controls in a request's `Cache-Control` headers.

    `no-store`: neither answered from the cache nor stored. `no-cache`: not answered from it, but stored (a refresh).
    `max-age=N`: answered only by an entry that is at most N seconds old. `only-if-cached`: never sent; 504 on a miss.
    """
    said = ",".join(value for name, value in headers if name == "cache-control").lower()
    if not said:
        return DEFAULT
    words = {name.strip(): value.strip() for name, _, value in (word.partition("=") for word in said.split(","))}
    age = words.get("max-age", "")
    return Controls(
        store="no-store" not in words,
        lookup="no-store" not in words and "no-cache" not in words,
        max_age_s=float(age) if age.isdecimal() else None,
        only_if_cached="only-if-cached" in words,
    )
