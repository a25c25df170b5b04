"""Models that are kept from being put away: when they are asked, what that may cost, and when it ends. Virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edgeclient import KeepWarm, SettingsError
from edgeclient.pops.cold import Cold
from edgeclient.pops.keeping import Keeping
from edgeclient.settings import load

PAIR = ("a", "m")
LOOK_S = 10.0
STARTS = [(0, 0.1), (600, 1.6), (602, 0.1), (1202, 1.6), (1204, 0.1)]  # two of 1.5 s, after pauses of 600 s


def seen(*more: tuple[float, float]) -> Cold:
    cold = Cold()
    for began, seconds in (*STARTS, *more):
        cold.answered("m", seconds, 0.1, began, began + seconds)
    return cold


def run(
    cold: Cold, keeping: Keeping, *, stays_s: float, begin: float, end: float, last_use: float, cost: float = 0.0
) -> list[tuple[float, bool]]:
    """When the model was asked to be kept, and whether it had to be started; a keeper looks every ten seconds."""
    keeping.used(PAIR, last_use)
    asked, now = [], begin
    while now < end:
        sleeper = cold.sleeper("m")
        if keeping.due(PAIR, sleeper, now, LOOK_S):
            assert sleeper is not None
            slow = now - sleeper.used_at > stays_s
            idle_s = cold.kept("m", now, now + 0.1, slow=slow)
            keeping.answered(PAIR, idle_s, slow=slow, cost=cost, now=now + 0.1)
            asked.append((now, slow))
        now += LOOK_S
    return asked


def test_the_pause_that_it_outlives_is_found_with_few_starts() -> None:
    asked = run(seen(), Keeping(60, None, 1e9), stays_s=300, begin=1205, end=1205 + 7200, last_use=1204)
    assert sum(slow for _, slow in asked) <= 2
    settled = [at for at, _ in asked if at > 1205 + 3600]
    pauses = [b - a for a, b in pairwise(settled)]
    assert all(200 <= pause <= 300 for pause in pauses), "shortly before it is put away"
    assert not any(slow for at, slow in asked if at > 1205 + 3600)


@hypothesis_settings(max_examples=25, deadline=None)
@given(stays_s=st.floats(35, 3000), put_away_s=st.floats(40, 3500))
def test_any_pause_is_found(stays_s: float, put_away_s: float) -> None:
    """Also one that is shorter than was seen, or where the endpoint only said that it starts the model."""
    cold = Cold()
    cold.answered("m", 0.1, 0.1, 0, 0.1)
    cold.starting("m", 2.0, put_away_s)
    asked = run(cold, Keeping(1000, None, 1e9), stays_s=stays_s, begin=put_away_s, end=put_away_s + 86_400, last_use=0)
    late = [slow for at, slow in asked if at > put_away_s + 43_200]
    assert late and not any(late)
    assert sum(slow for _, slow in asked) <= 8


def test_nothing_is_asked_of_a_model_that_was_never_put_away() -> None:
    keeping, cold = Keeping(60, None, 1e9), Cold()
    cold.answered("m", 0.1, 0.1, 0, 0.1)
    assert run(cold, keeping, stays_s=300, begin=1, end=7200, last_use=0) == []
    assert run(seen(), keeping, stays_s=300, begin=1205, end=3600, last_use=1204)[:1], "but of one that was"


def test_it_ends_when_nobody_uses_the_model() -> None:
    keeping, cold = Keeping(60, None, 900.0), seen()
    asked = run(cold, keeping, stays_s=300, begin=1205, end=9000, last_use=1204)
    assert asked and max(at for at, _ in asked) <= 1204 + 900
    again = run(cold, keeping, stays_s=300, begin=9000, end=9900, last_use=9000)
    assert again, "and begins again with its next caller"


def test_never_more_calls_than_said() -> None:
    asked = run(seen(), Keeping(3, None, 1e9), stays_s=40, begin=1205, end=1205 + 86_400, last_use=1204)
    for at, _ in asked:
        assert sum(at <= other < at + 3600 for other, _ in asked) <= 3
    assert len(asked) >= 24


def test_it_ends_for_the_day_when_the_money_is_spent() -> None:
    asked = run(
        seen(), Keeping(60, 0.01, 1e9), stays_s=300, begin=1205, end=1205 + 2 * 86_400, last_use=1204, cost=0.001
    )
    first_day = [at for at, _ in asked if at < 1205 + 86_400]
    assert len(first_day) == 10 and len(asked) > 10, "and goes on the next"


def test_where_it_was_refused_it_is_not_asked_for_a_while() -> None:
    keeping, cold = Keeping(60, None, 1e9), seen()
    keeping.used(PAIR, 1204)
    assert keeping.due(PAIR, cold.sleeper("m"), 2000)
    assert not keeping.due(PAIR, cold.sleeper("m"), 2001), "while it is under way"
    keeping.refused(PAIR, 2002)
    assert not keeping.due(PAIR, cold.sleeper("m"), 3000) and keeping.due(PAIR, cold.sleeper("m"), 4000)


def test_a_slow_answer_just_after_another_callers_is_no_start() -> None:
    keeping, cold = Keeping(60, None, 1e9), seen()
    keeping.used(PAIR, 1204)
    assert keeping.due(PAIR, cold.sleeper("m"), 1800)
    cold.answered("m", 0.1, 0.1, 1801, 1801.1)  # while that was under way
    before = cold.sleeper("m")
    idle_s = cold.kept("m", 1800, 1802, slow=True)
    keeping.answered(PAIR, idle_s, slow=True, cost=0.0, now=1802)
    after = cold.sleeper("m")
    assert idle_s is None and before is not None and after is not None and after.put_away_s == before.put_away_s


def test_a_kept_model_is_not_expected_to_be_cold() -> None:
    cold = seen()
    assert cold.expected_s("m", 1700) > 0
    cold.kept("m", 1500, 1500.1, slow=False)
    assert cold.expected_s("m", 1700) == 0.0


ENDPOINT = {"url": "https://a.example.com/v1", "key": "none", "models": ["m"]}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"models": ["m"]}, "models are kept by paid calls; say calls_an_hour"),
        ({"models": ["x"], "calls_an_hour": 6}, "no endpoint serves 'x'"),
        ({"models": ["m"], "calls_an_hour": 6, "cost_a_day": 1}, "say models.m.input_per_mtok and .output_per_mtok"),
        ({"models": ["m"], "calls_an_hour": 0}, "calls_an_hour"),
        ("perhaps", "give a number from 0 to 10, true or false, or a table"),
    ],
)
def test_what_has_to_be_said(said: object, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load({"endpoints": [ENDPOINT], "keep_warm": said})


def test_what_may_be_said() -> None:
    assert load({"keep_warm": 2})[0].keep_warm == KeepWarm(connections=2)
    assert load({"keep_warm": True})[0].keep_warm.connections == 3 and not load({})[0].keep_warm
    said = KeepWarm(models=("m",), calls_an_hour=6, cost_a_day=0.5)
    prices = {"m": {"input_per_mtok": 0.1, "output_per_mtok": 0.2}}
    settings, _ = load({"endpoints": [ENDPOINT], "keep_warm": said, "models": prices})
    assert settings.keep_warm is said or settings.keep_warm == said
