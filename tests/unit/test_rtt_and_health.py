"""Which round-trip time is believed, and when an endpoint is out and back in: tables of (time, event, state)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.health import AT_ONCE, SECOND_IN_A_ROW, Health
from edgeclient.pops.rtt import RttWindow, of_kernel
from edgeclient.values import Failure

from .answers import cases


@pytest.mark.parametrize(
    ("smoothed_ms", "minimum_ms", "believed_ms"),
    [
        (20, 20, 20),
        (24, 20, 20),  # a delayed acknowledgement
        (34.9, 20, 20),  # just quiet: 1.5 x 20 + 5
        (36, 20, 36),  # the path has changed
        (95, 20, 95),
        (6, 0.5, 6),
        (5.7, 0.5, 0.5),
    ],
)
def test_the_minimum_is_believed_while_the_path_is_quiet(
    smoothed_ms: float, minimum_ms: float, believed_ms: float
) -> None:
    assert of_kernel(smoothed_ms / 1e3, minimum_ms / 1e3) == pytest.approx(believed_ms / 1e3)


def test_a_window_without_samples_has_no_estimate() -> None:
    assert RttWindow().estimate_s is None and RttWindow().last_at == float("-inf")


@given(samples=st.lists(st.floats(0.001, 1), min_size=1))
def test_the_estimate_is_the_smallest_of_the_last_three(samples: list[float]) -> None:
    window = RttWindow()
    for now, sample in enumerate(samples):
        window.add(sample, float(now))
    assert window.estimate_s == min(samples[-3:])
    assert window.last_at == len(samples) - 1


def _do(health: Health, event: str, now: float, rng: random.Random) -> None:
    what, _, began = event.partition(" began ")
    if what == "ok":
        health.succeeded(float(began or now), float(now))
    elif what != "?":
        health.failed(Failure(what), float(began or now), now, rng)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("case", cases("health"), ids=lambda case: case["name"])
def test_states_follow_from_events(case: dict[str, Any], seed: int) -> None:
    health, rng = Health(), random.Random(seed)
    for now, event, state in case["steps"]:
        _do(health, event, now, rng)
        assert health.state(now).value == state, (now, event)


def test_each_failure_has_one_meaning() -> None:
    silent = {Failure.READ_TIMEOUT, Failure.POOL, Failure.THROTTLED, Failure.NO_KEY, Failure.REGION}
    silent |= {Failure.QUOTA, Failure.CAPACITY, Failure.COLD, Failure.MODEL_MISSING, Failure.TOO_LONG}
    assert not AT_ONCE & SECOND_IN_A_ROW and not silent & (AT_ONCE | SECOND_IN_A_ROW)
    assert silent | AT_ONCE | SECOND_IN_A_ROW == set(Failure)


@pytest.mark.parametrize(
    ("failure", "unreachable"),
    [
        (Failure.REFUSED, True),
        (Failure.CONNECT_TIMEOUT, True),
        (Failure.DNS, True),
        (Failure.UNACKNOWLEDGED, True),
        (Failure.NOT_AN_ANSWER, False),
    ],
)
def test_the_way_back_is_a_probe_where_it_could_not_be_reached(failure: Failure, unreachable: bool) -> None:
    health = Health()
    health.failed(failure, 0.0, 0.0, random.Random(1))
    assert health.unreachable is unreachable


def test_the_way_back_from_bad_answers_is_a_request() -> None:
    health = Health()
    for now in (0.0, 1.0):
        health.failed(Failure.STATUS, now, now, random.Random(1))
    assert health.state(1.0).value == "ejected" and not health.unreachable


def test_one_trial_at_a_time() -> None:
    health = Health()
    assert health.take_trial(0.0) and not health.take_trial(0.0) and not health.take_trial(59.9)
    assert health.take_trial(60.0)  # whoever had it went away


@pytest.mark.parametrize("event", ["ok", "connection_refused", "status", "connection_read_timeout"])
def test_a_trial_ends_with_its_outcome(event: str) -> None:
    health, rng = Health(), random.Random(1)
    _do(health, "connection_refused", 0.0, rng)
    assert health.take_trial(10.0)
    _do(health, event, 11.0, rng)
    assert health.take_trial(11.0)


def test_suspect_from_a_failure_to_the_next_answer() -> None:
    health, rng = Health(), random.Random(1)
    assert not health.suspect
    _do(health, "status", 0.0, rng)
    assert health.suspect
    _do(health, "ok", 1.0, rng)
    assert not health.suspect
    _do(health, "connection_refused", 2.0, rng)
    assert health.suspect


@given(seed=st.integers(0, 10**6))
def test_penalties_are_spread(seed: int) -> None:
    health = Health()
    health.failed(Failure.REFUSED, 0.0, 0.0, random.Random(seed))
    assert health.state(2.99).value == "ejected" and health.state(5.01).value == "probation"


def test_two_clients_do_not_come_back_in_step() -> None:
    def back(seed: int) -> float:
        health = Health()
        health.failed(Failure.REFUSED, 0.0, 0.0, random.Random(seed))
        return min(now / 100 for now in range(600) if health.state(now / 100).value == "probation")

    assert len({back(seed) for seed in range(10)}) > 5
