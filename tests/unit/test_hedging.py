"""The allowance of hedges: which calls fit, how many are hedged, and the limit for central models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.hedging import Hedging
from edgeclient.values import Call, Route

CALL = Call("openai", "POST", "", "/chat/completions", route=Route.INFERENCE, idempotent=True)
CENTRAL = replace(CALL, route=Route.GATEWAY, streamed=True)


def test_a_call_at_the_pop_fits() -> None:
    assert Hedging(0.03).fits(CALL)


@pytest.mark.parametrize(
    "change", [{"idempotent": False}, {"retry": 1}, {"route": Route.GATEWAY}, {"route": Route.DIRECT}]
)
def test_others_do_not(change: dict[str, Any]) -> None:
    hedging = Hedging(0.5)
    assert not hedging.fits(replace(CALL, **change))
    hedging.fits(CALL)
    assert not hedging.take(CALL, 0.0), "a call that does not fit adds nothing"


def test_central_models_only_within_their_limit_and_only_streamed() -> None:
    assert not Hedging(0.5).fits(CENTRAL)
    assert Hedging(0.5, 1).fits(CENTRAL) and not Hedging(0.5, 1).fits(replace(CENTRAL, streamed=False))


def test_so_many_central_ones_an_hour() -> None:
    hedging = Hedging(0.2, 2)
    taken = []
    for second in range(0, 7200, 60):
        for _ in range(5):
            hedging.fits(CENTRAL)
        if hedging.take(CENTRAL, float(second)):
            taken.append(second)
    assert taken == [0, 60, 3600, 3660]


def test_those_at_the_pop_do_not_count_there() -> None:
    hedging = Hedging(0.2, 1)
    for _ in range(20):
        hedging.fits(CALL)
    assert all(hedging.take(CALL, 0.0) for _ in range(3))
    assert hedging.take(CENTRAL, 0.0) and not hedging.take(CENTRAL, 1.0)


def test_nothing_is_hedged_before_there_is_an_allowance() -> None:
    hedging = Hedging(0.05)
    for _ in range(19):
        hedging.fits(CALL)
    assert not hedging.take(CALL, 0.0)
    for _ in range(2):  # 19 x 0.05 is not the float 0.95
        hedging.fits(CALL)
    assert hedging.take(CALL, 0.0) and not hedging.take(CALL, 0.0)


def test_a_quiet_time_saves_up_ten() -> None:
    hedging = Hedging(0.2)
    for _ in range(1000):
        hedging.fits(CALL)
    assert sum(hedging.take(CALL, 0.0) for _ in range(50)) == 10


@given(st.floats(0.001, 0.2), st.lists(st.booleans(), max_size=300))
def test_never_more_than_the_share(share: float, slow: list[bool]) -> None:
    hedging, hedged = Hedging(share), 0
    for number, is_slow in enumerate(slow, 1):
        hedging.fits(CALL)
        hedged += is_slow and hedging.take(CALL, float(number))
        assert hedged <= share * number + 1e-9
