"""Cold starts: what a pause costs, how long it may be, and what is not a start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient import planning
from edgeclient.pops.cold import Cold
from edgeclient.values import ORIGIN, Call, Endpoint, Failure, Outcome, Route

from .test_selector import Running

A, B = (Endpoint(name, f"https://{name}.example.com/v1") for name in "ab")
CALL = Call("openai", "POST", "", "/chat/completions", model="m", route=Route.INFERENCE, keeps_origin=False)


def seen(*answers: tuple[float, float]) -> Cold:
    """Answers to calls that began at these times, with their server times; 0.1 s is usual."""
    cold = Cold()
    for began, seconds in answers:
        cold.answered("m", seconds, 0.1, began, began + seconds)
    return cold


TWICE = [(0, 0.1), (600, 1.6), (602, 0.1), (1202, 1.6), (1204, 0.1)]  # two starts, after pauses of 599.9 s


def test_slow_first_answers_after_pauses_were_starts() -> None:
    cold = seen(*TWICE)
    # Its last answer ended at 1204.1. It survives a pause between 30 s and 599.9 s: half-way, for all that is known.
    assert cold.expected_s("m", 1519) == 0.0 and cold.expected_s("m", 1520) == pytest.approx(1.5)
    assert cold.expected_s("another", 1520) == 0.0
    assert cold.expected_s("m", 4803) > 0.0 and cold.expected_s("m", 4805) == 0.0, "after an hour a call finds out"


def test_one_start_is_not_counted_on() -> None:
    assert seen(*TWICE[:3]).expected_s("m", 2000) == 0.0


def test_the_pause_ends_when_the_call_begins() -> None:
    cold = seen((0, 0.1), (31.1, 9.0), (41, 0.1))
    assert cold._models["m"].put_away_s == pytest.approx(31.0)


@pytest.mark.parametrize(
    "answers",
    [
        [(0, 0.1), (600, 1.6), (601, 1.6)],  # slow, not started
        [(0, 0.1), (600, 1.6), (700, 0.1)],  # nobody can tell
        [(0, 0.1), (20, 1.6), (21, 0.1)],  # no pause
        [(0, 0.1), (600, 0.35), (601, 0.1)],  # not that slow
        [(600, 1.6), (601, 0.1)],  # the very first: what went before is not known
    ],
    ids=str,
)
def test_what_is_no_start(answers: list[tuple[float, float]]) -> None:
    assert seen(*answers).expected_s("m", 1e6) == 0.0


def test_it_is_learned_how_long_a_model_stays() -> None:
    cold = seen(*TWICE, (1602, 0.1))
    assert cold.expected_s("m", 2100) == 0.0 < cold.expected_s("m", 2103), "half-way between 398 s and 600 s"
    later = seen(*TWICE, (2104, 0.1))
    assert later.expected_s("m", 5000) == 0.0, "it was still there after 900 s: nothing is counted on any more"
    sooner = seen(*TWICE, (1404, 1.1), (1406, 0.1))
    assert sooner.expected_s("m", 1522) == pytest.approx(1.25), (
        "the mean of the starts, half-way between 30 s and 200 s"
    )


def test_a_system_that_says_so_is_believed() -> None:
    cold = Cold()
    cold.starting("m", 8.0, 100.0)
    assert cold.expected_s("m", 110.0) == 0.0 and cold.expected_s("m", 131.0) == 8.0


@given(st.lists(st.tuples(st.floats(0, 2000), st.floats(0.01, 30)), max_size=60))
def test_what_is_expected_was_seen(pauses: list[tuple[float, float]]) -> None:
    cold, now, slowest = Cold(), 0.0, 0.0
    for pause, seconds in pauses:
        now += pause
        slowest = max(slowest, seconds)
        cold.answered("m", seconds, 0.1, now, now + seconds)
        now += seconds
        assert 0.0 <= cold.expected_s("m", now + 5000) <= slowest


def test_so_many_models_are_remembered() -> None:
    cold = Cold()
    for number in range(100):
        cold.starting(f"m{number}", 1.0, 0.0)
    assert len(cold._models) == 32 and cold.expected_s("m99", 100.0) == 1.0


# -- in the choice


def served(running: Running, endpoint: Endpoint, server_s: float, count: int, now: float) -> None:
    rtt_s = running.selector._tracks[endpoint.name].rtt.estimate_s or 0.01
    for number in range(count):
        running.selector.record(Outcome(endpoint, took_s=rtt_s + server_s, rtt_s=rtt_s, call=CALL), now + number)


def started_twice() -> Running:
    """The nearer endpoint puts its model away after ten minutes; the other is used by others too."""
    running = Running(A, B).rtt(a=10, b=60)
    for endpoint in (A, B):
        served(running, endpoint, 0.1, 10, 0.0)
    for again in (700.0, 1400.0):
        served(running, A, 1.6, 1, again)
        served(running, A, 0.1, 5, again + 1.0)
    served(running, B, 0.1, 1, 2100.0)
    return running


def first(running: Running, now: float, call: Call = CALL) -> str:
    return running.selector.plan(running.endpoints, now, call=call)[0][0].name


def test_a_call_goes_where_nothing_has_to_be_started() -> None:
    running = started_twice()
    assert first(running, 1500.0) == "a" and first(running, 2200.0) == "b"
    assert first(running, 2200.0, replace(CALL, model="another")) == "a"
    assert first(running, 2200.0, replace(CALL, route=Route.GATEWAY)) == "a"


def test_a_start_that_costs_less_than_the_way_is_taken() -> None:
    running = started_twice().rtt(2150, b=2000)
    assert first(running, 2200.0) == "a"


def test_cold_is_not_sick() -> None:
    running = Running(A, B).rtt(a=10, b=60)
    running.selector.record(Outcome(A, Failure.COLD, 429, retry_after_s=2.0, call=CALL), 5.0)
    assert first(running, 6.0) == "b"
    state = running.selector.status(6.0)[0]
    assert state.state == "deprioritised" and running.selector.status(8.0)[0].state == "ready"
    assert first(running, 8.0) == "a"


def test_the_clients_own_origin_is_asked_first_where_that_is_faster() -> None:
    running = Running(A).rtt(a=10)
    running.rtt(origin=300)
    served(running, A, 0.1, 10, 0.0)
    served(running, ORIGIN, 0.2, 10, 0.0)
    for again in (700.0, 1400.0):
        served(running, A, 1.6, 1, again)
        served(running, A, 0.1, 5, again + 1.0)

    def planned(now: float, call: Call = CALL) -> list[str]:
        return [e.name for e in planning.plan(call, (A,), running.selector, "last", now)]

    assert planned(1500.0) == ["a", "origin"] and planned(2200.0) == ["origin", "a"]
    assert planned(2200.0, replace(CALL, model="another")) == ["a", "origin"], "it may not even serve that"
    running.fail(ORIGIN, Failure.REFUSED, 2190)
    assert planned(2200.0) == ["a", "origin"]
