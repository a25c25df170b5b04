"""Situations in which published rules of selection are known to fail, played through in virtual time.

The first five are those of LiteLLM's lowest-latency routing (one slow first answer locks an endpoint out, one timeout costs a
thousand seconds, ...); the others are what operators fear: flapping, brown-outs, everything out, clocks that jump.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from edgeclient import attempts, planning
from edgeclient.attempts import Budget, Trace
from edgeclient.pops.selector import Selector
from edgeclient.runtime.virtual import VirtualRuntime, World
from edgeclient.values import Call, Endpoint, Failure, Outcome, Reply, Route

Served = tuple[float, str]  # when, by whom
Answers = Callable[[str, float, random.Random], "float | Failure"]  # name, time, chance -> server seconds, or a failure
DIALECT: Any = type("Dialect", (), {"name": "scenario", "closing": b""})()
JSON = [(b"content-type", b"application/json")]


class Scenario:
    """Clients that ask at a steady pace over paths with fixed round-trip times."""

    def __init__(
        self, answers: Answers, *, route: Route = Route.GATEWAY, seed: int = 1, probing: bool = True, **rtts_ms: float
    ):
        self.rtts_s = {name: rtt_ms / 1e3 for name, rtt_ms in rtts_ms.items()}
        self.endpoints = tuple(Endpoint(name, f"https://{name}.example.com/v1") for name in rtts_ms)
        self.selector = Selector(self.endpoints, random.Random(seed), probing=probing)
        self.answers, self.route, self.chance = answers, route, random.Random(f"scenario {seed}")
        self.world = World()
        self.rt = VirtualRuntime(self.world, self, connect_s=1.0)
        self.served: list[Served] = []
        self.lost = 0
        self.tried: list[Served] = []

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        rtt_s = self.rtts_s[endpoint.name]
        self.tried.append((now, endpoint.name))
        said = self.answers(endpoint.name, now, self.chance)
        if isinstance(said, Failure):
            return (600.0 if said is Failure.READ_TIMEOUT else rtt_s), (
                Reply(503, JSON, b"{}") if said is Failure.STATUS else said
            )
        return rtt_s + said, Reply(200, JSON, b"{}", rtt_s=rtt_s)

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        down = self.answers(endpoint.name, now, random.Random(0)) in (Failure.REFUSED, Failure.CONNECT_TIMEOUT)
        return None if down else self.rtts_s[endpoint.name]

    def run(self, calls: int, every_s: float, start: float = 0.0) -> Scenario:
        for n in range(calls):
            self.world.at(start + n * every_s, self._ask())
        self.world.run()
        return self

    async def _ask(self) -> None:
        rt, call = (
            self.rt,
            Call("openai", "POST", "", "/x", model="m", route=self.route, dialect=DIALECT, keeps_origin=False),
        )
        due = self.selector.due(rt.now())
        if due and rt.probe(due, lambda e, rtts, took: self.selector.probed(e, rtts, rt.now(), took)):
            self.selector.probing(due, rt.now())
        planned = planning.plan(call, self.endpoints, self.selector, "never", rt.now())
        trace = Trace()
        try:
            reply = await attempts.send(call, planned, self.selector, Budget(3, math.inf, 1.0), rt, trace)
        except Exception:
            self.lost += 1
            return
        if reply.status == 200:
            self.served.append((rt.now(), trace.endpoint.name))
        else:
            self.lost += 1

    def share(self, name: str, after: float = 0.0, before: float = math.inf) -> float:
        counts = Counter(who for when, who in self.served if after <= when < before)
        return counts[name] / (counts.total() or 1)

    def switches(self) -> int:
        names = [who for _, who in self.served]
        return sum(a != b for a, b in itertools.pairwise(names))


def steady(seconds: float = 0.1, spread: float = 0.1) -> Answers:
    return lambda name, now, chance: seconds * chance.lognormvariate(0, spread)


def test_a_slow_first_answer_locks_nobody_out() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float:
        return 8.0 if name == "near" and now < 0.5 else 0.1

    done = Scenario(answers, far=60, near=10).run(200, 1.0)
    assert done.share("near", after=20) >= 0.95


def test_one_timeout_is_no_outage() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        return Failure.READ_TIMEOUT if name == "near" and 50 <= now < 50.5 else 0.1

    done = Scenario(answers, far=60, near=10).run(1000, 1.0)
    assert done.share("near", after=20) >= 0.98 and done.lost == 1


@pytest.mark.parametrize("route", [Route.GATEWAY, Route.INFERENCE])
def test_a_slowdown_of_five_answers_costs_a_minute_at_most(route: Route) -> None:
    def answers(name: str, now: float, chance: random.Random) -> float:
        return 1.5 if name == "near" and 100 <= now < 105 else 0.1 * chance.lognormvariate(0, 0.1)

    done = Scenario(answers, route=route, far=60, near=10).run(600, 1.0)
    assert done.share("near", after=20, before=100) >= 0.95
    assert done.share("near", after=165) >= 0.95


def test_between_two_equal_noisy_ones_there_is_no_flapping() -> None:
    done = Scenario(steady(0.4, 0.6), one=20, other=20).run(3600, 1.0)
    assert done.switches() <= 2 * 60
    assert done.lost == 0


def test_selectors_do_not_share_what_they_learn() -> None:
    def bad(name: str, now: float, chance: random.Random) -> float | Failure:
        return Failure.REFUSED if name == "near" else 0.1

    one = Scenario(bad, far=60, near=10).run(50, 1.0)
    other = Scenario(steady(), far=60, near=10).run(50, 1.0)
    assert one.share("near") == 0.0 and other.share("near", after=20) >= 0.95


def test_a_flapping_one_is_left_alone_longer_and_longer() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        return Failure.REFUSED if name == "near" and int(now / 10) % 2 and now < 600 else 0.1

    done = Scenario(answers, far=60, near=10).run(3000, 0.3)
    refused = sum(name == "near" and int(when / 10) % 2 == 1 and when < 600 for when, name in done.tried)
    assert done.lost == 0 and refused <= 60  # one first try for each of the thirty times it went, and a trial
    assert done.share("near", after=700) >= 0.95


def test_a_brown_out_moves_calls_and_its_end_brings_them_back() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        if name == "near" and 200 <= now < 500:
            return Failure.STATUS if chance.random() < 0.1 else 0.8
        return 0.1 * chance.lognormvariate(0, 0.1)

    done = Scenario(answers, route=Route.INFERENCE, far=60, near=10).run(2400, 0.5)
    assert done.share("far", after=220, before=500) >= 0.8
    assert done.share("near", after=800) >= 0.95 and done.lost == 0


def test_when_all_are_out_calls_go_on_trying_and_recovery_is_seen() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        return Failure.REFUSED if 100 <= now < 200 else 0.1

    done = Scenario(answers, a=10, b=20, c=30).run(400, 1.0)
    assert done.lost <= 101
    assert len([1 for when, _ in done.tried if 100 <= when < 200]) <= 3 * 100
    assert done.share("a", after=240) >= 0.95


def test_loss_on_one_path_alone_moves_calls_off_it() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        return Failure.UNACKNOWLEDGED if name == "near" and chance.random() < 0.5 else 0.1

    done = Scenario(answers, far=30, near=10).run(600, 1.0)
    assert done.lost == 0
    assert Counter(name for _, name in done.tried)["near"] < 0.5 * len(done.tried)


def test_a_slow_start_after_a_restart_is_forgiven() -> None:
    def answers(name: str, now: float, chance: random.Random) -> float | Failure:
        if name == "near" and 100 <= now < 130:
            return Failure.REFUSED
        return (2.0 if name == "near" and 130 <= now < 150 else 0.1) * chance.lognormvariate(0, 0.1)

    done = Scenario(answers, route=Route.INFERENCE, far=60, near=10).run(900, 1.0)
    assert done.share("near", after=250) >= 0.95 and done.lost == 0


def test_a_clock_that_jumps_forward_harms_nothing() -> None:
    scenario = Scenario(steady(), far=60, near=10).run(50, 1.0)
    scenario.run(50, 1.0, start=10_000_000.0)
    assert scenario.share("near", after=20) >= 0.95 and scenario.lost == 0


def test_a_time_before_the_last_one_harms_nothing() -> None:
    near, far = Endpoint("near"), Endpoint("far")
    selector = Selector((far, near), random.Random(1))
    for now in (100.0, 50.0, -5.0, 1e12, 0.0):
        selector.record(Outcome(near, rtt_s=0.01, took_s=0.1), now)
        selector.record(Outcome(far, rtt_s=0.06, took_s=0.1), now)
        assert selector.plan((far, near), now)[0][0] is near


def test_ten_thousand_endpoints_are_ordered_and_probed_once() -> None:
    endpoints = tuple(Endpoint(f"pop{n}") for n in range(10_000))
    selector = Selector(endpoints, random.Random(1))
    assert len(selector.due(0.0)) == 10_000
    selector.probing(endpoints, 0.0)
    for n, endpoint in enumerate(endpoints):
        selector.probed(endpoint, [0.001 * (10_000 - n)], 1.0, 0.1)
    assert selector.plan(endpoints, 2.0)[0][0].name == "pop9999"
    assert not selector.due(3.0)
