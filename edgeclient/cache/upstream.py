"""Says whether a cache on the way gave an answer, how old that is, and for how long it stays fresh, from its headers. Pure.

`Cache-Status` is RFC 9211: one member for each cache, the one nearest to the client last; `Age` is RFC 9111, section 5.1.
Products that came before have headers of their own. Any proxy on the way can forge one: what is stored here may live
shorter for it, never longer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..frozen import value
from ..values import Reply

# What a product's own header begins with; "" where its being there says it.
_OWN_WORDS = {
    b"cf-aig-cache-status": (b"hit", b"miss"),  # developers.cloudflare.com/ai-gateway/features/caching
    b"x-cache": (b"hit", b"miss"),  # CloudFront's
    b"x-openrouter-cache-status": (b"hit", b"miss"),  # openrouter.ai/docs/guides/features/response-caching
    b"x-portkey-cache-status": (b"hit", b"miss"),  # portkey.ai/docs/api-reference/response-schema
    b"helicone-cache": (b"hit", b"miss"),  # docs.helicone.ai/features/advanced-usage/caching
    b"x-litellm-cache-key": (b"", b"-"),  # docs.litellm.ai/docs/proxy/caching: sent on hits only
}
_SEMANTIC = b"semantic "  # Portkey's says what kind of hit or miss it was
_AGES = (b"age", b"x-openrouter-cache-age")
_NAMES = frozenset([b"cache-status", *_OWN_WORDS, *_AGES])
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')  # of RFC 8941; a key may have commas and semicolons in it
_TTL = re.compile(rb"ttl=(-?\d{1,9})")
_LONGEST = 2048  # bytes; genuine values stay far below


@value
class Upstream:
    """What the caches beyond this one say of an answer."""

    said: str = ""  # `hit`: some cache had the answer; `miss`: one looked, or passed it on; "": no header says
    age_s: float | None = None  # how long ago it was made; None: nobody says
    fresh_s: float | None = None  # how long it stays fresh there; None: nobody says

    def lifetime_s(self, ttl_s: float) -> float:
        """For how long an answer may be kept here that is to be at most `ttl_s` old; 0 or less: it may not."""
        left_s = ttl_s - (self.age_s or 0.0)
        return left_s if self.fresh_s is None else min(left_s, self.fresh_s)


SILENT = Upstream()


def of(reply: Reply) -> Upstream:
    """What an answer says of the caches beyond this one."""
    return SILENT if _NAMES.isdisjoint(reply.named) else read(reply.headers)


def read(headers: Sequence[tuple[bytes, bytes]]) -> Upstream:
    """What the headers of an answer say. Never raises."""
    heard = [(lower, said) for name, said in headers if (lower := name.lower()) in _NAMES and len(said) <= _LONGEST]
    if not heard:
        return SILENT
    said, ages, left = "", [], []
    for name, text in heard:
        word = ""
        if name in _AGES:
            ages += [float(text)] if text.isdigit() and len(text) < 10 else []
        elif name == b"cache-status":
            hits = [member for member in _STRING.sub(b"", text).split(b",") if _is_hit(member)]
            left += [float(found[1]) for member in hits for part in member.split(b";") if (found := _ttl(part))]
            word = "hit" if hits else "miss"
        else:
            word = _own_word(name, text.strip().lower())
        said = word if word and said != "hit" else said
    if ages and max(ages) > 0 and not said:
        said = "hit"  # "not generated or validated by the origin server for this request"
    return Upstream(said, max(ages, default=None), min(left, default=None))


def _own_word(name: bytes, text: bytes) -> str:
    hit, miss = _OWN_WORDS[name]
    text = text.removeprefix(_SEMANTIC)
    return "hit" if text.startswith(hit) else "miss" if text.startswith(miss) else ""


def _is_hit(member: bytes) -> bool:
    return any(part.strip() in (b"hit", b"hit=?1") for part in member.split(b";")[1:])


def _ttl(part: bytes) -> re.Match[bytes] | None:
    return _TTL.fullmatch(part.strip())
