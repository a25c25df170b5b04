"""Virtual time: what is due first runs first, a pause ends once, and the runtime keeps the promises of its protocol."""

from __future__ import annotations

import math

import pytest

from edgeclient.cache.flights import Flight
from edgeclient.runtime.protocol import AttemptFailed
from edgeclient.runtime.virtual import Pause, VirtualRuntime, World
from edgeclient.values import Call, Endpoint, Failure, Reply

A = Endpoint("a", "https://a.example.com/v1")
CALL = Call("openai", "POST", "", "/chat/completions")


class Fixed:
    """A network that always does the same."""

    def __init__(
        self, delay_s: float = 0.5, answer: Reply | Failure = Failure.REFUSED, rtt_s: float | None = 0.1
    ) -> None:
        self.delay_s, self.said, self.probed_s = delay_s, answer, rtt_s

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        return self.delay_s, self.said

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        return self.probed_s


async def _note(world: World, seen: list[tuple[float, str]], name: str, *pauses_s: float) -> None:
    for pause_s in pauses_s:
        await Pause(world.now + pause_s)
    seen.append((world.now, name))


def test_what_is_due_first_runs_first_and_equals_in_their_order() -> None:
    world, seen = World(), list[tuple[float, str]]()
    for name, at in (("late", 5.0), ("first", 1.0), ("second", 1.0)):
        world.at(at, _note(world, seen, name))
    world.at(0.0, _note(world, seen, "slow", 2.0, 1.0))
    world.run()
    assert seen == [(1.0, "first"), (1.0, "second"), (3.0, "slow"), (5.0, "late")]


def test_a_run_may_be_interrupted() -> None:
    world, seen = World(), list[tuple[float, str]]()
    world.at(1.0, _note(world, seen, "one"))
    world.at(3.0, _note(world, seen, "two"))
    world.run(until=2.0)
    assert seen == [(1.0, "one")] and world.now == 2.0
    world.at(0.5, _note(world, seen, "past"))
    world.run()
    assert seen == [(1.0, "one"), (2.0, "past"), (3.0, "two")]


def test_an_error_of_a_task_ends_the_run() -> None:
    async def broken() -> None:
        raise LookupError("in a task")

    world = World()
    world.at(1.0, broken())
    with pytest.raises(LookupError, match="in a task"):
        world.run()


@pytest.mark.parametrize(("lands_at", "stored", "ended"), [(1.0, True, 1.0), (1.0, False, 1.0), (9.0, True, 2.0)])
def test_a_wait_ends_at_the_landing_or_when_it_is_too_long(lands_at: float, stored: bool, ended: float) -> None:
    world, flight, seen = World(), Flight("k"), list[tuple[float, bool]]()
    rt = VirtualRuntime(world, Fixed())

    async def wait() -> None:
        seen.append((await rt.wait(flight, 2.0), world.now)[::-1])

    async def land() -> None:
        for wake in flight.land(stored):
            wake()

    world.at(0.0, wait())
    world.at(lands_at, land())
    world.run()
    assert seen == [(ended, stored and lands_at < 2.0)]
    assert world.now == max(ended, lands_at)  # and not at the end of a wait that was over before
    world.at(10.0, wait())
    world.run()
    assert seen[1] == (10.0, stored)  # it has landed: nothing to wait for


async def _send(rt: VirtualRuntime, connect_s: float | None, seen: list[tuple[float, Reply | Failure]]) -> None:
    try:
        seen.append((0.0, await rt.send(CALL, A, connect_s)))
    except AttemptFailed as failed:
        seen.append((0.0, failed.failure))


@pytest.mark.parametrize(
    ("network", "connect_s", "took_s"),
    [
        (Fixed(0.5, Failure.REFUSED), None, 0.5),
        (Fixed(math.inf, Failure.CONNECT_TIMEOUT), 1.0, 1.0),
        (Fixed(math.inf, Failure.CONNECT_TIMEOUT), None, 5.0),  # the caller's own timeout
        (Fixed(7.0, Failure.TERMINATED), 1.0, 7.0),  # it was connected
        (Fixed(7.0, Reply(200, [])), 1.0, 7.0),
    ],
)
def test_an_attempt_takes_the_time_the_network_says(network: Fixed, connect_s: float | None, took_s: float) -> None:
    world, seen = World(), list[tuple[float, Reply | Failure]]()
    world.at(0.0, _send(VirtualRuntime(world, network), connect_s, seen))
    world.run()
    assert seen == [(0.0, network.said)] and world.now == took_s


@pytest.mark.parametrize(("rtt_s", "told"), [(0.1, ([0.1], 0.1)), (None, ([], 5.0))])
def test_a_probe_runs_beside_the_call(rtt_s: float | None, told: tuple[list[float], float]) -> None:
    world, seen = World(), list[tuple[float, str, list[float], float]]()
    rt = VirtualRuntime(world, Fixed(rtt_s=rtt_s))
    rt.probe([A], lambda endpoint, rtts_s, took_s: seen.append((world.now, endpoint.name, rtts_s, took_s)))
    assert seen == []
    world.run()
    assert seen == [(told[1], "a", *told)]


def test_time_goes_with_the_world() -> None:
    world = World()
    rt = VirtualRuntime(world, Fixed())
    began = rt.now(), rt.wall()
    world.run(until=60.0)
    assert (rt.now() - began[0], rt.wall() - began[1]) == (60.0, 60.0)
