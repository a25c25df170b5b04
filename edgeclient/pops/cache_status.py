"""Says whether a cache on the way gave an answer, from the answer's headers. Pure.

`Cache-Status` is RFC 9211: one member for each cache, the one nearest to the client last. Products that came before the RFC
have a header of their own. Any proxy on the way can forge one: good for notes and reports only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# What the header's value begins with, where it does not speak RFC 9211.
_OWN_WORDS = {b"cf-aig-cache-status": (b"hit", b"miss"), b"x-cache": (b"hit", b"miss")}
NAMES = frozenset({b"cache-status", *_OWN_WORDS})  # the headers that may say it
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')  # of RFC 8941; a key may have commas and semicolons in it
_LONGEST = 2048  # bytes; genuine values stay far below


def cache_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """`hit`: some cache on the way had the answer; `miss`: one looked, or passed it on; "": no header says. Never raises."""
    said = ""
    for name, value in headers:
        lower = name.lower()
        if lower == b"cache-status" and len(value) <= _LONGEST:
            said = "hit" if said == "hit" or _has_hit(value) else "miss"
        elif lower in _OWN_WORDS and said != "hit":
            hit, miss = _OWN_WORDS[lower]
            word = value.strip().lower()
            said = "hit" if word.startswith(hit) else "miss" if word.startswith(miss) else said
    return said


def _has_hit(value: bytes) -> bool:
    members = _STRING.sub(b"", value).split(b",")
    return any(part.strip() in (b"hit", b"hit=?1") for member in members for part in member.split(b";")[1:])
