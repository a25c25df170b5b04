"""Steps 3, 5 and 8 of a call: what the caches answer, and what of an answer they keep. No I/O of its own.

Whatever fails here is a miss, or an answer that is not kept: counted, logged once, and stepped over.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .attempts import Trace
from .cache import pace, policy
from .cache.pace import Paced, TimedTee
from .cache.tee import AwaitedTee, Tee
from .dialects import arrays
from .dialects.texts import TEXTS
from .dialects.usage import TOKENS, unused
from .judging import broken_by
from .noting import Match, Notes, Used
from .policies import Policies
from .reporting import notes_of
from .runtime.protocol import Runtime
from .telemetry.events import Event
from .values import ORIGIN, Call, Entry, Json, Outcome, Question, Reply

if TYPE_CHECKING:
    from .cache.semantic import Lookup

_TEE_LIMIT = 8 * 2**20


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
        if not policy.usable(entry, call, rt.wall(), stale_s):
            return None
        if call.question is not None:
            _notice(call.question, entry, edge)
        return _hit(call, entry, edge, rt, began, collapsed=collapsed, trace=trace)
    except Exception as error:
        edge.telemetry.mishap("cache load", error)
        return None


def _notice(question: Question, entry: Entry, edge: Policies) -> None:
    """An entry that another process has stored, or an earlier one: its question is known now, and may be found by others."""
    semantic = edge.semantic
    if semantic is None or edge.later is None or semantic.knows(entry.key):
        return

    def keep() -> None:
        vector = semantic.vectors.vector(question.text)
        if vector is not None:
            _keep_question(question, vector, entry, edge)

    edge.later.put(keep)


def _keep_question(question: Question, vector: Any, entry: Entry, edge: Policies) -> None:
    """The answer to this question is stored: it may be found by others, here and where the store is shared."""
    assert edge.semantic is not None
    if edge.catalogue is None:
        edge.semantic.keep(question, vector, entry.key)
    else:
        edge.semantic.keep(question, vector, entry.key, entry)
        edge.catalogue.add(question, vector, entry)


def _miss(lookup: Lookup, edge: Policies) -> None:
    """The store does not have the answer of a candidate, or does not say so in time."""
    assert edge.semantic is not None
    if edge.catalogue is None:
        edge.semantic.drop(lookup.key)
    else:
        edge.catalogue.miss(lookup.question.partition, lookup.key)


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
        return policy.usable(entry, call, rt.wall())

    try:
        longest_s = edge.settings.stream_wait_s if call.live else edge.settings.flight_wait_s
        entry = await rt.claim(edge.store, call.key, usable, longest_s)
        return _hit(call, entry, edge, rt, began, collapsed=True) if entry is not None else None
    except Exception as error:
        edge.telemetry.mishap("cache lease", error)
        return None


def let_go(call: Call, edge: Policies) -> None:
    """Tell other processes that this call, which we may have led, leaves no answer to wait for."""
    if edge.store is not None and edge.store.leases:
        edge.store.release(call.key)


async def recall_alike(call: Call, edge: Policies, rt: Runtime, began: float) -> tuple[Reply | None, Lookup | None]:
    """The answer of an entry whose question means the same, within the stated error; and what was looked up.

    A matcher that fails finds none.
    """
    semantic, question = edge.semantic, call.question
    if semantic is None or question is None or edge.store is None:
        return None, None
    lookup = None
    try:
        if edge.catalogue is not None:
            edge.catalogue.look(question.partition, rt.wall())
        vector = await rt.vector(semantic.vectors, question.text)
        if vector is None:
            return None, None
        lookup = await rt.apart(lambda: semantic.look(question, vector), len(question.text))
        if not lookup.serve:
            return None, lookup
        entry = await rt.load(edge.store, lookup.key)
        if entry is None:
            _miss(lookup, edge)
        if entry is None or not policy.usable(entry, call, rt.wall()):
            return None, lookup
        semantic.served(lookup, call.key)
        edge.telemetry.count("semantic hits")
        return _hit(call, entry, edge, rt, began, match=lookup.match(semantic.budget)), lookup
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


def given(call: Call, entry: Entry, edge: Policies, rt: Runtime, began: float) -> Reply:
    """The answer of an entry that is known to fit."""
    return _hit(call, entry, edge, rt, began, collapsed=False)


def _hit(
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
    read = TOKENS.get(call.dialect.name)
    tokens, avoided = read(answer) if read is not None else None, None
    if tokens is not None:
        avoided = Used(call.model, *tokens, cost=edge.models.cost_of(call.model, *tokens))
    return (unused(answer), answer.get("usage"), avoided) if as_zero else (None, None, avoided)


def not_cached(call: Call, edge: Policies, rt: Runtime, began: float) -> Reply:
    """RFC 9111, section 5.2.1.7: 504 for `only-if-cached` on a miss; the SDKs are told not to retry it."""
    body = json.dumps(
        {"error": {"message": "only-if-cached: no fresh answer is stored", "type": "cache_miss"}}
    ).encode()
    notes = notes_of(call, edge, Trace(), rt, began)
    edge.telemetry.emit(Event(rt.wall(), call.model, notes, status=504))
    return Reply(504, [(b"content-type", b"application/json"), (b"x-should-retry", b"false")], body, notes=notes)


def keep(
    call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, trace: Trace, lookup: Lookup | None = None
) -> float | None:
    """Store a complete answer if it may be stored: for how many seconds it is fresh then, None when it is not stored.

    A store that fails costs nothing but the entry.
    """
    if edge.store is None or not call.key or not call.controls.store:
        return None
    try:
        fresh_s = _fresh_s(call, edge, trace)
        now = rt.wall()
        entry = _entry(call, edge, reply, body, trace, fresh_s, now)
        if entry is None or not edge.store.save(entry, now):
            return None
        if lookup is not None:
            _teach(lookup, call, entry, edge)
        return fresh_s
    except Exception as error:
        edge.telemetry.mishap("cache save", error)
        return None


def keep_parts(call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, trace: Trace) -> float | None:
    """The same for the answer of each part; none is stored where the answer does not have exactly these, in their order."""
    if edge.store is None or call.dialect is None or not call.controls.store or reply.status != 200:
        return None
    try:
        asked, answer = arrays.inputs(call.dialect, call.body), policy.object_of(body)
        parts = arrays.apart(answer, asked) if answer is not None else None
        stored, fresh_s, now = parts is not None, _fresh_s(call, edge, trace), rt.wall()
        for key, one, part in zip(call.parts, asked, parts or (), strict=parts is not None):
            own = replace(call, key=key, body=arrays.asking(call.body, one), parts=())
            entry = _entry(own, edge, reply, policy.dumps(part), trace, fresh_s, now)
            stored = entry is not None and edge.store.save(entry, now) and stored
        return fresh_s if stored else None
    except Exception as error:
        edge.telemetry.mishap("cache save", error)
        return None


def _fresh_s(call: Call, edge: Policies, trace: Trace) -> float:
    """For how long the answer is fresh here; 0 or less: it is not to be kept."""
    return trace.beyond.lifetime_s(policy.ttl_s(call, edge.settings.cache))


def _entry(
    call: Call,
    edge: Policies,
    reply: Reply,
    body: bytes,
    trace: Trace,
    fresh_s: float,
    now: float,
    times: pace.Times = (),
) -> Entry | None:
    said = edge.settings.cache
    return policy.entry_of(
        call,
        reply,
        body,
        now=now,
        fresh_s=fresh_s,
        age_s=trace.beyond.age_s or 0.0,
        stale_s=policy.kept_stale_s(call.controls, said),
        endpoint=trace.endpoint.name,
        pop=trace.pop,
        namespace=call.controls.namespace or said.namespace,
        times=times,
    )


def _teach(lookup: Lookup, call: Call, entry: Entry, edge: Policies) -> None:
    """The model has answered a question that the semantic cache was asked: the next one may be answered so.

    Its answer is compared with the one that was nearest, beside the calls.
    """
    semantic, store, dialect = edge.semantic, edge.store, call.dialect
    if semantic is None or store is None or dialect is None:
        return
    _keep_question(lookup.question, lookup.vector, entry, edge)
    lessons, now = edge.lessons, entry.stored_at
    if edge.later is None or not (lookup.key or (lessons is not None and lessons.is_due(now))):
        return

    def compare() -> None:
        if lessons is not None and lessons.is_due(now):
            lessons.visit(now)
        other = store.load(lookup.key, now) if lookup.key else None
        if other is not None:
            texts = TEXTS[dialect.name]
            semantic.learn(lookup, texts(json.loads(entry.body)), texts(json.loads(other.body)), now)
        elif lookup.key:
            _miss(lookup, edge)

    if not edge.later.put(compare):
        edge.telemetry.count("comparisons left out")


def tee_of(call: Call, edge: Policies, rt: Runtime, reply: Reply, trace: Trace, lookup: Lookup | None = None) -> Tee:
    """Watches a body that goes out live: stores it when it is complete, reports the PoP when it breaks."""
    endpoint = trace.endpoint
    keeps = edge.store is not None and bool(call.key) and call.controls.store and reply.status == 200
    assert call.dialect is not None
    head_at = rt.now()

    def on_end(body: bytes | None, error: BaseException | None) -> None:
        if error is not None:
            edge.telemetry.count("broken streams")
            failure = broken_by(error)
            if failure is not None and (endpoint is not ORIGIN or not call.keeps_origin):
                now = rt.now()
                edge.selector.record(Outcome(endpoint, failure, reply.status, took_s=now - head_at), now)
        times: pace.Times = tee.times if isinstance(tee, TimedTee) else ()
        stored = body is not None and keeps and _keep_stream(call, edge, rt, reply, body, trace, lookup, times)
        if not stored and edge.stream_leases:
            let_go(call, edge)

    closing, failing = (call.dialect.closing, call.dialect.failing) if call.streamed else (b"", None)
    if endpoint is ORIGIN:
        failing = None
    limit = _TEE_LIMIT if keeps else 0
    if keeps and edge.paces and call.streamed:
        tee: Tee = TimedTee(on_end, rt.now, closing=closing, limit=limit, failing=failing)
    else:
        kind = AwaitedTee if edge.stream_leases else Tee
        tee = kind(on_end, closing=closing, limit=limit, failing=failing)
    return tee


def _keep_stream(
    call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, trace: Trace, lookup: Lookup | None,
    times: pace.Times,
) -> bool:  # fmt: skip
    """`keep` for a body that has gone by: nothing waits here, not even in shape."""
    try:
        if times:
            times = pace.decoded(times, body, reply.header(b"content-encoding").strip().lower())
        entry = _entry(call, edge, reply, reply.decode(body), trace, _fresh_s(call, edge, trace), rt.wall(), times)
        if entry is None or edge.store is None or not edge.store.save(entry, rt.wall()):
            return False
        edge.telemetry.count("stored")
        if lookup is not None:
            _teach(lookup, call, entry, edge)
    except Exception as problem:
        edge.telemetry.mishap("cache save", problem)
        return False
    return True
