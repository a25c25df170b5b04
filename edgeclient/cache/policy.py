"""Which answers may be stored and which entries may answer. Pure."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fnmatch import fnmatchcase
from sys import intern
from typing import TYPE_CHECKING

from pydantic_core import from_json

from ..values import UNSAID, Call, Controls, Dialect, Entry, Json, Reply, Route, Step
from . import pace
from .pace import Times

if TYPE_CHECKING:
    from ..settings import Cache

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

_REQUEST_IDS = {"openai": b"x-request-id", "anthropic": b"request-id"}  # SDK -> the header that it reads
_LARGEST_ANSWER = 8 * 2**20  # bytes; larger answers pass by: one of them would push out thousands of others


def entry_of(
    call: Call, reply: Reply, body: bytes, *, now: float, fresh_s: float, age_s: float = 0.0, stale_s: float = 0.0,
    endpoint: str, pop: str, namespace: str = "", times: Times = (), tool_calls: bool = False,
) -> Entry | None:  # fmt: skip
    """The entry that a complete answer makes, or None when it may not be stored.

    `body` is a JSON object or, for a call that asked for one, a complete event stream. Only a 200 is stored, and
    only what the dialect finds complete: never truncated, filtered, refused or empty answers. With `tool_calls` also those
    that call tools.

    It stays fresh for `fresh_s` seconds from now; what a cache beyond this one had already is `age_s` old.
    `times`: of a stream whose pace is to be kept, when its parts came.
    """
    if reply.status != 200 or call.dialect is None or len(body) > _LARGEST_ANSWER or fresh_s <= 0:
        return None
    answer = call.dialect.whole(body) if call.streamed else object_of(body)
    if answer is None:
        return None
    calls_tools = not call.dialect.storable(answer)
    if calls_tools and not (tool_calls and call.dialect.calls_tools(answer)):
        return None
    stored = dumps(answer) if call.streamed else body
    kept = pace.packed(body, times, call.dialect, answer) if times else b""
    return Entry(
        key=call.key,
        body=stored,
        has_usage=bool(answer.get("usage")),
        stored_at=now - age_s,
        expires_at=now + fresh_s,
        id=str(answer.get("id", "")),
        request_id=reply.named.get(_REQUEST_IDS.get(call.sdk, b""), b""),
        endpoint=endpoint,
        pop=pop,
        stale_s=stale_s,
        model=intern(call.model),  # thousands of entries have the same few
        namespace=intern(namespace),
        named=call.controls.named,
        tags=call.controls.tags,
        pace=kept,
        calls_tools=calls_tools,
    )


def is_sampled(dialect: Dialect, body: Json) -> bool:
    """True for a call whose answers are to differ by chance: it says neither temperature 0 nor a seed.

    A seed counts: it asks that "repeated requests with the same seed and parameters should return the same result" (OpenAI's
    reference of chat completions), of which a cache makes sure. Who says no temperature has the provider's, which is above 0.
    """
    said, seed = body.get("temperature"), body.get("seed")
    asks_for_same = (type(said) in (int, float) and said == 0) or type(seed) is int
    return dialect.samples and not asks_for_same


def ttl_s(call: Call, said: Cache) -> float:
    """How long the answer of this call is fresh: as the call says, else the settings for its model, its route, or for all.

    Names come before patterns (`"gpt-*"`, as in file names), patterns in their order, and all of these before routes.
    """
    if call.controls.ttl_s is not None:
        return call.controls.ttl_s
    of_model = _set_ttl_s(call.model, call.route, said) if said.ttl else None
    return said.ttl_s if of_model is None else of_model


def _set_ttl_s(model: str, route: Route, said: Cache) -> float | None:
    if model in said.ttl:
        return said.ttl[model]
    of_others = said.ttl.get(route.value)
    return next((ttl for pattern, ttl in said.ttl.items() if fnmatchcase(model, pattern)), of_others)


def says(cache: Cache) -> bool:
    """True when the settings say how long answers are fresh, or where they are kept: the caches behind are to know it."""
    return bool(cache.ttl or cache.namespace) or cache.ttl_s != type(cache).ttl_s


def as_set(said: Controls, model: str, route: Route, cache: Cache) -> Controls:
    """What is said of a call, by the caller and, where the caller is silent, by the settings."""
    ttl_s = _set_ttl_s(model, route, cache) if said.ttl_s is None else said.ttl_s
    if ttl_s is None and cache.ttl_s != type(cache).ttl_s:
        ttl_s = cache.ttl_s
    return replace(said, namespace=said.namespace or cache.namespace, ttl_s=ttl_s)


def is_shared(namespace: str, cache: Cache) -> bool:
    """True where all callers share their answers."""
    return cache.shared if isinstance(cache.shared, bool) else namespace in cache.shared


def stale_s(said: Controls, set_s: float) -> float:
    """For how long after its end an entry may answer this call when nobody else does. `set_s` is what the settings say.

    Who wants none that is older than so and so (`max-age`) is given none, unless that caller says `stale-if-error` too.
    """
    if said.stale_if_error_s is not None:
        return said.stale_if_error_s
    return set_s if said.max_age_s is None else 0.0


def revalidate_s(said: Controls, cache: Cache) -> float:
    """For how long after its end an entry may answer this call while it is asked for anew. Who wants nothing sent: none."""
    if said.only_if_cached:
        return 0.0
    if said.stale_while_revalidate_s is not None:
        return said.stale_while_revalidate_s
    return cache.stale_while_revalidate_s if said.max_age_s is None else 0.0


def kept_stale_s(said: Controls, cache: Cache) -> float:
    """How long the entry of this call's answer is kept after its end: for this caller, and for the others."""
    most_s = max(cache.stale_if_error_s, cache.stale_while_revalidate_s)
    return most_s if said is UNSAID else max(most_s, said.stale_if_error_s or 0.0, said.stale_while_revalidate_s or 0.0)


def fresh_until(entry: Entry, call: Call) -> float:
    """When the entry ends for this caller."""
    age_s = call.controls.max_age_s
    return entry.expires_at if age_s is None else min(entry.expires_at, entry.stored_at + age_s)


def usable(entry: Entry, call: Call, now: float, stale_s: float = 0.0, *, tool_calls: bool = False) -> bool:
    """True when the entry is fresh, young enough for this caller, and has all that this call asks for.

    With `stale_s` it may have ended as long ago as that. One that calls tools is usable with `tool_calls` alone.

    `now` is wall-clock time, as all times of entries. An entry of the future was stored before the clock went back: how
    old it is, nobody knows.
    """
    age = now - entry.stored_at
    return (
        entry.stored_at <= now < entry.expires_at + stale_s
        and (call.controls.max_age_s is None or age <= call.controls.max_age_s + stale_s)
        and (tool_calls or not entry.calls_tools)
        and call.dialect is not None
        and call.dialect.serves(entry.has_usage, call.body)
    )


def headers_of(entry: Entry, call: Call) -> list[tuple[bytes, bytes]]:
    """The headers of a hit that the first answer had too."""
    return [(_REQUEST_IDS[call.sdk], entry.request_id)] if entry.request_id else []


def render(entry: Entry, call: Call, wall_s: float, answer: Json | None = None) -> bytes:
    """The entry's answer for this call: a new id, created now. `wall_s` is wall-clock time.

    `answer`: what to say in place of the answer that is stored.
    """
    assert call.dialect is not None
    fresh = call.dialect.fresh(call.body, os.urandom(12).hex(), int(wall_s))
    if call.streamed:
        return call.dialect.replay({**(answer or json.loads(entry.body)), **fresh}, call.body)
    if answer is not None:
        return dumps({**answer, **fresh})
    if not fresh:
        return entry.body
    if entry.bare is None:
        _lay_bare(entry, fresh)
    return b"".join((dumps(fresh)[:-1], b",", memoryview(entry.body)[1:]))


def paced(entry: Entry, call: Call, wall_s: float, answer: Json | None = None) -> list[Step]:
    """The same answer as a stream in its pieces, at its pace; [] where none is kept."""
    assert call.dialect is not None
    pieces, rest_s = pace.unpacked(entry.pace)
    said = answer or json.loads(entry.body)
    if not pieces or not call.dialect.fits(said, pieces):
        return []
    said = {**said, **call.dialect.fresh(call.body, os.urandom(12).hex(), int(wall_s))}
    steps = call.dialect.steps(said, call.body, pieces)
    gap_s, last = steps[-1]
    return [*steps[:-1], (gap_s + rest_s, last)]


def _lay_bare(entry: Entry, fresh: Json) -> None:
    """At its first hit an entry lets go of what is new with each answer. Two threads may both do it: they write the same."""
    body = entry.body
    kept = dumps({name: member for name, member in json.loads(body).items() if name not in fresh})
    if entry.bare is None:
        object.__setattr__(entry, "body", kept)
        object.__setattr__(entry, "bare", len(body) - len(kept))


def dumps(value: Json) -> bytes:
    """An answer as the JSON that is stored."""
    try:
        return _compact(value).encode()  # escapes would take twice the bytes of most of the world's writing
    except UnicodeEncodeError:  # half a surrogate pair
        return _escaped(value).encode()


def object_of(body: bytes) -> Json | None:
    """The JSON object that a body is; None for anything else. Never raises."""
    try:
        value = from_json(body, cache_strings=False)  # half the time; what it takes, `json` reads in the same way
    except ValueError:
        try:
            value = json.loads(body)  # takes more: half a surrogate pair, UTF-16, lists in lists hundreds deep
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None
