"""What the edge says about an answer: as `Notes`, and as headers of RFC 9211, RFC 9209 and Server-Timing."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import asdict, field
from functools import lru_cache
from typing import Any

from .frozen import value

_WHO = "edgeclient"
OUTRUN = "outrun"  # the other of two attempts at once was faster


@value
class Attempt:
    """One attempt of a call: where it went and how it ended."""

    endpoint: str  # its name; "origin" is the client's own
    outcome: str  # "ok", "status" (5xx), "throttled" (429, 529), "outrun", or an error type of RFC 9209, section 2.3
    status: int = 0  # of the response; 0 when none came
    model: str = ""  # the small model, where a cascade asked it first; else "", for the model of the call


@value
class Match:
    """Why an answer to another prompt answered this call."""

    tier: str  # "equal" (after normalising) or "semantic"
    similarity: float  # cosine of the two prompts
    score: float | None  # log odds that both ask the same; None of an equal one
    risk: float  # the chance that the answer is wrong, at the unfavourable end of what is believed
    budget: float  # the share of lookups that may be answered wrongly
    prompt: str  # the stored prompt's hash


@value
class Used:
    """What a model was asked to read and to write, as its answer says: each of a cascade's is paid for, a hit's was once."""

    model: str
    input_tokens: int  # those from a provider's prompt cache among them
    output_tokens: int
    cost: float | None = None  # at the prices that `models` says, in their currency; discounts are not counted


@value
class Notes:
    """What happened to one call. Times are in the unit of their name; None means not known or not applicable."""

    route: str = "direct"  # inference | gateway | direct
    endpoint: str = ""  # the endpoint that answered; of a hit, the one that once did
    pop: str = ""  # the site that answered, by its code
    attempts: int = 0  # requests this call sent
    tried: tuple[Attempt, ...] = ()  # those requests, in order
    cache: str = "off"  # hit | miss | bypass | off
    reason: str = (
        ""  # of a bypass: the setting that says so ("temperature"); "" where the call says so, or shows no key
    )
    upstream_cache: str = ""  # hit | miss, where a cache beyond this one says so: a PoP's, a gateway's
    upstream_age_s: float | None = None  # how old the answer is, as such a cache says
    key: str = ""  # of the exact cache; safe to log
    age_s: float | None = None  # how old a hit is
    known: int = 0  # of a miss that asked several things at once (embeddings of a list): how many of them were not sent
    ttl_s: float | None = None  # how long a hit, or the stored answer, stays fresh; negative: it ended so long ago
    stored: bool = False  # the answer is in the cache now; of a stream this is known only at its end
    match: Match | None = None  # of a hit whose prompt was another one: the semantic cache's
    collapsed: bool = False  # the same call of another caller was sent: this is its answer, or its stream read along
    original_id: str = ""  # of a hit: the id the provider gave its answer
    original_usage: Mapping[str, Any] | None = field(default=None, hash=False)  # where a hit says zero: as given
    avoided: Used | None = None  # of a hit that says zero, or has a price in `models`: what it is spared
    rtt_ms: float | None = None  # of the path to the endpoint, measured with this answer
    took_ms: float | None = None  # from the call's start to the answer's head
    model: str = ""  # the model that was asked for at the endpoint (which may map it to a name of its own)
    asked_model: str = ""  # the model in the request, where an alias or a cascade put another in its place; else ""
    cascade: str = (
        ""  # of a cascade: "first" (the small model's answer passed) or "second"; "" for a hit and without one
    )
    used: tuple[Used, ...] = ()  # of a cascade: what each model that gave an answer used, the small one first
    untold: tuple[
        str, ...
    ] = ()  # of what was said about caching: words that the cache behind the endpoint does not know

    def as_dict(self) -> dict[str, Any]:
        """The notes as plain values, for logs."""
        return asdict(self)


def headers(notes: Notes) -> list[tuple[bytes, bytes]]:
    """The response headers that say the same: Cache-Status, Proxy-Status, Server-Timing."""
    found = []
    if notes.cache != "off":
        found.append((b"cache-status", _cache_status(notes).encode()))
    for attempt in notes.tried:
        found.append((b"proxy-status", _proxy_status(attempt.endpoint, attempt.outcome, attempt.status)))
    timing = b"edge;dur=%.3f" % notes.took_ms if notes.took_ms is not None else b""
    if notes.rtt_ms is not None:
        timing += b"%sedge-rtt;dur=%.3f" % (b", " if timing else b"", notes.rtt_ms)
    if timing:
        found.append((b"server-timing", timing))
    return found


def _cache_status(notes: Notes) -> str:
    said = f"{_WHO}; hit" if notes.cache == "hit" else f"{_WHO}; fwd={notes.cache}"
    if notes.ttl_s is not None:
        said += f"; ttl={math.floor(notes.ttl_s)}"  # negative says stale (RFC 9211, section 2.3)
    if notes.stored:
        said += "; stored"
    if notes.collapsed:
        said += "; collapsed"
    if notes.reason:
        said += f"; detail={notes.reason}"
    if notes.match is not None:
        said += f"; detail={notes.match.tier}"
    return f'{said}; key="{notes.key}"' if notes.key else said


def _string(text: str) -> str:
    """A string of RFC 8941: printable ASCII in quotes."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


# These say all by received-status, or had no time to; the rest are error types of RFC 9209.
_TOLD = frozenset({"ok", "status", "throttled", "quota", "capacity", "cold", "model_missing", "too_long", OUTRUN})


@lru_cache(maxsize=1024)
def _proxy_status(endpoint: str, outcome: str, status: int) -> bytes:
    words = [_WHO, f"next-hop={_string(endpoint)}"]
    if status:
        words.append(f"received-status={status}")
    if outcome not in _TOLD:
        words.append(f"error={outcome}")
    return "; ".join(words).encode()


# Answers are the SDK's own objects and stay untouched: their notes are kept beside them, for as long as they live.
_beside: dict[int, tuple[weakref.ref[Any], Notes]] = {}


def attach(answer: object, said: Notes) -> None:
    """Remember the notes of an answer object; one that cannot be referred to weakly (a str) goes without."""
    number = id(answer)
    try:
        _beside[number] = (weakref.ref(answer, lambda _: _beside.pop(number, None)), said)
    except TypeError:
        return


def notes(answer: object) -> Notes | None:
    """What happened to the call that gave this answer; None when it did not pass an active edge.

    Takes anything an SDK call returns: a model, a stream, a raw or streaming response, a page, or the native response.
    """
    kept = _beside.get(id(answer))
    if kept is not None and kept[0]() is answer:
        return kept[1]
    shown = [answer]
    for _ in range(3):  # a helper's stream holds a stream, which holds the native response
        for one in shown:
            extensions = getattr(one, "extensions", None)
            said = extensions.get(_WHO) if isinstance(extensions, dict) else None
            if isinstance(said, Notes):
                return said
        shown = [getattr(one, n, None) for one in shown for n in ("http_response", "response", "_response")]
    return None
