"""Step 8 of a call: what of an answer the caches keep, at once or when a stream has gone by. No I/O of its own.

Whatever fails here is an answer that is not kept: counted, logged once, and stepped over.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .attempts import Trace
from .cache import pace, policy
from .cache.pace import TimedTee
from .cache.tee import AwaitedTee, Tee
from .dialects import arrays
from .judging import broken_by
from .policies import Policies
from .runtime.protocol import Runtime
from .teaching import teach
from .values import ORIGIN, Call, Entry, Outcome, Reply

if TYPE_CHECKING:
    from .cache.semantic import Lookup

_TEE_LIMIT = 8 * 2**20


def keep(
    call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, trace: Trace, lookup: Lookup | None = None,
    times: pace.Times = (),
) -> float | None:  # fmt: skip
    """Store a complete answer if it may be stored: for how many seconds it is fresh then, None when it is not stored.

    A store that fails costs nothing but the entry.
    """
    if edge.store is None or not call.key or not call.controls.store:
        return None
    try:
        fresh_s, now = _fresh_s(call, edge, trace), rt.wall()
        entry = _entry(call, edge, reply, body, trace, fresh_s, now, times)
        if entry is None or not edge.store.save(entry, now):
            return None
        if lookup is not None and not entry.calls_tools:
            teach(lookup, call, entry, edge)
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


def tee_of(call: Call, edge: Policies, rt: Runtime, reply: Reply, trace: Trace, lookup: Lookup | None = None) -> Tee:
    """Watches a body that goes out live: stores it when it is complete, reports the PoP when it breaks."""
    endpoint = trace.endpoint
    keeps = edge.store is not None and bool(call.key) and call.controls.store and reply.status == 200
    assert call.dialect is not None
    head_at = rt.now()
    times: list[tuple[int, float]] = []

    def on_end(body: bytes | None, error: BaseException | None) -> None:
        if error is not None:
            edge.telemetry.count("broken streams")
            failure = broken_by(error)
            if failure is not None and (endpoint is not ORIGIN or not call.keeps_origin):
                now = rt.now()
                edge.selector.record(Outcome(endpoint, failure, reply.status, took_s=now - head_at), now)
        stored = body is not None and keeps and _keep_stream(call, edge, rt, reply, body, trace, lookup, times)
        if not stored and edge.stream_leases:
            let_go(call, edge)

    closing, failing = (call.dialect.closing, call.dialect.failing) if call.streamed else (b"", None)
    if endpoint is ORIGIN:
        failing = None
    limit = _TEE_LIMIT if keeps else 0
    if keeps and edge.paces and call.streamed:
        return TimedTee(on_end, rt.now, closing=closing, limit=limit, failing=failing, times=times)
    kind = AwaitedTee if edge.stream_leases else Tee
    return kind(on_end, closing=closing, limit=limit, failing=failing)


def _keep_stream(
    call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, trace: Trace, lookup: Lookup | None,
    times: pace.Times,
) -> bool:  # fmt: skip
    """`keep` for a body that has gone by, as it came over the wire."""
    try:
        if times:
            times = pace.decoded(times, body, reply.header(b"content-encoding").strip().lower())
        body = reply.decode(body)
    except Exception as problem:
        edge.telemetry.mishap("cache save", problem)
        return False
    stored = keep(call, edge, rt, reply, body, trace, lookup, times) is not None
    if stored:
        edge.telemetry.count("stored")
    return stored


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
        tool_calls=said.tool_calls,
    )


def let_go(call: Call, edge: Policies) -> None:
    """Tell other processes that this call, which we may have led, leaves no answer to wait for."""
    if edge.store is not None and edge.store.leases:
        edge.store.release(call.key)
