"""One call, from the request to the answer: nine steps, read top to bottom. No I/O of its own, no clock, no chance.

It is written once, as `async def`, and never touches asyncio: whatever waits is asked of the `Runtime`. In sync clients
nothing ever suspends (see runtime/protocol.py), so the same lines serve both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import attempts
from .attempts import Budget, Trace
from .cache import controls, policy, upstream
from .cache.flights import Flight, Flights
from .cache.key import credential_digest, exact_key
from .cache.semantic import Semantic
from .cache.stores import Store
from .cache.tee import Tee
from .cascading import ask_first
from .dialects import dialect_of
from .dialects.texts import TEXTS
from .errors import RouteError
from .noting import Notes
from .pops.hedging import Hedging
from .pops.identity import pop_of
from .pops.memory import Memory
from .pops.retry_budget import RetryBudget
from .pops.selector import Selector
from .pops.wake import Wake
from .routing import cascade, routes
from .routing.knowledge import Knowledge, news_of
from .routing.lifecycle import Stage
from .runtime.protocol import Runtime
from .telemetry.events import Event, Telemetry
from .values import (
    ORIGIN,
    UNSAID,
    Call,
    Controls,
    Dialect,
    Endpoint,
    Entry,
    Failure,
    Json,
    Outcome,
    Reply,
    Request,
    Route,
)

if TYPE_CHECKING:
    from .settings import Cascade, Settings

_TEE_LIMIT = 8 * 2**20
_OPENING = 1024  # bytes by which a conversation is told


@dataclass(slots=True)
class Policies:
    """The policies and the state that one edge owns, as the pipeline sees them."""

    settings: Settings
    endpoints: tuple[Endpoint, ...]
    origins: frozenset[str]  # whose calls may be re-routed, besides the SDKs' own
    selector: Selector
    store: Store | None  # None: the cache is off
    flights: Flights
    semantic: Semantic
    telemetry: Telemetry
    first_look: Flight = field(default_factory=lambda: Flight(""))  # lands when the first probe was answered
    retries: RetryBudget = field(default_factory=RetryBudget)
    hedging: Hedging | None = None  # None: no call is hedged
    memory: Memory | None = None  # None: nothing is kept between processes
    wake: Wake = field(default_factory=Wake)
    candidates: routes.Candidates = field(init=False)
    models: Knowledge = field(init=False)
    routes: routes.Rules = field(init=False)

    def __post_init__(self) -> None:
        said = self.settings
        self.models = Knowledge(said.models)
        self.routes = routes.Rules(said.routes, self.models)
        self.candidates = routes.Candidates(self.endpoints, origin=said.origin, regions=said.allow_regions)


def classify(request: Request, edge: Policies) -> Call:
    """Step 1: what is asked, which way it goes, and whether the cache may answer. Never raises on odd requests."""
    found = dialect_of(request.method, request.path)
    if found is not None and request.sdk not in ("", found[0]):
        found = None
    body = _object(request.body) if found is not None or edge.settings.aliases else None
    body, asked_model = _aliased(body, request, edge) if edge.settings.aliases else (body, "")
    retry, idempotent, says, way = _words(request, edge)
    own = not request.fixed and (request.default_origin or request.origin in edge.origins)
    provider = request.sdk if request.default_origin else ""
    said = _said(request, edge, cacheable=found is not None) if says else UNSAID
    if found is None or body is None:
        return Call(
            sdk=request.sdk,
            method=request.method,
            origin=request.origin,
            path=request.path,
            model=str(body["model"]) if body is not None and asked_model else "",
            live=True if request.live is None else request.live,
            controls=said,
            keeps_origin=not own,
            retry=retry,
            provider=provider,
            asked_model=asked_model,
        )
    sdk, dialect = found
    model = str(body.get("model", ""))
    streamed = body.get("stream") is True
    route = (way or edge.routes.of(model)) if own and edge.endpoints else Route.DIRECT
    digest = credential_digest(request.headers) if edge.store is not None else ""
    key = ""
    live = streamed if request.live is None else request.live
    steps = None if live or streamed or way is not None or not own else _steps(model, dialect, body, edge)
    if digest and (said.store or said.lookup) and cascade.is_lasting(steps):
        key = exact_key(
            credential=digest,
            method=request.method,
            origin=request.origin,
            path=request.path,
            query=request.query,
            family=f"{dialect.name}/{route.value}{cascade.stamp(steps)}",
            headers=request.headers,
            body=body,
        )
    return Call(
        sdk=sdk,
        method=request.method,
        origin=request.origin,
        path=request.path,
        model=model,
        route=route,
        dialect=dialect,
        body=body,
        size=len(request.body),
        opening=hash(request.body[:_OPENING]) if len(request.body) > _OPENING else 0,
        streamed=streamed,
        live=live,
        key=key,
        controls=said,
        idempotent=bool(key) or idempotent,
        keeps_origin=not own or (way or edge.routes.said(model)) is Route.DIRECT,
        retry=retry,
        residency=request.residency,
        provider=provider,
        asked_model=asked_model,
        first_model=steps.first if steps is not None else "",
    )


def _steps(model: str, dialect: Dialect, body: Json, edge: Policies) -> Cascade | None:
    """The cascade that this question goes through, if any."""
    said = edge.settings.cascade.get(model)
    return said if said is not None and dialect.name in TEXTS and cascade.fits(body) else None


def _said(request: Request, edge: Policies, *, cacheable: bool) -> Controls:
    """What the caller says about caching. Where this cache is off, or never has the answer, those behind it are meant."""
    said = controls.read(request.headers)
    return said if edge.store is not None and cacheable else Controls(said.store, said.lookup, said.max_age_s)


def _aliased(body: Json | None, request: Request, edge: Policies) -> tuple[Json | None, str]:
    """The body with the model that an alias says, and the name that stood there; "" when no alias fits.

    Before anything else is decided: the route, the cache's key and what is sent follow the new name.
    """
    model = body.get("model") if body is not None else None
    instead = edge.settings.aliases.get(model) if isinstance(model, str) else None
    if body is None or instead is None:
        return body, ""
    if any(name == "authorization" and value.startswith("AWS4-") for name, value in request.headers):
        edge.telemetry.mishap("alias", ValueError(f"{model}: the request is signed, so its body may not change"))
        return body, ""
    return {**body, "model": instead}, str(model)


async def respond(call: Call, edge: Policies, rt: Runtime) -> Reply:
    """Answer a call. Raises what the plain SDK's HTTP client would raise, or RouteError where the settings forbid it."""
    began = rt.now()
    _mind_end(call, edge, rt, began)
    reply = await _recall(call, edge, rt, began)  # 3 exact cache
    if reply is not None:
        return reply
    flight, leading = _fly(call, edge)  # 4 flight: of the same calls at once one leads, the others follow
    if flight is not None and not leading:
        landed = await rt.wait(flight, edge.settings.flight_wait_s)
        reply = await _recall(call, edge, rt, began, collapsed=True) if landed else None
        flight = None  # an answer that was not stored, or not in time: on its own, and all at once
        if reply is not None:
            return reply
    stored = False
    try:
        reply = _alike(call, edge, rt, began)  # 5 semantic cache
        if reply is None and call.controls.only_if_cached:
            reply = _not_cached(call, edge, rt, began)
        if reply is None:
            reply, stored = await _fetch(call, edge, rt, began)
        return reply
    finally:
        _land(edge, flight, stored=stored)


def _mind_end(call: Call, edge: Policies, rt: Runtime, began: float) -> None:
    """Say that a model has ended or will soon, as the settings want it said. It is never swapped here."""
    said = edge.settings.retired
    if said == "ignore" or not call.model:
        return
    state = edge.models.state(call.model, call.provider, rt.wall())
    over = state.stage is Stage.RETIRED
    if not (over or state.soon):
        return
    if call.retry == 0:
        edge.telemetry.count("retired models" if over else "ending models")
    news = news_of(call.model, state)
    if over and said == "raise":
        edge.telemetry.emit(
            Event(rt.wall(), call.model, _notes(call, edge, Trace(), rt, began), error=RouteError.__name__)
        )
        raise RouteError(f"{news}, or set retired='warn' to send it all the same")
    edge.telemetry.advise(call.model, news)


async def _fetch(call: Call, edge: Policies, rt: Runtime, began: float) -> tuple[Reply, bool]:
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
    except BaseException as error:
        stale = await _stale(call, edge, rt, began, trace) if trace.given_up else None
        if stale is not None:
            return stale, False
        notes = _notes(call, edge, trace, rt, began)
        edge.telemetry.emit(Event(rt.wall(), call.model, notes, error=type(error).__name__))
        raise
    stale = await _stale(call, edge, rt, began, trace) if trace.given_up else None
    if stale is not None:
        await rt.close(reply)
        return stale, False
    pop = pop_of(reply.headers)
    edge.selector.answered_at(trace.endpoint, pop, leg, rt.now())
    code = pop.code if pop is not None else ""
    stored = False
    if reply.body is not None and _lists_models(call, reply):
        edge.models.learn(call.provider, reply.body)
    if reply.body is not None:
        stored = await _keep(leg, edge, rt, reply, reply.body, trace.endpoint, code)
    elif reply.native is not None and call.dialect is not None:
        reply.tee = _tee(call, edge, rt, reply, trace.endpoint, code)  # 8 tee
    reply.notes = _notes(leg, edge, trace, rt, began, reply, code, stored)  # 9 notes
    edge.telemetry.emit(Event(rt.wall(), leg.model, reply.notes, status=reply.status))
    return reply, stored


def _lists_models(call: Call, reply: Reply) -> bool:
    """True for what a provider's own origin says about its models (OpenAI's may have a `shutdown_date`)."""
    asked = call.method == "GET" and (call.path == "/models" or call.path.startswith("/models/"))
    return asked and call.provider != "" and reply.status == 200


async def _first(call: Call, edge: Policies, rt: Runtime, trace: Trace, deadline: float) -> tuple[Call, Reply | None]:
    """Of a cascade: the small model's question and its answer, if that is good enough."""
    leg = cascade.first_leg(call)
    serving = edge.candidates.of(leg.sdk, leg.model, leg.route, leg.residency)
    if ORIGIN in serving:
        serving = tuple([endpoint for endpoint in serving if endpoint is not ORIGIN])
    candidates, _ = attempts.able(leg, serving, "never")
    _look_up(edge, rt)
    await attempts.look(candidates, edge.selector, edge.first_look, rt)
    budget = _budget(edge, 1, deadline)
    budget.goes_on = True
    steps = edge.settings.cascade[call.model]
    trace.first_model = leg.model
    reply = await ask_first(leg, steps, candidates, edge.selector, budget, rt, trace, edge.telemetry)
    trace.first_model = ""
    return leg, reply


async def _send(call: Call, edge: Policies, rt: Runtime, trace: Trace, deadline: float) -> Reply:
    candidates: Sequence[Endpoint] = ()
    unable: dict[str, str] = {}
    if call.route is not Route.DIRECT:
        candidates = edge.candidates.of(call.sdk, call.model, call.route, call.residency)
        if edge.candidates.products:
            candidates, unable = attempts.able(call, candidates, edge.candidates.origin)
        _look_up(edge, rt)
        await attempts.look(candidates, edge.selector, edge.first_look, rt)
    origin = "last" if call.keeps_origin or not edge.endpoints else edge.candidates.origin
    endpoints = attempts.plan(call, candidates, edge.selector, origin, rt.now())
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


async def _recall(
    call: Call, edge: Policies, rt: Runtime, began: float, *, collapsed: bool = False, stale_s: float = 0.0,
    trace: Trace | None = None,
) -> Reply | None:  # fmt: skip
    """The answer that the exact cache has for this call. A store that fails, or a broken entry, is a miss."""
    if edge.store is None or not call.key or not call.controls.lookup:
        return None
    try:
        entry = await rt.load(edge.store, call.key)
        if entry is None or not policy.usable(entry, call, rt.wall(), stale_s):
            return None
        return _hit(call, entry, edge, rt, began, collapsed, trace)
    except Exception as error:
        edge.telemetry.mishap("cache load", error)
        return None


async def _stale(call: Call, edge: Policies, rt: Runtime, began: float, trace: Trace) -> Reply | None:
    """After an outage: the answer that was fresh until a short while ago (RFC 5861, section 4), if that is wanted."""
    stale_s = policy.stale_s(call.controls, edge.settings.cache.stale_if_error_s)
    if not trace.shows_outage or stale_s <= 0:
        return None
    reply = await _recall(call, edge, rt, began, stale_s=stale_s, trace=trace)
    if reply is not None:
        edge.telemetry.count("stale answers")
    return reply


def _alike(call: Call, edge: Policies, rt: Runtime, began: float) -> Reply | None:
    """The answer of an entry whose question means the same, within the stated error. A matcher that fails finds none."""
    if not call.key or not call.controls.lookup:
        return None
    try:
        entry = edge.semantic.match(call, rt.wall())
        return _hit(call, entry, edge, rt, began, False) if entry is not None else None
    except Exception as error:
        edge.telemetry.mishap("semantic cache", error)
        return None


def _fly(call: Call, edge: Policies) -> tuple[Flight | None, bool]:
    asks_alone = call.live or not call.key or not (call.controls.lookup and call.controls.store)
    return (None, False) if asks_alone else edge.flights.join(call.key)


def _land(edge: Policies, flight: Flight | None, *, stored: bool) -> None:
    if flight is not None:
        edge.flights.land(flight, stored=stored)


def _hit(
    call: Call, entry: Entry, edge: Policies, rt: Runtime, began: float, collapsed: bool, trace: Trace | None = None
) -> Reply:
    """The answer of an entry. `trace`: what was tried before, of a call that it answers although it is stale."""
    tried = tuple(trace.tried) if trace is not None else ()
    wall = rt.wall()
    body = policy.render(entry, call, wall)
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
        collapsed=collapsed,
        original_id=entry.id,
        took_ms=(rt.now() - began) * 1e3,
        model=call.model,
        asked_model=call.asked_model,
    )
    edge.telemetry.emit(Event(wall, call.model, notes, status=200))
    return Reply(200, [(b"content-type", kind), *entry.headers], body, notes=notes)


def _not_cached(call: Call, edge: Policies, rt: Runtime, began: float) -> Reply:
    """RFC 9111, section 5.2.1.7: 504 for `only-if-cached` on a miss; the SDKs are told not to retry it."""
    body = json.dumps(
        {"error": {"message": "only-if-cached: no fresh answer is stored", "type": "cache_miss"}}
    ).encode()
    notes = _notes(call, edge, Trace(), rt, began)
    edge.telemetry.emit(Event(rt.wall(), call.model, notes, status=504))
    return Reply(504, [(b"content-type", b"application/json"), (b"x-should-retry", b"false")], body, notes=notes)


async def _keep(
    call: Call, edge: Policies, rt: Runtime, reply: Reply, body: bytes, endpoint: Endpoint, pop: str
) -> bool:
    """Store a complete answer if it may be stored. A store that fails costs nothing but the entry."""
    if edge.store is None or not call.key or not call.controls.store:
        return False
    try:
        entry = _entry(call, edge, reply, body, endpoint, pop, rt.wall())
        return entry is not None and await rt.save(edge.store, entry)
    except Exception as error:
        edge.telemetry.mishap("cache save", error)
        return False


def _entry(
    call: Call, edge: Policies, reply: Reply, body: bytes, endpoint: Endpoint, pop: str, now: float
) -> Entry | None:
    said = edge.settings.cache
    stale_s = policy.kept_stale_s(call.controls, said.stale_if_error_s)
    return policy.entry_of(
        call,
        reply.status,
        reply.headers,
        body,
        now=now,
        ttl_s=said.ttl_s,
        stale_s=stale_s,
        endpoint=endpoint.name,
        pop=pop,
    )


def _tee(call: Call, edge: Policies, rt: Runtime, reply: Reply, endpoint: Endpoint, pop: str) -> Tee:
    """Watches a body that goes out live: stores it when it is complete, reports the PoP when it breaks."""
    keeps = edge.store is not None and bool(call.key) and call.controls.store and reply.status == 200
    assert call.dialect is not None
    head_at = rt.now()

    def on_end(body: bytes | None, error: BaseException | None) -> None:
        if error is not None:
            edge.telemetry.count("broken streams")
            if endpoint is not ORIGIN or not call.keeps_origin:
                now = rt.now()
                broke = Outcome(endpoint, Failure.TERMINATED, reply.status, took_s=now - head_at)
                edge.selector.record(broke, now)
        if body is None or not keeps or edge.store is None:
            return
        try:
            entry = _entry(call, edge, reply, reply.decode(body), endpoint, pop, rt.wall())
            if entry is not None and edge.store.save(entry, rt.wall()):
                edge.telemetry.count("stored")
        except Exception as problem:
            edge.telemetry.mishap("cache save", problem)

    return Tee(on_end, closing=call.dialect.closing if call.streamed else b"", limit=_TEE_LIMIT if keeps else 0)


def _notes(
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
    cache = "off"
    if edge.store is not None and call.dialect is not None:
        cache = "miss" if call.key and call.controls.lookup else "bypass"
    rtt_s = reply.rtt_s if reply is not None else None
    beyond = upstream.read(reply.headers) if reply is not None else upstream.SILENT
    return Notes(
        route=call.route.value,
        endpoint=trace.endpoint.name if trace.tried else "",
        pop=pop,
        attempts=len(trace.tried),
        tried=tuple(trace.tried),
        cache=cache,
        upstream_cache=beyond.said,
        upstream_age_s=beyond.age_s,
        key=call.key,
        rtt_ms=None if rtt_s is None else rtt_s * 1e3,
        took_ms=(rt.now() - began) * 1e3,
        stored=stored,
        ttl_s=beyond.lifetime_s(edge.settings.cache.ttl_s) if stored else None,
        model=call.model,
        asked_model=call.asked_model,
        cascade=_leg_of(call) if trace.tried else "",
    )


def _leg_of(call: Call) -> str:
    if call.stands_in:
        return "first"
    return "second" if call.first_model else ""


def _object(body: bytes) -> Json | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _words(request: Request, edge: Policies) -> tuple[int, bool, bool, Route | None]:
    """Which retry of the SDK this is, whether there is an idempotency key or a word about caching, and `Edge-Route`."""
    retry, idempotent, says, way = 0, False, False, None
    for name, value in request.headers:
        if name == "x-stainless-retry-count":
            retry = int(value) if value.isdecimal() and len(value) < 4 else 0
        elif name == "idempotency-key":
            idempotent = True
        elif name == "cache-control":
            says = True
        elif name == "edge-route":
            way = _route(value, edge)
    return retry, idempotent, says, way


def _route(said: str, edge: Policies) -> Route | None:
    try:
        return Route(said.strip().lower())
    except ValueError:
        edge.telemetry.mishap("Edge-Route", ValueError(f"{said!r} is no route; say inference, gateway or direct"))
        return None
