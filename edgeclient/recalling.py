"""Steps 3 and 5 of a call: what the caches answer. No I/O of its own.

Whatever fails here is a miss: counted, logged once, and stepped over.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .attempts import Trace
from .cache import policy
from .cache.pace import Paced
from .dialects.usage import unused
from .noting import Match, Notes, Used
from .policies import Policies
from .reporting import notes_of, used_of
from .runtime.protocol import Runtime
from .teaching import miss, notice
from .telemetry.events import Event
from .values import Call, Entry, Json, Reply

if TYPE_CHECKING:
    from .cache.semantic import Lookup


async def recall(
    call: Call, edge: Policies, rt: Runtime, began: float, *, collapsed: bool = False, stale_s: float = 0.0,
    trace: Trace | None = None,
) -> Reply | None:  # fmt: skip
    """The answer that the exact cache has for this call; its `ttl_s` is below zero when it is to be asked for anew.

    A store that fails, or a broken entry, is a miss.
    """
    if edge.store is None or not call.key or not call.controls.lookup:
        return None
    try:
        entry = await rt.load(edge.store, call.key)
        if entry is None:
            return None
        stale_s = max(stale_s, policy.revalidate_s(call.controls, edge.settings.cache))
        if not policy.usable(entry, call, rt.wall(), stale_s, tool_calls=edge.settings.cache.tool_calls):
            return None
        if call.question is not None and not entry.calls_tools:
            notice(call.question, entry, edge)
        return hit(call, entry, edge, rt, began, collapsed=collapsed, trace=trace)
    except Exception as error:
        edge.telemetry.mishap("cache load", error)
        return None


async def recall_stale(call: Call, edge: Policies, rt: Runtime, began: float, trace: Trace) -> Reply | None:
    """After an outage: the answer that was fresh until a short while ago (RFC 5861, section 4), if that is wanted."""
    stale_s = policy.stale_s(call.controls, edge.settings.cache.stale_if_error_s)
    if not trace.shows_outage or stale_s <= 0:
        return None
    reply = await recall(call, edge, rt, began, stale_s=stale_s, trace=trace)
    if reply is not None:
        edge.telemetry.count("stale answers")
    return reply


async def recall_led(call: Call, edge: Policies, rt: Runtime, began: float) -> Reply | None:
    """The answer that another process gets, where one leads this call. None: lead it, or go alone."""
    if edge.store is None or not edge.store.leases or call.controls.only_if_cached:
        return None

    def usable(entry: Entry) -> bool:
        return policy.usable(entry, call, rt.wall(), tool_calls=edge.settings.cache.tool_calls)

    try:
        longest_s = edge.settings.stream_wait_s if call.live else edge.settings.flight_wait_s
        entry = await rt.claim(edge.store, call.key, usable, longest_s)
        return hit(call, entry, edge, rt, began, collapsed=True) if entry is not None else None
    except Exception as error:
        edge.telemetry.mishap("cache lease", error)
        return None


async def recall_alike(call: Call, edge: Policies, rt: Runtime, began: float) -> tuple[Reply | None, Lookup | None]:
    """The answer of an entry whose question means the same, within the stated error; and what was looked up.

    A matcher that fails finds none.
    """
    semantic, question = edge.semantic, call.question
    if semantic is None or question is None or edge.store is None:
        return None, None
    lookup = None
    try:
        if edge.inventory is not None:
            edge.inventory.look(question.partition, rt.wall())
        vector = await rt.vector(semantic.vectors, question.text)
        if vector is None:
            return None, None
        lookup = await rt.apart(lambda: semantic.look(question, vector), len(question.text))
        if not lookup.serve:
            return None, lookup
        entry = await rt.load(edge.store, lookup.key)
        if entry is None:
            miss(lookup, edge)
        if entry is None or not policy.usable(entry, call, rt.wall()):
            return None, lookup
        semantic.served(lookup, call.key)
        edge.telemetry.count("semantic hits")
        return hit(call, entry, edge, rt, began, match=lookup.match(semantic.budget)), lookup
    except Exception as error:
        edge.telemetry.mishap("semantic cache", error)
        return None, lookup


async def recall_parts(call: Call, edge: Policies, rt: Runtime) -> dict[str, Entry]:
    """The entries that answer parts of a call, by their keys."""
    if edge.store is None or not call.controls.lookup:
        return {}
    try:
        keys = list(dict.fromkeys(call.parts))
        found = await rt.load_many(edge.store, keys)
        return {entry.key: entry for entry in found if entry is not None and policy.usable(entry, call, rt.wall())}
    except Exception as error:
        edge.telemetry.mishap("cache load", error)
        return {}


def hit(
    call: Call, entry: Entry, edge: Policies, rt: Runtime, began: float, *, collapsed: bool = False,
    trace: Trace | None = None, match: Match | None = None,
) -> Reply:  # fmt: skip
    """The answer of an entry. `trace`: what was tried before, of a call that it answers although it is stale.

    `match`: why, of an entry of another question.
    """
    tried = tuple(trace.tried) if trace is not None else ()
    wall = rt.wall()
    answer, original, avoided = _accounted(call, entry, edge)
    steps = policy.paced(entry, call, wall, answer) if entry.pace and call.live and edge.paces else ()
    body = None if steps else policy.render(entry, call, wall, answer)
    kind = b"text/event-stream; charset=utf-8" if call.streamed else b"application/json"
    notes = Notes(
        route=call.route.value,
        endpoint=entry.endpoint,
        pop=entry.pop,
        attempts=len(tried),
        tried=tried,
        cache="hit",
        key=call.key,
        age_s=wall - entry.stored_at,
        ttl_s=policy.fresh_until(entry, call) - wall,
        match=match,
        collapsed=collapsed,
        original_id=entry.id,
        original_usage=original,
        avoided=avoided,
        took_ms=(rt.now() - began) * 1e3,
        model=call.model,
        asked_model=call.asked_model,
    )
    edge.telemetry.emit(Event(wall, call.model, notes, status=200))
    reply = Reply(200, [(b"content-type", kind), *policy.headers_of(entry, call)], body, notes=notes)
    if steps:
        reply.paced = Paced(steps, rt.now, rt.sleep)
    return reply


def _accounted(call: Call, entry: Entry, edge: Policies) -> tuple[Json | None, Json | None, Used | None]:
    """The answer to give in place of the stored one, its usage as the provider gave it, and what the call is spared.

    None where the stored one does: nothing is read then. The entry stays as it is: other edges may say it otherwise.
    """
    as_zero = edge.settings.cache.usage == "zero"
    if call.dialect is None or not (as_zero or edge.models.has_price(call.model)):
        return None, None, None
    answer = json.loads(entry.body)
    if "usage" not in answer:
        return None, None, None
    avoided = used_of(call, answer, edge.models)
    return (unused(answer), answer["usage"], avoided) if as_zero else (None, None, avoided)


def not_cached(call: Call, edge: Policies, rt: Runtime, began: float) -> Reply:
    """RFC 9111, section 5.2.1.7: 504 for `only-if-cached` on a miss; the SDKs are told not to retry it."""
    body = json.dumps(
        {"error": {"message": "only-if-cached: no fresh answer is stored", "type": "cache_miss"}}
    ).encode()
    notes = notes_of(call, edge, Trace(), rt, began)
    edge.telemetry.emit(Event(rt.wall(), call.model, notes, status=504))
    return Reply(504, [(b"content-type", b"application/json"), (b"x-should-retry", b"false")], body, notes=notes)
