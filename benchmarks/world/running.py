"""One run: a rule serves the traffic of all clients through edgeclient's own `attempts` under its virtual runtime."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from edgeclient import attempts, planning
from edgeclient.attempts import Budget, Trace
from edgeclient.routing import presets
from edgeclient.routing.systems import Bound
from edgeclient.runtime.virtual import VirtualRuntime, World
from edgeclient.values import Call, Endpoint, Reply, Route

from .data import Paths
from .network import Asked, Site, View, kinds
from .weather import Weather

_ATTEMPTS, _CONNECT_S = 3, 1.0


class PatientRuntime(VirtualRuntime):
    """Tells the network how long a caller waits for a connection."""

    def __init__(self, world: World, view: View) -> None:
        super().__init__(world, view, connect_s=_CONNECT_S)
        self._view = view

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        self._view.patience_s = _CONNECT_S if connect_s is None else connect_s
        return await super().send(call, endpoint, connect_s)


class CountingRuntime(PatientRuntime):
    """Tells a rule which attempts are under way, as those that count them want to know."""

    def __init__(self, world: World, view: View, rule: Any) -> None:
        super().__init__(world, view)
        self._rule = rule

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        self._rule.starting(endpoint)
        try:
            return await super().send(call, endpoint, connect_s)
        finally:
            self._rule.ended(endpoint)


class Dialect:
    """Stands for the API in these calls: what was asked plays no part here."""

    name = "simulated"
    closing = b""


class Rule(Protocol):
    """What a rule of selection has to be: the surface of edgeclient's own `Selector`.

    `looks`: it probes. Baselines count attempts besides; a rule with an allowance `hedging` sends slow calls twice.
    """

    def plan(self, candidates: Any, now: float, *, again: bool = False, call: Call | None = None) -> Any: ...
    def patience_s(self, endpoint: Endpoint, longest_s: float) -> float: ...
    def lost(self, candidates: Any) -> bool: ...
    def record(self, outcome: Any, now: float) -> None: ...
    def due(self, now: float) -> Any: ...
    def probing(self, endpoints: Any, now: float) -> None: ...
    def probed(self, endpoint: Endpoint, rtts_s: Any, now: float, took_s: float) -> None: ...


@dataclass(frozen=True)
class Setting:
    """Where a rule is made: what it may know of its client before the first call."""

    endpoints: tuple[Endpoint, ...]
    chance: random.Random
    client: int
    paths: Paths
    view: View


Make = Callable[[Setting], Rule]


@dataclass
class Run:
    """What came of it."""

    asked: list[Asked]
    went: list[tuple[int, float, int]]  # client, time, PoP that answered
    probes: int
    length_s: float
    weather: Weather
    inference: bool


def traffic(kind: str, seed: int, clients: int, length_s: float) -> list[Asked]:
    """The requests of all clients, in order of time, each with its luck."""
    chance = random.Random(f"traffic {kind} {seed}")
    usual = kinds()[kind].per_s
    found = []
    for client in range(clients):
        rate = usual * chance.lognormvariate(0, 0.5)
        now = chance.expovariate(rate)
        while now < length_s:
            tail = 4.0 if chance.random() < 0.01 else 1.0
            central_s = tail * chance.lognormvariate(math.log(0.45), 0.35)
            luck = tuple(chance.random() for _ in range(4))
            found.append(Asked(client, now, central_s, luck))
            now += chance.expovariate(rate)
    return sorted(found, key=lambda asked: asked.at)


def run(kind: str, make: Make, seed: int, paths: Paths, length_s: float, *, fast: bool) -> Run:
    """Serve a kind's traffic by a rule. `fast`: it notices dead connections by unacknowledged bytes."""
    inference, products = kinds()[kind].inference, kinds()[kind].products
    weather = Weather(seed, paths.clients, paths.pops, length_s)
    site, world = Site(paths, weather, inference=inference, products=products), World()
    endpoints = tuple(_endpoint(p, products) for p in range(paths.pops))
    views = [View(site, c, fast=fast) for c in range(paths.clients)]
    rules = [
        make(Setting(endpoints, random.Random(f"rule {seed} {c}"), c, paths, views[c])) for c in range(paths.clients)
    ]
    runtimes = [
        CountingRuntime(world, view, rule) if hasattr(rule, "starting") else PatientRuntime(world, view)
        for view, rule in zip(views, rules, strict=True)
    ]
    asked = traffic(kind, seed, paths.clients, length_s)
    went: list[tuple[int, float, int]] = []
    for one in asked:
        client = one.client
        world.at(one.at, _serve(one, rules[client], runtimes[client], views[client], endpoints, went, inference))
    world.run()
    return Run(asked, went, sum(view.probes for view in views), length_s, weather, inference)


def _endpoint(pop: int, products: bool) -> Endpoint:
    product = _PRODUCTS[pop % 2] if products else None
    return Endpoint(str(pop), f"https://pop{pop}.example.com/v1", product=product)


async def _serve(
    asked: Asked, rule: Any, rt: VirtualRuntime, view: View, endpoints: tuple[Endpoint, ...], went: Any, inference: bool
) -> None:
    call = Call(
        "openai", "POST", "", "/chat/completions", model="m", route=Route.INFERENCE if inference else Route.GATEWAY,
        idempotent=True, dialect=_DIALECT, keeps_origin=False,
    )  # fmt: skip
    view.asked[id(call)] = asked
    await planning.look(endpoints, rule, view.first_look, rt)
    planned = planning.plan(call, endpoints, rule, "never", rt.now())
    budget = Budget(_ATTEMPTS, math.inf, _CONNECT_S, hedging=getattr(rule, "hedging", None))
    trace = Trace()
    try:
        reply = await attempts.send(call, planned, rule, budget, rt, trace)
    except Exception:
        return
    finally:
        del view.asked[id(call)]
    if reply.status == 200:
        asked.took_s = rt.now() - asked.at
        went.append((asked.client, rt.now(), int(trace.endpoint.name)))


_DIALECT: Any = Dialect()
_PRODUCTS = [Bound(presets.system(name)) for name in ("workers-ai", "fly")]  # only that they are two plays a part
