"""Step 9 of a call: what is said about it, as notes on the answer and as an event."""

from __future__ import annotations

from .attempts import Trace
from .dialects.usage import TOKENS
from .noting import Notes, Used
from .policies import Policies
from .routing import caching
from .routing.knowledge import Knowledge
from .runtime.protocol import Runtime
from .telemetry.events import Event
from .values import UNSAID, Call, Json, Reply


def used_of(call: Call, answer: Json, models: Knowledge) -> Used | None:
    """The tokens that an answer says it took, and their cost where prices are known; None where it does not say."""
    read = TOKENS.get(call.dialect.name) if call.dialect is not None else None
    tokens = read(answer) if read is not None else None
    return None if tokens is None else Used(call.model, *tokens, cost=models.cost_of(call.model, *tokens))


def notes_of(
    call: Call,
    edge: Policies,
    trace: Trace,
    rt: Runtime,
    began: float,
    reply: Reply | None = None,
    fresh_s: float | None = None,
) -> Notes:
    """The notes of a call that the cache did not answer. `fresh_s`: for how long it will, where the answer is stored."""
    cache = "off"
    if edge.store is not None and call.dialect is not None:
        cache = "miss" if call.key and call.controls.lookup else "bypass"
    rtt_s = reply.rtt_s if reply is not None else None
    sent = len(trace.tried)
    leg = ""
    if sent and (call.stands_in or call.first_model):
        leg = "first" if call.stands_in else "second"
    return Notes(
        route=call.route._value_,
        endpoint=trace.endpoint.name if sent else "",
        pop=trace.pop,
        attempts=sent,
        tried=tuple(trace.tried),
        cache=cache,
        reason=call.reason,
        upstream_cache=trace.beyond.said,
        upstream_age_s=trace.beyond.age_s,
        key=call.key,
        known=call.known,
        rtt_ms=None if rtt_s is None else rtt_s * 1e3,
        took_ms=(rt.now() - began) * 1e3,
        stored=fresh_s is not None,
        ttl_s=fresh_s,
        model=call.model,
        asked_model=call.asked_model,
        cascade=leg,
        used=tuple(trace.used),
        untold=() if call.controls is UNSAID or not sent else _untold(call, trace),
    )


def _untold(call: Call, trace: Trace) -> tuple[str, ...]:
    return caching.untold(trace.endpoint, call.controls, call.sdk, is_there=bool(trace.beyond.said))


def report_error(call: Call, edge: Policies, trace: Trace, rt: Runtime, began: float, error: str) -> None:
    """The event of a call that ends with an exception. `error`: its class name."""
    edge.telemetry.emit(Event(rt.wall(), call.model, notes_of(call, edge, trace, rt, began), error=error))
