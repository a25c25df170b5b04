"""Unbound's rule of time-outs and of dead servers, its published cases by description: for the baseline, and for ours.

Sources: NLnetLabs/unbound `testcode/unitmain.c` (rtt_test, infra_test), `util/rtt.c`, `services/cache/infra.c`.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from world.resolvers import Knot, Unbound
from world.running import Setting

from edgeclient.pops.health import Health, State
from edgeclient.pops.selector import Selector
from edgeclient.values import Call, Endpoint, Failure, Outcome

A, B, C = Endpoint("0"), Endpoint("1"), Endpoint("2")
UNKNOWN, LEAST, MOST = 0.376, 0.05, 120.0


def unbound(make: type[Unbound] = Unbound) -> Unbound:
    nothing: Any = None
    return make(Setting((A, B, C), random.Random(1), 0, nothing, nothing))


def lose(rule: Unbound, now: float, took_s: float = 0.0, endpoint: Endpoint = A) -> float:
    rule.record(Outcome(endpoint, Failure.READ_TIMEOUT, took_s=took_s), now)
    return rule.rto[endpoint.name]


def answer(rule: Unbound, now: float, took_s: float, endpoint: Endpoint = A) -> float:
    rule.record(Outcome(endpoint, took_s=took_s), now)
    return rule.rto[endpoint.name]


# -- the baseline's estimate


def test_the_first_time_out_is_that_of_the_unknown() -> None:
    """unitmain.c: a new estimate starts at the niceness of unknown servers."""
    assert set(unbound().rto.values()) == {UNKNOWN}


def test_each_loss_doubles_it() -> None:
    """unitmain.c: twice the first, then four times."""
    rule = unbound()
    assert [lose(rule, float(now)) for now in range(4)] == pytest.approx([UNKNOWN * 2**n for n in range(1, 5)])


def test_an_answer_after_losses_is_believed_but_carefully() -> None:
    """unitmain.c: an answer after 4 s that follows two losses still leaves 2 s or more."""
    rule = unbound()
    lose(rule, 0.0), lose(rule, 1.0)
    assert 2.0 <= answer(rule, 2.0, 4.0) <= MOST


def test_a_hundred_losses_end_at_two_minutes() -> None:
    """unitmain.c: however many are lost, it stays within its bounds, and there it is exactly the upper one."""
    rule = unbound()
    for now in range(100):
        assert LEAST <= lose(rule, float(now)) <= MOST
    assert rule.rto["0"] == MOST


def test_a_quick_server_never_gets_less_than_50_ms() -> None:
    """rtt.c: the lower bound."""
    rule = unbound()
    found = [answer(rule, float(now), 0.001) for now in range(200)]
    assert min(found) == found[-1] == LEAST


def test_a_very_slow_answer_is_cut_at_the_upper_bound_too() -> None:
    """rtt.c: the bounds hold for what is calculated as for what is doubled."""
    assert answer(unbound(), 0.0, 600.0) == MOST


def test_gains_are_an_eighth_and_a_quarter() -> None:
    """rtt.c: Stevens' constants, from an average of nothing and a deviation of 94 ms."""
    rule = unbound()
    assert answer(rule, 0.0, 0.8) == pytest.approx(0.1 + 4 * (0.094 + (0.8 - 0.094) / 4))
    assert rule.srtt["0"] == pytest.approx(0.1) and rule.var["0"] == pytest.approx(0.2705)
    answer(rule, 1.0, 0.02)  # faster than the average: the deviation takes its size, not its sign
    assert rule.srtt["0"] == pytest.approx(0.09) and rule.var["0"] == pytest.approx(0.2705 + (0.08 - 0.2705) / 4)


@pytest.mark.parametrize("make", [Unbound, Knot])
@pytest.mark.parametrize("together", [2, 10])
def test_losses_of_requests_that_were_under_way_together_count_once(make: type[Unbound], together: int) -> None:
    """rtt.c, rtt_lost: what is doubled is the time-out that the lost request had gone out with, not the latest."""
    rule = unbound(make)
    for n in range(together):
        lose(rule, 10.0 + n / 100, took_s=5.0)
    assert rule.rto["0"] == pytest.approx(2 * UNKNOWN)
    assert lose(rule, 20.0, took_s=5.0) == pytest.approx(4 * UNKNOWN), "it went out after them"
    assert lose(rule, 30.0, took_s=10.0) == pytest.approx(8 * UNKNOWN), "and this one at the moment of the last loss"


def test_a_late_loss_of_a_small_time_out_does_not_lower_a_great_one() -> None:
    """rtt.c, rtt_lost: where twice the used value is less than what holds now, nothing changes."""
    rule = unbound()
    for now in (10.0, 20.0, 30.0):
        lose(rule, now)
    assert lose(rule, 31.0, took_s=29.0) == pytest.approx(8 * UNKNOWN)


def test_a_late_loss_after_an_answer_doubles_what_it_had_used() -> None:
    """rtt.c, rtt_lost: an answer in between does not hide the loss, and neither does the loss count the doubled value."""
    rule = unbound()
    lose(rule, 10.0, took_s=5.0)
    for now in range(11, 40):
        answer(rule, float(now), 0.02)
    assert rule.rto["0"] < 0.1
    assert lose(rule, 41.0, took_s=40.0) == pytest.approx(2 * UNKNOWN)


def test_other_servers_have_estimates_of_their_own() -> None:
    """infra.c: a time-out is kept for each address."""
    rule = unbound()
    lose(rule, 0.0), answer(rule, 1.0, 0.01, B)
    assert rule.rto["0"] > UNKNOWN > rule.rto["1"] and rule.rto["2"] == UNKNOWN


def test_those_within_400_ms_of_the_best_share_and_others_stand_behind() -> None:
    """iter_utils.c: a random one inside the band."""
    rule = unbound()
    rule.rto.update({"0": 0.1, "1": 0.5, "2": 0.501})
    orders = {tuple(e.name for e in rule.plan((A, B, C), 0.0)[0]) for _ in range(50)}
    assert orders == {("0", "1", "2"), ("1", "0", "2")}


# -- ours: a dead endpoint


def dead(*, probing: bool = True) -> Selector:
    """Three endpoints that are known, the nearest of which cannot be reached since 10 s."""
    selector = Selector((A, B, C), random.Random(1), probing=probing)
    for endpoint, rtt_s in ((A, 0.01), (B, 0.05), (C, 0.09)):
        selector.probing([endpoint], 0.0)
        selector.probed(endpoint, [rtt_s] * 3, 0.0, 0.0)
    selector.record(Outcome(A, Failure.CONNECT_TIMEOUT), 10.0)
    return selector


def test_a_dead_one_is_looked_at_by_one_probe_at_a_time() -> None:
    """infra.c: above 12 s one request at a time finds out; all others are sent elsewhere meanwhile."""
    selector = dead()
    assert selector.due(16.0) == [A]
    selector.probing([A], 16.0)
    for now in (16.0, 20.0, 60.0):
        assert selector.due(now) == [] and selector.plan((A, B, C), now) == ((B, C), (A,))


def test_without_probes_one_call_at_a_time_finds_out() -> None:
    """infra.c, the same: there the probe is a query, as it is here without probes."""
    selector = dead(probing=False)
    firsts = [selector.plan((A, B, C), 16.0 + n)[0][0] for n in range(5)]
    assert firsts == [A, B, B, B, B]


def test_a_probe_that_nobody_ends_makes_room_for_another() -> None:
    """infra.c: `probedelay` frees a server whose probe was never answered."""
    selector = dead()
    selector.probing([A], 16.0)
    assert selector.due(75.0) == [] and selector.due(77.0) == [A]


def test_each_lost_probe_keeps_it_away_longer_up_to_a_bound() -> None:
    """rtt.c: doubled on loss and bounded. Ours is bounded at half a minute, so that it is back soon."""
    selector, now, waits = dead(), 10.0, []
    for _ in range(12):
        began = now
        while not selector.due(now):
            now += 0.05
        waits.append(now - began)
        selector.probing([A], now)
        selector.probed(A, [], now, 0.0)
    usual = [4.0, 8.0, 16.0, *[30.0] * 9]
    assert all(0.75 * u <= w <= 1.25 * u + 1.1 for u, w in zip(usual, waits, strict=True)), waits


def test_an_answer_after_a_blackout_resets_it() -> None:
    """infra.c: an answer of a server that was out for long starts the estimate anew; with us the penalty as well."""
    selector = dead()
    for n in range(8):  # out for long: the penalty is at its greatest
        selector.probed(A, [], 100.0 * (n + 1), 0.0)
    assert selector.plan((A, B, C), 900.0) == ((B, C), (A,))
    selector.probed(A, [0.01], 1000.0, 0.01)
    assert selector.plan((A, B, C), 1000.1) == ((A, B, C), ())
    selector.record(Outcome(A, Failure.CONNECT_TIMEOUT), 1001.0)
    assert A not in selector.due(1003.5) and A in selector.due(1006.5), "the first penalty again: 4 s +-25 %"


def test_times_from_before_a_blackout_are_forgotten_within_three_answers() -> None:
    """infra.c: what was measured before does not count after it; ours keeps the last three samples."""
    selector = dead()
    selector.probed(A, [0.07] * 3, 20.0, 0.01)
    assert selector.plan((A, B, C), 21.0)[0] == (B, A, C)


def test_ours_ranks_by_the_quickest_of_the_last_three_and_not_by_an_average() -> None:
    """rtt.c smooths; on purpose otherwise, because one slow answer says nothing of the path."""
    rule, selector = unbound(), dead()
    selector.probed(A, [0.01, 0.9, 0.9], 20.0, 0.01)
    for n, took_s in enumerate((0.01, 0.9, 0.9)):
        answer(rule, float(n), took_s)
    assert selector.plan((A, B, C), 21.0)[0] == (A, B, C) and rule.rto["0"] > 2 * UNKNOWN


def test_losses_together_count_once_for_ours_too() -> None:
    """rtt.c, rtt_lost: here by the time at which each attempt began."""
    health, rng = Health(), random.Random(1)
    for n in range(50):
        health.failed(Failure.UNACKNOWLEDGED, 9.0, 10.0 + n / 100, rng)
    assert health.state(12.9) is State.EJECTED and health.state(15.01) is State.PROBATION


def test_a_read_timeout_is_a_loss_to_unbound_and_nothing_to_us() -> None:
    """On purpose otherwise: a model may think for minutes, a name server may not."""
    rule, selector = unbound(), Selector((A, B, C), random.Random(1))
    selector.probed(A, [0.01], 0.0, 0.0)
    for now in range(5):
        lose(rule, float(now))
        selector.record(Outcome(A, Failure.READ_TIMEOUT, call=Call("openai", "POST", "", "")), float(now))
    assert rule.rto["0"] > 10 and selector.plan((A, B, C), 6.0)[0][0] is A
