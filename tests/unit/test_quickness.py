"""`rank="answer"`: of two kinds of endpoints the one that answers soonest, and what finding that out costs."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from edgeclient import Edge
from edgeclient.pops.selector import Selector
from edgeclient.routing.systems import Bound, System
from edgeclient.values import ORIGIN, Call, Endpoint, Outcome, Route

HERE = Endpoint("here", "http://localhost:11434/v1", product=Bound(System("ollama", "", "")))
EDGE = Bound(System("workers-ai", "", ""))
FRA, BOM = (Endpoint(name, f"https://{name}.example.com/v1", product=EDGE) for name in ("fra", "bom"))
CALL = Call("openai", "POST", "", "/chat/completions", model="llama", route=Route.INFERENCE)
RTT_S = {"here": 0.0002, "fra": 0.02, "bom": 0.12, "origin": 0.001}
SLOW_HERE = {"here": 3.0, "fra": 0.2, "bom": 0.2, "origin": 0.01}


class World:
    """Endpoints with round trips and server times that wobble; each call goes where the selector says."""

    def __init__(self, *endpoints: Endpoint, by_answer: bool = True, spread: float = 0.01, **server_s: float) -> None:
        self.spread = spread
        self.endpoints, self.server_s = endpoints, {**SLOW_HERE, **server_s}
        self.selector = Selector([e for e in endpoints if e is not ORIGIN], random.Random(1), by_answer=by_answer)
        self.chance, self.now = random.Random(7), 0.0
        for endpoint in endpoints:
            self.selector.record(Outcome(endpoint, rtt_s=RTT_S[endpoint.name]), 0.0)

    def calls(self, count: int, call: Call = CALL) -> Counter[str]:
        """To whom they went."""
        return Counter(self.call(call) for _ in range(count))

    def call(self, call: Call = CALL) -> str:
        good, _ = self.selector.plan(self.endpoints, self.now, call=call)
        name = good[0].name
        took_s = RTT_S[name] + self.server_s[name] * self.chance.lognormvariate(0, self.spread)
        self.now += took_s + 1.0
        outcome = Outcome(good[0], rtt_s=RTT_S[name], took_s=took_s, call=call)
        self.selector.record(outcome, self.now)
        return name


def test_a_slow_model_on_this_machine_is_left_for_a_quick_one_near_by() -> None:
    world = World(HERE, FRA)
    learning = world.calls(40)
    assert 5 <= learning["here"] <= 20, "five answers here, and then two of three until five are known there"
    assert world.calls(1000)["here"] == 10, "one call in a hundred looks whether it is quicker now"


def test_answers_of_all_lengths_do_not_hide_it() -> None:
    world = World(HERE, FRA, spread=0.8)
    world.calls(100)
    assert world.calls(1000)["here"] <= 50


def test_by_the_path_alone_this_machine_always_wins() -> None:
    assert World(HERE, FRA, by_answer=False).calls(200) == {"here": 200}


def test_a_quick_model_on_this_machine_stays_and_others_are_tried_a_few_times() -> None:
    world = World(HERE, FRA, here=0.15, fra=0.2)
    world.calls(40)
    assert world.calls(1000)["here"] >= 980
    far = World(HERE, BOM, here=0.1)
    assert far.calls(200) == {"here": 200}, "the way there alone takes longer"


def test_one_that_has_become_quick_is_found_again() -> None:
    world = World(HERE, FRA)
    world.calls(100)
    world.server_s["here"] = 0.02
    assert world.call() == "fra"
    world.calls(8000)
    assert world.calls(200)["here"] >= 190


def test_sites_of_one_product_are_told_by_the_way() -> None:
    world = World(FRA, BOM, fra=3.0)
    assert world.calls(200) == {"fra": 200}, "how long a model takes there is luck and load: others see to that"


def test_models_are_told_apart_and_only_those_at_endpoints() -> None:
    world = World(HERE, FRA)
    world.calls(100)
    assert world.call() == "fra" and world.call(replace(CALL, route=Route.GATEWAY)) == "here"
    assert world.call(replace(CALL, model="other")) == "here"
    assert world.call(replace(CALL, retry=1)) == "here", "a retry of the SDK is no time for trials"


def test_the_clients_own_origin_is_not_tried_out() -> None:
    assert World(HERE, ORIGIN).calls(200)["origin"] == 0


def test_one_that_only_refuses_is_not_tried_for_ever() -> None:
    """Its key is wrong, say: its refusals go to the caller, and tell no time."""
    world = World(HERE, FRA)
    asked = []
    for _ in range(300):
        good, _ = world.selector.plan(world.endpoints, world.now, call=CALL)
        asked.append(good[0].name)
        tells = good[0] is HERE
        world.now += 4.0
        outcome = Outcome(good[0], status=200 if tells else 401, took_s=3.0, call=CALL if tells else None)
        world.selector.record(outcome, world.now)
    assert asked.count("fra") == 2


def test_many_models_are_not_remembered_for_ever() -> None:
    world = World(HERE, FRA)
    for n in range(3000):
        world.calls(1, replace(CALL, model=f"m{n}"))
    quickness: Any = world.selector._suiting._quickness
    assert quickness is not None and len(quickness._turns) <= 1024


@pytest.mark.parametrize(("rank", "by_answer"), [("path", False), ("answer", True)])
def test_the_setting(rank: str, by_answer: bool) -> None:
    edge = Edge(endpoints=["https://fra.example.com/v1"], key="none", probe=False, rank=rank)
    assert (edge.policies.selector._suiting._quickness is not None) is by_answer
