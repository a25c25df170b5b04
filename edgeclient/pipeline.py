"""One call, from the request to the answer: nine steps, read top to bottom. No I/O of its own, no clock, no chance.

It is written once, as `async def`, and never touches asyncio: whatever waits is asked of the `Runtime`. In sync clients
nothing ever suspends (see runtime/protocol.py), so the same lines serve both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from . import attempts, planning
from .attempts import Budget, Trace
from .cache import upstream
from .cache.flights import Flight
from .cache.streams import Stream
from .cascading import ask_first, note_use
from .errors import RouteError
from .keeping import keep, keep_parts, let_go, tee_of
from .parting import respond_in_parts
from .policies import Policies
from .pops import identity
from .reading_along import offer, read_along, stream_key
from .recalling import not_cached, recall, recall_alike, recall_led, recall_stale
from .reporting import notes_of, report_error
from .routing import cascade
from .routing.knowledge import Named, names_of, news_of
from .routing.lifecycle import Stage
from .runtime.protocol import Runtime
from .telemetry.events import Event
from .values import ORIGIN, Call, Endpoint, Reply, Route

if TYPE_CHECKING:
    from .cache.semantic import Lookup


async def respond(call: Call, edge: Policies, rt: Runtime) -> Reply:
    """Answer a call that step 1 made (classifying.py).

    Raises what the plain SDK's HTTP client would raise, or RouteError where the settings forbid the call.
    """
    began = rt.now()
    if call.model and edge.settings.retired != "ignore":
        if call.first_model or edge.renamed:
            for name in names_of(call, edge.renamed):
                _mind_end(call, name, edge, rt, began)
        elif edge.models.state(call.model, call.provider, rt.wall()).is_news:
            _mind_end(call, Named(call.model, call.provider), edge, rt, began)  # 2 a model that ends
    if call.parts:
        return await respond_in_parts(call, edge, rt, began, _fetch)
    reply = await recall(call, edge, rt, began)  # 3 exact cache
    if reply is not None:
        if reply.notes is not None and reply.notes.ttl_s is not None and reply.notes.ttl_s <= 0:
            _refresh(call, edge, rt)
        return reply
    flight, leading = _fly(call, edge)  # 4 flight: of the same calls at once one leads, the others follow
    if flight is not None and not leading:
        landed = await rt.wait(flight, edge.settings.flight_wait_s)
        reply = None
        if landed:
            reply = await (
                read_along(call, edge, rt, began, flight)
                if isinstance(flight, Stream)
                else recall(call, edge, rt, began, collapsed=True)
            )
        flight = None  # an answer that was not stored, or not in time: on its own, and all at once
        if reply is not None:
            return reply
    stored, lookup = False, None
    try:
        if flight is not None and _waits_for_others(call, edge):  # who leads here follows, where another process leads
            reply = await recall_led(call, edge, rt, began)
            stored = reply is not None
        if reply is None and call.question is not None:
            reply, lookup = await recall_alike(call, edge, rt, began)  # 5 semantic cache
        if reply is None and call.controls.only_if_cached:
            reply = not_cached(call, edge, rt, began)
        if reply is None:
            reply, stored = await _fetch(call, edge, rt, began, lookup)
        return reply
    finally:
        if isinstance(flight, Stream):
            offer(flight, reply, stored=stored)
        elif flight is not None:
            edge.flights.land(flight, stored=stored)
        if flight is not None and not stored and (reply is None or reply.tee is None):  # else the tee will tell
            let_go(call, edge)


def _waits_for_others(call: Call, edge: Policies) -> bool:
    return edge.stream_leases if call.live else edge.leases


def _refresh(call: Call, edge: Policies, rt: Runtime) -> None:
    """Ask anew, beside the call, for the answer that it was given although it is stale (RFC 5861, section 3)."""
    refreshes = edge.refreshes
    if not refreshes.begin(call.key, rt.now()):
        return

    async def steps() -> None:
        stored = False
        try:
            _, stored = await _fetch(replace(call, live=False), edge, rt, rt.now())
            if not stored:
                edge.telemetry.mishap("cache refresh", ValueError("there is no new answer that may be stored"))
        except Exception as error:
            edge.telemetry.mishap("cache refresh", error)
        finally:
            refreshes.ended(call.key, rt.now(), stored=stored)

    if rt.beside(steps):
        edge.telemetry.count("refreshes")
    else:
        refreshes.ended(call.key, rt.now(), stored=False)


def _mind_end(call: Call, name: Named, edge: Policies, rt: Runtime, began: float) -> None:
    """Say that a model has ended or will soon, as the settings want it said. It is never swapped here."""
    state = edge.models.state(name.model, name.provider, rt.wall())
    if not state.is_news:
        return
    over = state.stage is Stage.RETIRED
    if call.retry == 0:
        edge.telemetry.count("retired models" if over else "ending models")
    news = news_of(name.model, state, name.setting)
    if over and edge.settings.retired == "raise":
        report_error(call, edge, Trace(), rt, began, RouteError.__name__)
        raise RouteError(f"{news}, or set retired='warn' to send it all the same")
    edge.telemetry.advise(f"{name.setting} {name.model}" if name.setting else name.model, news)


def _fly(call: Call, edge: Policies) -> tuple[Flight | None, bool]:
    if (call.live and not call.streamed) or not call.key or not (call.controls.lookup and call.controls.store):
        return None, False
    return edge.streams.join(stream_key(call)) if call.live else edge.flights.join(call.key)


async def _fetch(
    call: Call, edge: Policies, rt: Runtime, began: float, lookup: Lookup | None = None
) -> tuple[Reply, bool]:
    """Steps 6 to 9 of a call that the cache did not answer: its reply, and whether that is in the cache now."""
    trace = Trace()
    total_s = edge.settings.total_s
    deadline = rt.now() + total_s if total_s is not None else float("inf")
    try:
        leg, reply = call, None
        if call.first_model and not call.retry:  # a retry of the SDK: the small model had its turn
            leg, reply = await _first(call, edge, rt, trace, deadline)
        if reply is None:
            leg, reply = call, await _send(call, edge, rt, trace, deadline)  # 6 plan and 7 attempts
            if call.first_model:
                note_use(call, reply, edge.models, trace)
    except BaseException as error:
        stale = await recall_stale(call, edge, rt, began, trace) if trace.given_up else None
        if stale is not None:
            return stale, False
        report_error(call, edge, trace, rt, began, type(error).__name__)
        raise
    if trace.given_up:
        stale = await recall_stale(call, edge, rt, began, trace)
        if stale is not None:
            await rt.close(reply)
            return stale, False
    return _told(leg, edge, rt, began, trace, reply, lookup)


def _told(
    call: Call, edge: Policies, rt: Runtime, began: float, trace: Trace, reply: Reply, lookup: Lookup | None
) -> tuple[Reply, bool]:
    """Steps 8 and 9: learn from the answer, keep it, and say what happened. `call` is the leg that was answered."""
    pop = identity.of(reply)
    trace.pop = pop.code if pop is not None else ""
    trace.beyond = upstream.of(reply)
    if edge.selector.answered_at(trace.endpoint, pop, call, rt.now(), reply.rtt_s):
        rt.replace(reply)
    fresh_s: float | None = None  # while it is in the cache
    if reply.body is not None:
        if call.method == "GET" and call.provider and reply.status == 200 and _lists_models(call.path):
            edge.models.learn(call.provider, reply.body)
        if call.parts:
            fresh_s = keep_parts(call, edge, rt, reply, reply.body, trace)
        else:
            fresh_s = keep(call, edge, rt, reply, reply.body, trace, lookup)  # 8 keep
    elif reply.native is not None and call.dialect is not None:
        reply.tee = tee_of(call, edge, rt, reply, trace, lookup)  # or watch
    reply.notes = notes_of(call, edge, trace, rt, began, reply, fresh_s)  # 9 notes
    edge.telemetry.emit(Event(rt.wall(), call.model, reply.notes, status=reply.status))
    return reply, fresh_s is not None


def _lists_models(path: str) -> bool:
    """True for what a provider says about its models (OpenAI's may have a `shutdown_date`)."""
    return path == "/models" or path.startswith("/models/")


async def _first(call: Call, edge: Policies, rt: Runtime, trace: Trace, deadline: float) -> tuple[Call, Reply | None]:
    """Of a cascade: the small model's question and its answer, if that is good enough."""
    steps = edge.settings.cascade[call.model]
    leg = cascade.first_leg(call, steps)
    serving = edge.candidates.of(leg.sdk, leg.model, leg.route, leg.residency)
    if ORIGIN in serving:
        serving = tuple([endpoint for endpoint in serving if endpoint is not ORIGIN])
    candidates, _ = planning.able(leg, serving, "never")
    _look_up(edge, rt)
    await planning.look(candidates, edge.selector, edge.first_look, rt)
    budget = _budget(edge, 1, deadline)
    budget.goes_on = True
    trace.first_model = leg.model
    reply = await ask_first(leg, steps, candidates, edge.selector, budget, rt, trace, edge.models, edge.telemetry)
    trace.first_model = ""
    return leg, reply


async def _send(call: Call, edge: Policies, rt: Runtime, trace: Trace, deadline: float) -> Reply:
    candidates: Sequence[Endpoint] = ()
    unable: dict[str, str] = {}
    if call.route is not Route.DIRECT:
        candidates = edge.candidates.of(call.sdk, call.model, call.route, call.residency)
        if edge.candidates.products:
            candidates, unable = planning.able(call, candidates, edge.candidates.origin)
        _look_up(edge, rt)
        await planning.look(candidates, edge.selector, edge.first_look, rt)
    origin = "last" if call.keeps_origin or not edge.endpoints else edge.candidates.origin
    endpoints = planning.plan(call, candidates, edge.selector, origin, rt.now())
    if not endpoints:
        limit, remedy = _limits(edge)
        raise RouteError(
            f"no endpoint serves {call.method} {call.path} (model {call.model!r}{_reasons(unable)}) and {limit} forbids the "
            f"client's own; add an endpoint for it, or {remedy}"
        )
    budget = _budget(edge, edge.settings.max_attempts if call.retry == 0 else 1, deadline)
    return await attempts.send(call, endpoints, edge.selector, budget, rt, trace)


def _budget(edge: Policies, requests: int, deadline: float) -> Budget:
    settings = edge.settings
    return Budget(
        attempts=requests,
        deadline=deadline,
        connect_s=settings.connect_s,
        retry_sent=settings.retry_sent,
        retries=edge.retries,
        hedging=edge.hedging,
    )


def _look_up(edge: Policies, rt: Runtime) -> None:
    """Before each plan: was there a sleep, and is there something to recall or to write down?"""
    now, memory = rt.now(), edge.memory
    slept = edge.wake.woke(now, rt.uptime())
    if slept:
        edge.selector.woke()
    if memory is not None and (slept or now >= memory.next_at):
        memory.visit(now, slept=slept)


def _reasons(unable: Mapping[str, str]) -> str:
    """Why endpoints that have the model cannot serve a call."""
    return "".join(f"; {name}: {why}" for name, why in unable.items())


def _limits(edge: Policies) -> tuple[str, str]:
    """Which setting keeps a call from the client's own origin, and how to let it go there."""
    if edge.settings.origin == "never":
        return "origin='never'", "set origin='last'"
    return f"allow_regions={list(edge.settings.allow_regions)}", "add 'origin' to the regions"
