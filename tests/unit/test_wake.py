"""A sleep is noticed by two clocks that part, and what was measured before it is believed less."""

from __future__ import annotations

import dataclasses
import time

import pytest
from pipeline.scripted import A, B, Scripted, ok, policies, request

from edgeclient.classifying import classify
from edgeclient.pipeline import respond
from edgeclient.pops.wake import Wake
from edgeclient.runtime import common
from edgeclient.runtime.protocol import run_sync
from edgeclient.runtime.virtual import VirtualRuntime, World
from edgeclient.values import Call, Endpoint, Failure, Outcome, Reply


@pytest.mark.parametrize(
    ("gap_s", "slept"), [(0.0, False), (4.9, False), (5.1, True), (86_400.0, True), (-3600.0, False)]
)
def test_a_gap_of_more_than_five_seconds_is_a_sleep(gap_s: float, slept: bool) -> None:
    wake = Wake()
    assert not wake.woke(100.0, 5000.0)
    assert not wake.woke(900.0, 5800.0)
    assert wake.woke(901.0, 5801.0 + gap_s) is slept
    assert not wake.woke(902.0, 5802.0 + gap_s)


def test_the_first_look_is_no_sleep() -> None:
    assert not Wake().woke(0.0, 1e9)


@dataclasses.dataclass
class Noting:
    """A memory that writes down its visits."""

    next_at: float = float("-inf")
    visits: list[bool] = dataclasses.field(default_factory=list)

    def visit(self, now: float, *, slept: bool) -> None:
        self.visits.append(slept)
        self.next_at = now + 60.0


def test_the_first_call_after_a_sleep_measures_anew() -> None:
    rt, edge = Scripted(a=ok(), b=ok(), took_s=0.1), policies(A, B, cached=False)
    memory = edge.memory = Noting()

    def ask() -> None:
        run_sync(respond(classify(request(), edge), edge, rt))

    ask()
    for endpoint, rtt_s in ((A, 0.09), (B, 0.02)):
        edge.selector.record(Outcome(endpoint, rtt_s=rtt_s), rt.now())
    rt.time += 10
    ask()
    assert (rt.sent, rt.probed, memory.visits) == (["a", "b"], ["a", "b"], [False])
    rt.slept_s += 3600
    ask()
    assert edge.selector.known() == {}  # and yet the order is that of before
    assert (rt.sent[2:], sorted(rt.probed[2:]), memory.visits) == (["b"], ["a", "b"], [False, True])
    ask()
    assert (len(rt.probed), memory.visits) == (4, [False, True])


@dataclasses.dataclass
class Travelling:
    """Two paths; who is near is another one after a sleep."""

    world: World

    def rtt_s(self, endpoint: Endpoint, now: float) -> float:
        return 0.01 if (endpoint is B) == bool(self.world.slept_s) else 0.2

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        return self.rtt_s(endpoint, now), ok()


def test_under_virtual_time_a_sleep_is_noticed_with_the_next_call() -> None:
    def journey(slept_s: float) -> list[str]:
        world, edge, went = World(), policies(A, B, cached=False), list[str]()
        rt = VirtualRuntime(world, Travelling(world))

        async def ask(sleep_s: float) -> None:
            world.slept_s += sleep_s
            reply = await respond(classify(request(), edge), edge, rt)
            assert reply.notes is not None
            went.append(reply.notes.endpoint)

        for n in range(8):
            world.at(float(n), ask(slept_s if n == 4 else 0.0))
        world.run()
        return went

    assert journey(0.0) == ["a"] * 8
    assert journey(3600.0) == journey(3600.0) == ["a"] * 5 + ["b"] * 3
    assert journey(4.0) == ["a"] * 8  # too short to be told from a late thread


def test_a_memory_is_asked_when_it_said_so_and_never_for_calls_without_a_plan() -> None:
    rt, edge = Scripted(a=ok(), b=ok(), origin=ok()), policies(A, B, cached=False)
    memory = edge.memory = Noting()
    run_sync(respond(classify(request(default_origin=False), edge), edge, rt))
    assert memory.visits == []
    for pause_s in (0.0, 59.0, 2.0, 1.0):
        rt.time += pause_s
        run_sync(respond(classify(request(), edge), edge, rt))
    assert memory.visits == [False, False]


def test_the_clocks_of_this_machine_do_not_part_while_it_is_awake() -> None:
    door = common.DoorRuntime
    wake = Wake()
    assert not any(wake.woke(door.now(), door.uptime()) for _ in range(100))


def test_without_a_clock_that_never_sleeps_it_is_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 99_999, raising=False)
    assert common._clock_that_never_sleeps() is time.time
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert common._clock_that_never_sleeps() is time.time


def test_where_there_is_one_the_clock_that_never_sleeps_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda number: number * 100.0, raising=False)
    assert common._clock_that_never_sleeps()() == 700.0
