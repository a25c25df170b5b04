"""The bound: risk learned from labels, and a budget of wrong answers that serving keeps to."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeclient.cache.bound import COLD, Account, Bound, Risk
from edgeclient.cache.logistic import Prior
from edgeclient.cache.risk import Label

SURE = Prior((0.0, 1.0), ((50.0, 0.0), (0.0, 50.0)))  # believes that the score is the log odds


def world(chance: Random) -> tuple[float, bool]:
    """A candidate whose score is its true log odds."""
    score = chance.uniform(-6, 10)
    return score, chance.random() < 1 / (1 + math.exp(-score))


def teach(risk: Risk, score: float, entry: str, same: bool, caller: str = "") -> None:
    risk.learn(Label(0.0, "", len(risk.labels), (score,), entry, same, caller))


def traffic(
    bound: Bound, lookups: int, *, seed: int = 0, parts: int = 1, shift: float = 0.0
) -> list[tuple[str, int, bool]]:
    """(partition, lookup, wrong) of what was served; `shift` makes the scores boast."""
    chance, served = Random(seed), []
    for number in range(lookups):
        score, same = world(chance)
        part, entry = f"p{number % parts}", f"e{number}"
        if bound.decide((score + shift,), entry, part, chance).serve:
            served.append((part, number, not same))
        else:
            bound.learn((score + shift,), entry, same)
    return served


def test_labels_that_no_line_divides_better_than_a_cliff_do_not_throw_the_weights_about() -> None:
    risk = Risk(COLD)
    for number in range(25):  # all right above, all wrong below: undamped, Newton's method leaps to and fro
        teach(risk, 8.0 + number / 100, f"e{number}", True)
        teach(risk, -5.5 - number / 100, f"f{number}", False)
    assert 0.1 < risk.of((1.0,), "new")[1] < 0.9


@pytest.mark.parametrize("prior", [COLD, SURE])
@pytest.mark.parametrize("budget", [0.005, 0.02])
def test_wrong_answers_stay_within_the_budget_and_it_is_used(prior: Prior, budget: float) -> None:
    wrong = hits = 0
    for seed in range(8):
        served = traffic(Bound(budget, prior), 4000, seed=seed)
        wrong += sum(one for _, _, one in served)
        hits += len(served)
    assert wrong / 32_000 <= budget
    assert hits / 32_000 > 0.15


def test_scores_that_boast_are_seen_through() -> None:
    served = traffic(Bound(0.005, SURE), 8000, shift=4.0)
    late = [wrong for _, number, wrong in served if number > 4000]
    assert sum(late) / 4000 <= 0.01


def test_each_partition_keeps_the_budget_for_itself() -> None:
    bound, chance = Bound(0.01, SURE), Random(1)
    served = 0
    for number in range(2000):  # what the quiet partition saves, the risky one may not spend
        for _ in range(9):
            bound.decide(None, "", "quiet", chance)
        served += bound.decide((3.0 + number * 1e-4,), f"e{number}", "risky", chance).serve
    assert 0 < served * 0.0474 <= 0.01 * 2000 * 1.7


def test_what_ten_partitions_saved_is_not_spent_in_one_burst() -> None:
    bound, chance = Bound(0.01, SURE), Random(2)
    for number in range(19_000):
        bound.decide(None, "", f"p{number % 10}", chance)
    burst = [bound.decide((3.0 + n * 1e-4,), f"e{n}", f"p{n % 10}", chance).serve for n in range(2000)]
    assert 0 < sum(burst) * 0.04 <= 0.01 * 2000 * 1.7


def test_an_entry_with_wrong_labels_is_riskier_than_others() -> None:
    risk = Risk(SURE)
    before = risk.of((4.0,), "bad")
    for _ in range(4):
        teach(risk, 4.0, "bad", False)
    assert risk.of((4.0,), "bad")[0] > 3 * before[0]
    assert risk.of((4.0,), "other") == before  # the shared weights are found anew after 25 labels


def test_labels_move_the_shared_weights() -> None:
    risk = Risk(COLD)
    for number in range(200):
        teach(risk, 2.0, f"e{number}", True)
        teach(risk, -2.0, f"f{number}", False)
    assert risk.of((2.0,), "new")[1] < 0.05
    assert risk.of((-2.0,), "new")[1] > 0.95


def test_a_higher_score_is_never_riskier() -> None:
    risk = Risk(COLD)
    for number in range(100):  # labels that say the opposite
        teach(risk, 3.0, f"e{number}", False)
        teach(risk, -3.0, f"f{number}", True)
    assert risk.of((3.0,), "new")[1] <= risk.of((-3.0,), "new")[1]


def test_hopeless_candidates_teach_nothing() -> None:
    risk = Risk(SURE)
    for number in range(100):
        teach(risk, -20.0, f"e{number}", True)
    assert risk.of((0.0,), "new") == Risk(SURE).of((0.0,), "new")


def test_the_unfavourable_end_shrinks_with_evidence() -> None:
    few, many = Risk(COLD), Risk(COLD)
    for number in range(1000):
        score, same = world(Random(number))
        if number < 25:
            teach(few, score, f"e{number}", same)
        teach(many, score, f"e{number}", same)
    assert few.of((5.0,), "x")[0] - few.of((5.0,), "x")[1] > many.of((5.0,), "x")[0] - many.of((5.0,), "x")[1] > 0


def test_the_limit_is_the_largest_that_the_last_lookups_allow() -> None:
    account = Account(0.01)
    for number in range(2000):  # the budget is 20 wrong answers: 500 at 0.001, 500 at 0.02 cost 10.5; those at 0.3, 150
        account.enter((0.001, 0.02, 0.3, 1.0)[number % 4], 0.0)
    assert account.limit == 0.02
    account = Account(0.005)
    for number in range(2000):  # and half of it allows no more than the cheap ones, and some of the others
        account.enter((0.001, 0.02 + number * 1e-6, 0.3, 1.0)[number % 4], 0.0)
    assert account.allows(0.0217, 0.0)
    assert not account.allows(0.0219, 0.0)


def test_the_limit_forgets_what_has_left_the_window() -> None:
    account = Account(0.01)
    for _ in range(2000):
        account.enter(0.3, 0.0)
    assert not account.allows(0.29, 0.0)
    for _ in range(2000):
        account.enter(0.001, 0.0)
    assert account.limit == 0.001


def test_the_limit_never_passes_the_highest_risk() -> None:
    account = Account(0.2)
    for number in range(500):
        account.enter(0.6 if number % 10 == 0 else 0.001, 0.0)
    assert account.limit == 0.35


def test_what_was_spent_stops_serving_until_it_has_left_the_window() -> None:
    account = Account(0.01)
    for _ in range(100):
        account.enter(0.005, 0.02)
    assert not account.allows(0.001, 0.001)
    for _ in range(2000):
        account.enter(0.005, 0.0)
    assert account.allows(0.001, 20.0)  # the whole budget is free again
    assert not account.allows(0.001, 20.1)


def test_a_share_of_what_is_served_is_checked() -> None:
    chance = Random(3)
    bound = Bound(0.01, SURE, audit=0.05)
    verdicts = [bound.decide((9.0,), f"e{n}", "", chance) for n in range(4000)]
    served = [one for one in verdicts if one.serve]
    assert len(served) > 3500
    assert 0.03 < sum(one.check for one in served) / len(served) < 0.07
    assert not any(one.check for one in verdicts if not one.serve)


def test_no_candidate_is_a_lookup_that_serves_nothing() -> None:
    verdict = Bound(0.2).decide(None, "", "", Random(0))
    assert not verdict.serve
    assert verdict.risk == 1.0


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.001, 0.2),
    st.lists(st.tuples(st.floats(-40, 40), st.sampled_from("abc"), st.booleans()), max_size=300),
)
def test_any_labels_leave_risks_between_nought_and_one_and_spending_within_the_budget(
    budget: float, labels: list[tuple[float, str, bool]]
) -> None:
    bound, chance, spent = Bound(budget), Random(0), 0.0
    for score, entry, same in labels:
        verdict = bound.decide((score,), entry, entry, chance)
        assert 0.0 <= verdict.risk <= 1.0
        if verdict.serve:
            assert verdict.risk <= verdict.limit
            spent += 1
        bound.learn((score,), entry, same)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([0.001, 0.005, 0.2]),
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 400), st.sampled_from([None, -1.0, 3.0, 5.0, 9.0]), st.booleans()),
        max_size=25,
    ),
)
def test_no_restarts_and_no_number_of_processes_spend_more_than_all_lookups_earn(
    budget: float, runs: list[tuple[int, int, float | None, bool]]
) -> None:
    """Three processes that know nothing of one another, and end and begin at any time, even killed: no more than one run."""
    bounds, chance, lookups, spent = [Bound(budget, SURE) for _ in range(3)], Random(0), 0, 0.0
    for which, times, score, begins_anew in runs:
        if begins_anew:
            bounds[which] = Bound(budget, SURE)
        for _ in range(times):
            lookups += 1
            signs = None if score is None else (score,)
            if bounds[which].decide(signs, f"e{lookups}", f"p{lookups % 2}", chance).serve:
                assert signs is not None
                spent += bounds[which]._risk.of(signs, f"e{lookups}")[1]
            assert spent <= budget * lookups * (1 + 1e-9)


def test_who_begins_anew_at_each_lookup_gets_nothing_ahead_of_it() -> None:
    account = Account(0.01)
    assert account.allows(0.01, 0.01) and not account.allows(0.01, 0.0101)
