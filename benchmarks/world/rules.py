"""Rules of selection as published, each with its own constants, behind the surface of edgeclient's `Selector`.

Sources are named at each rule. They were made for data centres, DNS or databases; here they get the same endpoints, the same
three attempts and the same luck. What a rule measures is what it measures at home: answers' times, or probes of its own.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Sequence

from edgeclient.pops.hedging import Hedging
from edgeclient.pops.selector import Selector
from edgeclient.settings import Hedge
from edgeclient.values import UNSENT, Call, Endpoint, Failure, Outcome

from .baseline import INF, Baseline, Plan
from .floor import OwnCalls
from .resolvers import Bind, Knot, Unbound
from .running import Make, Setting


class Random(Baseline):
    """Any order."""

    def figure(self, name: str, now: float) -> float:
        return self.chance.random()


class Oracle(Baseline):
    """Knows the path, the faults and the queue of every PoP at the moment of the choice."""

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> Plan:
        view = self.setting.view
        asked = view.asked[id(call)]
        return sorted(candidates, key=lambda e: view.foreseen_s(asked, int(e.name), now)), []


class LastRtt(Baseline):
    """The lowest round-trip time of the last probe; a probe of everything every 10 s."""

    probe_every_s = 10.0

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.last = {e.name: 1.0 for e in self.endpoints}

    def figure(self, name: str, now: float) -> float:
        return self.last[name]

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        self.last[endpoint.name] = rtts_s[-1] if rtts_s else INF


# MongoDB drivers: mongodb/specifications, source/server-selection/server-selection.md


def ewma(average: float | None, sample: float, alpha: float = 0.2) -> float:
    """The new average; the first sample is taken as it is."""
    return sample if average is None else alpha * sample + (1 - alpha) * average


def window(averages: dict[str, float], width: float = 0.015) -> list[str]:
    """Those within a width of the best, in seconds or in whatever both are in."""
    best = min(averages.values(), default=INF)
    return [name for name, average in averages.items() if average <= best + width]


def choose(names: Sequence[str], pending: dict[str, int], chance: random.Random) -> str:
    """Of two at random the one with fewer operations under way."""
    if len(names) == 1:
        return names[0]
    one, other = chance.sample(list(names), 2)
    return one if pending[one] <= pending[other] else other


class MongoDB(Baseline):
    """The drivers' rule: heartbeats every 10 s, EWMA, a 15 ms window, two choices; a network error makes unknown."""

    probe_every_s = 10.0

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.average: dict[str, float | None] = {e.name: None for e in self.endpoints}

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        known = {e.name: a for e in candidates if (a := self.average[e.name]) is not None}
        if not known:
            return self.chance.sample(candidates, len(candidates))
        near = window(known)
        first = self.pick(near, now)
        rest = sorted(candidates, key=lambda e: (e.name not in near, known.get(e.name, INF), self.chance.random()))
        return [e for e in candidates if e.name == first] + [e for e in rest if e.name != first]

    def pick(self, near: list[str], now: float) -> str:
        return choose(near, self.pending, self.chance)

    def record(self, outcome: Outcome, now: float) -> None:
        if outcome.failure in UNSENT or outcome.failure is Failure.TERMINATED:
            self.average[outcome.endpoint.name] = None

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        name = endpoint.name
        self.average[name] = ewma(self.average[name], rtts_s[-1]) if rtts_s else None


# Finagle: twitter/finagle, PeakEwma.scala and FailureAccrual; linkerd2-proxy: linkerd/load-biaser


class PeakEwma:
    """A time-weighted average that a higher sample replaces at once; it decays while idle."""

    def __init__(self, start_s: float = 0.0) -> None:
        self.cost, self.at = start_s, 0.0

    def add(self, sample: float, now: float) -> None:
        weight = math.exp((self.at - now) / 10.0)
        self.cost = sample if sample > self.cost else self.cost * weight + sample * (1 - weight)
        self.at = now

    def now(self, now: float) -> float:
        return self.cost * math.exp((self.at - now) / 10.0)


class Finagle(Baseline):
    """Power of two choices by peak EWMA x (calls under way + 1), with failure accrual: 5 in a row are dead for a while."""

    failure_costs_s: float | None = None

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.peak = {e.name: PeakEwma() for e in self.endpoints}
        self.in_a_row = dict.fromkeys(self.pending, 0)
        self.dead_until = dict.fromkeys(self.pending, 0.0)
        self.times_dead = dict.fromkeys(self.pending, 0)

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        alive = [e for e in candidates if self.dead_until[e.name] <= now] or candidates
        drawn = self.chance.sample(alive, min(2, len(alive)))
        drawn.sort(key=lambda e: self.load(e.name, now))
        rest = [e for e in alive if e not in drawn]
        self.chance.shuffle(rest)
        return [*drawn, *rest, *(e for e in candidates if e not in alive)]

    def load(self, name: str, now: float) -> float:
        cost, pending = self.peak[name].now(now), self.pending[name]
        return 1e6 + pending if not cost and pending else cost * (pending + 1)

    def record(self, outcome: Outcome, now: float) -> None:
        name = outcome.endpoint.name
        if outcome.failure is None:
            self.peak[name].add(outcome.took_s, now)
            self.in_a_row[name] = self.times_dead[name] = 0
            return
        self.peak[name].add(self.failure_costs_s or outcome.took_s, now)
        self.in_a_row[name] += 1
        if self.in_a_row[name] >= 5 or self.times_dead[name]:
            most = min(300.0, 5.0 * 2 ** self.times_dead[name])
            self.dead_until[name] = now + most / 2 + self.chance.uniform(0, most / 2)
            self.times_dead[name] += 1


class Linkerd(Finagle):
    """The same over all endpoints from 30 ms on, and a failure counts as an answer after 5 s."""

    failure_costs_s = 5.0

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.peak = {e.name: PeakEwma(0.03) for e in self.endpoints}


class MongoPeak(MongoDB):
    """MongoDB's window, and in it the lower penalised peak EWMA of two."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.peak = {e.name: PeakEwma() for e in self.endpoints}

    def pick(self, near: list[str], now: float) -> str:
        drawn = self.chance.sample(near, min(2, len(near)))
        return min(drawn, key=lambda name: self.peak[name].now(now) * (self.pending[name] + 1))

    def record(self, outcome: Outcome, now: float) -> None:
        super().record(outcome, now)
        self.peak[outcome.endpoint.name].add(5.0 if outcome.failure else outcome.took_s, now)


class LiteLLM(Baseline):
    """Lowest mean of the last ten answers, untried first; a timeout counts 1,000 s (litellm 1.109, lowest_latency.py)."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.samples: dict[str, deque[float]] = {e.name: deque(maxlen=10) for e in self.endpoints}
        self.recent: dict[str, deque[tuple[float, bool]]] = {e.name: deque() for e in self.endpoints}
        self.cool_until = dict.fromkeys(self.pending, 0.0)

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        shuffled = self.chance.sample(candidates, len(candidates))
        return sorted(shuffled, key=lambda e: (self.cool_until[e.name] > now, self.figure(e.name, now)))

    def figure(self, name: str, now: float) -> float:
        samples = self.samples[name]
        return sum(samples) / len(samples) if samples else 0.0

    def record(self, outcome: Outcome, now: float) -> None:
        name, recent = outcome.endpoint.name, self.recent[outcome.endpoint.name]
        if outcome.failure is None:
            self.samples[name].append(outcome.took_s)
        elif outcome.failure in (Failure.CONNECT_TIMEOUT, Failure.READ_TIMEOUT, Failure.UNACKNOWLEDGED):
            self.samples[name].append(1000.0)
        recent.append((now, outcome.failure is not None))
        while recent[0][0] < now - 60:
            recent.popleft()
        if len(recent) >= 5 and sum(failed for _, failed in recent) > len(recent) / 2:
            self.cool_until[name] = now + 5.0


class MapNearest(Baseline):
    """The nearest on the map, always."""

    def figure(self, name: str, now: float) -> float:
        km = self.setting.paths.km
        assert km is not None
        return km[self.setting.client][int(name)]


class MapEnvoy(MapNearest):
    """The nearest on the map, with Envoy's ejection: 5 errors in a row, 30 s x times ejected, at most 300 s."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.in_a_row = dict.fromkeys(self.pending, 0)
        self.times = dict.fromkeys(self.pending, 0)
        self.until = dict.fromkeys(self.pending, 0.0)

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        return sorted(candidates, key=lambda e: (self.until[e.name] > now, self.figure(e.name, now)))

    def record(self, outcome: Outcome, now: float) -> None:
        name = outcome.endpoint.name
        self.in_a_row[name] = self.in_a_row[name] + 1 if outcome.failure else 0
        if self.in_a_row[name] >= 5:
            self.in_a_row[name] = 0
            self.times[name] += 1
            self.until[name] = now + min(300.0, 30.0 * self.times[name])


class Cassandra(Baseline):
    """Round robin without those slower than twice the best, retried after 10 s (driver 3.x, LatencyAwarePolicy)."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.average: dict[str, tuple[float, float, int]] = {}  # seconds, when, samples
        self.turn = self.chance.randrange(len(self.endpoints))

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        self.turn += 1
        turned = candidates[self.turn % len(candidates) :] + candidates[: self.turn % len(candidates)]
        known = [a for a, at, n in self.average.values() if n >= 50 and now - at < 10]
        best = min(known, default=INF)
        slow = {n for n, (a, at, k) in self.average.items() if k >= 50 and now - at < 10 and a > 2 * best}
        return sorted(turned, key=lambda e: e.name in slow)

    def record(self, outcome: Outcome, now: float) -> None:
        if outcome.failure is None:
            before, at, count = self.average.get(outcome.endpoint.name, (outcome.took_s, now, 0))
            delay = max(1e-6, (now - at) / 0.1)
            kept = math.log(delay + 1) / delay
            self.average[outcome.endpoint.name] = (kept * before + (1 - kept) * outcome.took_s, now, count + 1)


def ours(setting: Setting) -> Selector:
    """edgeclient's own selector, as it is."""
    return Selector(setting.endpoints, setting.chance)


def unprobed(setting: Setting) -> Selector:
    """The same with `probe=False`: it learns from traffic alone."""
    return Selector(setting.endpoints, setting.chance, probing=False)


def remembered(setting: Setting) -> Selector:
    """The same without probes, but with what an earlier process wrote down: the usual round-trip times."""
    selector = Selector(setting.endpoints, setting.chance, probing=False)
    usual_s = setting.paths.rtt_s[setting.client]
    selector.expect({endpoint.name: usual_s[int(endpoint.name)] for endpoint in setting.endpoints})
    return selector


class Hedged(Selector):
    """The same with `hedge="on"`."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting.endpoints, setting.chance)
        self.hedging = Hedging(Hedge().share)


RULES: dict[str, Make] = {
    "oracle": Oracle,
    "own_calls": OwnCalls,
    "edgeclient": ours,
    "edgeclient_hedge": Hedged,
    "edgeclient_options": ours,  # without the watchdog: a dead connection is noticed after three seconds, as for all others
    "edgeclient_unprobed": unprobed,
    "edgeclient_remembered": remembered,
    "last_rtt": LastRtt,
    "mongodb": MongoDB,
    "mongodb_peak": MongoPeak,
    "litellm": LiteLLM,
    "map_envoy": MapEnvoy,
    "map_nearest": MapNearest,
    "unbound": Unbound,
    "knot": Knot,
    "bind": Bind,
    "linkerd": Linkerd,
    "finagle": Finagle,
    "cassandra": Cassandra,
    "random": Random,
}
FAST = {
    "oracle",
    "own_calls",
    "edgeclient",
    "edgeclient_hedge",
    "edgeclient_unprobed",
}  # notice unacknowledged bytes (`watchdog=True`)
BY_MAP = {"map_envoy", "map_nearest"}
