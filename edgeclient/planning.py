"""Step 6 of a call: probes that are due, and the endpoints to try, in order. No I/O of its own."""

from __future__ import annotations

from collections.abc import Sequence

from .cache.flights import Flight
from .pops.selector import Selector
from .runtime.protocol import Learn, Runtime
from .values import ORIGIN, Call, Endpoint, Route

_FIRST_S = 0.25  # the longest wait for the first probe: the pause of RFC 8305 before another address is tried


async def look(candidates: Sequence[Endpoint], selector: Selector, first: Flight, rt: Runtime) -> None:
    """Begin the probes that are due. They run beside the call: only while nothing at all is known it waits for `first`.

    That lands with the first answer to a probe, or with what others measured. The nearest endpoint is the first to answer,
    so that this takes one round trip to it, and saves several to another.
    """
    due = selector.due(rt.now())
    if due and rt.probe(due, _learner(selector, first, rt)):
        selector.probing(due, rt.now())
    if first.landed is not None or len(candidates) < 2:
        return
    if (selector.looks or selector.recalling) and selector.lost(candidates):
        await rt.wait(first, _FIRST_S)


def _learner(selector: Selector, first: Flight, rt: Runtime) -> Learn:
    def learn(endpoint: Endpoint, rtts_s: list[float], took_s: float) -> None:
        selector.probed(endpoint, rtts_s, rt.now(), took_s)
        if rtts_s:
            for wake in first.land(stored=True):
                wake()

    return learn


def able(call: Call, candidates: Sequence[Endpoint], origin: str) -> tuple[Sequence[Endpoint], dict[str, str]]:
    """The candidates that can serve what this call asks for, and why the others cannot, by name.

    Only products say no; where none does it is the same sequence, by which orders of it are kept.
    """
    why = {e.name: no for e in candidates if e.product is not None and (no := e.product.cannot(call)) is not None}
    able_ones = tuple([e for e in candidates if e.name not in why]) if why else candidates
    return _clear(call, able_ones, origin), why


def _clear(call: Call, candidates: Sequence[Endpoint], origin: str) -> Sequence[Endpoint]:
    """Without those whose cache cannot be passed by, for a call that wants to pass it, while anything else is left."""
    if call.controls.lookup and call.controls.store and call.controls.max_age_s is None:
        return candidates
    clear = tuple([e for e in candidates if e.product is None or not e.product.opaque_cache])
    all_clear = len(clear) == len(candidates)
    return candidates if all_clear or (not clear and origin == "never") else clear


def plan(call: Call, candidates: Sequence[Endpoint], selector: Selector, origin: str, now: float) -> list[Endpoint]:
    """The endpoints to try, in order. `origin` says where the client's own stands: "last", "never", or as a "candidate"."""
    if not candidates:
        return [] if origin == "never" else [ORIGIN]
    good, rest = selector.plan(candidates, now, again=call.retry > 0, call=call)
    if origin != "last":
        return [*good, *rest]
    if good and call.route is Route.INFERENCE and selector.origin_is_faster(good, call, now):
        return [ORIGIN, *good, *rest]
    return [*good, ORIGIN, *rest]
