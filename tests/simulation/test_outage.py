"""A day's worth of trouble under virtual time: three PoPs, the nearest one out of order in the middle. No call notices.

50,000 calls where it refuses; fewer in the same time where it swallows packets or answers 5xx.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import pytest

from edgeclient.cache.flights import Flights
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.classifying import classify
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.pops.selector import Selector
from edgeclient.runtime.virtual import VirtualRuntime, World
from edgeclient.settings import Settings
from edgeclient.telemetry.events import Telemetry
from edgeclient.values import ORIGIN, Call, Endpoint, Failure, Reply, Request

PATHS_S = {"ams": 0.020, "fra": 0.028, "nyc": 0.095, ORIGIN.name: 0.120}
ENDPOINTS = tuple(Endpoint(name, f"https://{name}.example.com/v1") for name in PATHS_S if name != ORIGIN.name)
NEAREST = "ams"
LASTS_S = 2500.0
STARTS_S, ENDS_S = 800.0, 1600.0  # of the outage
JSON_HEADERS = [(b"content-type", b"application/json")]
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


@dataclass
class Paths:
    """Lognormal noise on each path and 0.3 s of thinking; `outage` is what befalls the nearest PoP for a while."""

    rng: random.Random
    outage: str

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        rtt_s = self._rtt_s(endpoint)
        if self._out(endpoint, now):
            if self.outage == "refuses":
                return rtt_s, Failure.REFUSED
            if self.outage == "swallows":
                return math.inf, Failure.CONNECT_TIMEOUT
            return rtt_s, Reply(503, JSON_HEADERS, b'{"error":{"message":"out of order"}}', rtt_s=rtt_s)
        return rtt_s + 0.3, Reply(200, JSON_HEADERS, ANSWER, rtt_s=rtt_s)

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        """A PoP that answers 5xx can be reached all the same."""
        return None if self._out(endpoint, now) and self.outage != "answers 5xx" else self._rtt_s(endpoint)

    def _rtt_s(self, endpoint: Endpoint) -> float:
        return PATHS_S[endpoint.name] * self.rng.lognormvariate(0, 0.05)

    def _out(self, endpoint: Endpoint, now: float) -> bool:
        return endpoint.name == NEAREST and STARTS_S <= now < ENDS_S


@dataclass
class Result:
    errors: list[str] = field(default_factory=list)
    hits: int = 0
    first: Counter[tuple[str, str]] = field(default_factory=Counter)  # phase, first endpoint tried
    served: Counter[tuple[str, str]] = field(default_factory=Counter)  # phase, endpoint that answered
    longest_s: float = 0.0
    ended_s: float = 0.0


def _phase(now: float) -> str:
    # 40 s of grace after the outage: the longest penalty is 30 s +-25 %
    return "before" if now < STARTS_S else "during" if now < ENDS_S else "grace" if now < ENDS_S + 40 else "after"


def _policies(rng: random.Random) -> Policies:
    return Policies(
        settings=Settings(),
        endpoints=ENDPOINTS,
        origins=frozenset(),
        selector=Selector(ENDPOINTS, rng),
        store=MemoryStore(64 * 2**20),
        flights=Flights(),
        telemetry=Telemetry(),
    )


def _request(prompt: int) -> Request:
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": f"prompt {prompt}"}]}).encode()
    return Request(
        sdk="openai", method="POST", origin="https://api.openai.com/v1", path="/chat/completions", query="",
        headers=[("authorization", "Bearer k")], body=body, live=False, default_origin=True,
    )  # fmt: skip


@cache
def simulate(outage: str, calls: int, seed: int = 1) -> Result:
    rng, world, result = random.Random(seed), World(), Result()
    edge = _policies(rng)
    rt = VirtualRuntime(world, Paths(rng, outage))

    async def one(call: Call) -> None:
        began = world.now
        try:
            reply = await respond(call, edge, rt)
        except Exception as error:
            result.errors.append(repr(error))
            return
        assert reply.status == 200 and reply.notes is not None
        result.longest_s = max(result.longest_s, world.now - began)
        if reply.notes.cache == "hit":
            result.hits += 1
            return
        result.first[_phase(began), reply.notes.tried[0].endpoint] += 1
        result.served[_phase(began), reply.notes.endpoint] += 1

    at = 0.0
    for _ in range(calls):
        at += rng.expovariate(calls / LASTS_S)
        world.at(at, one(classify(_request(int(rng.paretovariate(0.25))), edge)))
    world.run()
    result.ended_s = world.now
    return result


# Calls, and how many of them may meet the outage at their first try. Measured over seeds 1 to 5: at most 1, 3 and 31.
OUTAGES = [("refuses", 50_000, 3), ("swallows", 12_000, 8), ("answers 5xx", 12_000, 40)]
each_outage = pytest.mark.parametrize(("outage", "calls", "wasted"), OUTAGES, ids=[name for name, *_ in OUTAGES])


@each_outage
def test_no_call_fails(outage: str, calls: int, wasted: int) -> None:
    result = simulate(outage, calls)
    assert result.errors == []
    assert result.hits + sum(result.served.values()) == calls
    assert result.hits > calls / 2  # prompts repeat


@each_outage
def test_before_the_outage_the_nearest_pop_serves(outage: str, calls: int, wasted: int) -> None:
    served = _of("before", simulate(outage, calls).served)
    assert served[NEAREST] >= 0.99 * served.total() > 100


@each_outage
def test_during_the_outage_few_calls_try_the_nearest_pop(outage: str, calls: int, wasted: int) -> None:
    result = simulate(outage, calls)
    first, served = _of("during", result.first), _of("during", result.served)
    assert 1 <= first[NEAREST] <= wasted
    assert served == {"fra": served.total()}  # the next nearest, and never the origin or the far one


@each_outage
def test_after_the_outage_traffic_comes_back(outage: str, calls: int, wasted: int) -> None:
    served = _of("after", simulate(outage, calls).served)
    assert served[NEAREST] >= 0.99 * served.total() > 100


def test_a_swallowed_call_waits_some_round_trips_and_goes_on() -> None:
    result = simulate("swallows", 12_000)
    assert 0.8 < result.longest_s < 1.0  # half a second for the lost try, then the answer of the next one


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("outage", [name for name, *_ in OUTAGES])
def test_a_seed_gives_the_same_result_again(outage: str, seed: int) -> None:
    once = simulate(outage, 1_000, seed)
    assert simulate.__wrapped__(outage, 1_000, seed) == once
    assert simulate(outage, 1_000, seed + 10) != once


def _of(phase: str, counted: Counter[tuple[str, str]]) -> Counter[str]:
    return Counter({name: number for (when, name), number in counted.items() if when == phase})
