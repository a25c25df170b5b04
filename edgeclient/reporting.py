"""Step 9 of a call: what is said about it, as notes on the answer and as an event."""

from __future__ import annotations

from .attempts import Trace
from .cache import policy, upstream
from .noting import Notes
from .policies import Policies
from .routing import caching
from .runtime.protocol import Runtime
from .telemetry.events import Event
from .values import UNSAID, Call, Reply


def notes_of(
    call: Call,
    edge: Policies,
    trace: Trace,
    rt: Runtime,
    began: float,
    reply: Reply | None = None,
    pop: str = "",
    stored: bool = False,
) -> Notes:
    """The notes of a call that the cache did not answer."""
    cache, beyond, rtt_s = "off", upstream.SILENT, None
    if edge.store is not None and call.dialect is not None:
        cache = "miss" if call.key and call.controls.lookup else "bypass"
    if reply is not None:
        rtt_s = reply.rtt_s
        beyond = upstream.of(reply)
    sent = len(trace.tried)
    leg = ""
    if sent and (call.stands_in or call.first_model):
        leg = "first" if call.stands_in else "second"
    return Notes(
        route=call.route.value,
        endpoint=trace.endpoint.name if sent else "",
        pop=pop,
        attempts=sent,
        tried=tuple(trace.tried),
        cache=cache,
        reason=call.reason,
        upstream_cache=beyond.said,
        upstream_age_s=beyond.age_s,
        key=call.key,
        known=call.known,
        rtt_ms=None if rtt_s is None else rtt_s * 1e3,
        took_ms=(rt.now() - began) * 1e3,
        stored=stored,
        ttl_s=beyond.lifetime_s(policy.ttl_s(call, edge.settings.cache)) if stored else None,
        model=call.model,
        asked_model=call.asked_model,
        cascade=leg,
        used=tuple(trace.used),
        untold=() if call.controls is UNSAID or not sent else _untold(call, trace, beyond),
    )


def _untold(call: Call, trace: Trace, beyond: upstream.Upstream) -> tuple[str, ...]:
    return caching.untold(trace.endpoint, call.controls, call.sdk, is_there=bool(beyond.said))


def report_error(call: Call, edge: Policies, trace: Trace, rt: Runtime, began: float, error: str) -> None:
    """The event of a call that ends with an exception. `error`: its class name."""
    edge.telemetry.emit(Event(rt.wall(), call.model, notes_of(call, edge, trace, rt, began), error=error))
