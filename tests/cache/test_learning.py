"""What the bound learns: from whom, over a restart, in several processes, and when what it knew is no longer true."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeclient.cache.bound import Bound, merged
from edgeclient.cache.logistic import Prior

SURE = Prior((0.0, 1.0), ((50.0, 0.0), (0.0, 50.0)))  # believes that the score is the log odds
BOASTS = 3.0  # what scores promise too much


def serve(bounds: list[Bound], lookups: int, seed: int, *, together: int = 0) -> tuple[int, int]:
    """(hits, wrong) of lookups split over the bounds, whose scores boast; they tell one another every so many lookups."""
    chance, hits, wrong = Random(seed), 0, 0
    for number in range(lookups):
        bound = bounds[chance.randrange(len(bounds))]
        score = chance.uniform(-6, 10)
        same = chance.random() < 1 / (1 + math.exp(BOASTS - score))
        if bound.decide((score,), f"e{number}", "", chance).serve:
            hits, wrong = hits + 1, wrong + (not same)
        else:
            bound.learn((score,), f"e{number}", same, now=float(number))
        if together and number % together == 0:
            states = [json.loads(json.dumps(one.state())) for one in bounds]
            for one in bounds:
                one.take(merged(states))
    return hits, wrong


def test_two_processes_on_one_store_learn_together_and_keep_the_bound() -> None:
    wrong = hits = alone = 0
    for seed in range(4):
        pair = [Bound(0.01, SURE, origin=name) for name in ("a", "b")]
        found = serve(pair, 2000, seed, together=200)
        hits, wrong = hits + found[0], wrong + found[1]
        alone += serve([Bound(0.01, SURE, origin="c")], 2000, seed)[1]
        risks = [one._risk.of((4.0,), "new")[1] for one in pair]
        assert risks[0] == pytest.approx(risks[1], rel=0.1)  # each has learned a few labels since they last told
    assert wrong <= 0.01 * 8_000
    assert wrong <= 1.3 * alone
    assert hits > 0.1 * 8_000


def test_a_process_that_is_told_knows_what_it_did_not_see() -> None:
    teacher, pupil = Bound(0.01, SURE, origin="a"), Bound(0.01, SURE, origin="b")
    serve([teacher], 1000, 1)
    pupil.take(teacher.state())
    assert pupil._risk.of((3.0,), "new") == pytest.approx(teacher._risk.of((3.0,), "new"), rel=0.05)
    assert pupil._risk.of((3.0,), "new")[1] > 2 * Bound(0.01, SURE)._risk.of((3.0,), "new")[1]


def learned(origin: str, seed: int, labels: int) -> dict[str, Any]:
    bound, chance = Bound(0.01, origin=origin), Random(seed)
    for number in range(labels):
        score = chance.uniform(-6, 6)
        bound.learn((score,), f"e{chance.randrange(9)}", chance.random() < 0.5, now=number + chance.random())
    return bound.state()


@settings(max_examples=20, deadline=None)
@given(st.permutations([("a", 1, 90), ("b", 2, 40), ("c", 3, 60)]), st.integers(0, 2))
def test_states_merge_in_any_order_and_as_often_as_one_likes(order: list[tuple[str, int, int]], again: int) -> None:
    states = [learned(*one) for one in order]
    whole = merged(learned(*one) for one in (("a", 1, 90), ("b", 2, 40), ("c", 3, 60)))
    assert merged([merged(states[:2]), states[2], states[again]]) == whole
    one, other = Bound(0.01), Bound(0.01)
    one.take(whole)
    for state in [*states, states[again]]:
        other.take(state)
    assert other.state()["labels"] == one.state()["labels"] == whole["labels"]


def test_the_newest_labels_stay_when_there_are_too_many() -> None:
    kept = merged([learned("a", 1, 1500), learned("b", 2, 1500)])["labels"]
    assert len(kept) == 2000
    assert min(label[0] for label in kept) > 499


def test_what_was_learned_survives_a_restart() -> None:
    before = Bound(0.01, SURE, origin="a")
    for number in range(75):
        before.learn((2.0,), f"e{number}", number % 3 == 0)
    after = Bound(0.01, SURE, origin="a")
    after.take(json.loads(json.dumps(before.state())))
    assert after._risk.of((3.0,), "new") == pytest.approx(before._risk.of((3.0,), "new"), rel=0.05)
    after.learn((1.0,), "e", True)  # a number of its own: no label takes another's place
    assert len(after.state()["labels"]) == 76


@pytest.mark.parametrize(
    "state",
    [
        {}, {"version": 1, "labels": []}, {"version": 2}, {"version": 2, "labels": 3}, {"version": 2, "labels": [[1, 2]]},
        {"version": 2, "labels": [[0.0, "a", 1, [math.nan], "e", True, ""]]},
        {"version": 2, "labels": [[0.0, "a", 1, ["1"], "e", True, ""]]},
        {"version": 2, "labels": [[0.0, "a", 1, [1.0, 2.0], "e", True, ""]]},
        {"version": 2, "labels": [[0.0, "a", 1, 1.0, "e", True, ""]]},
        {"version": 2, "labels": [[0.0, "a", 1, [1.0], "e" * 10_000, True, ""]]},
        {"version": 2, "labels": [[0.0, "a", 1, [1.0], "e", 1, ""]]},
    ],
)  # fmt: skip
def test_what_is_no_state_is_refused_and_nothing_is_learned(state: dict[str, Any]) -> None:
    bound = Bound(0.01)
    with pytest.raises(ValueError, match=r"state|label"):
        bound.take(state)
    with pytest.raises(ValueError, match=r"state|label"):
        bound.take({"version": 2, "labels": [], **state, "turns": [["p", "then", True]]})
    assert bound.state()["labels"] == []


def test_no_caller_alone_moves_what_others_taught() -> None:
    bound, chance = Bound(0.01, SURE, origin="a"), Random(6)
    for number in range(400):
        score = chance.uniform(-4, 6)
        bound.learn(
            (score,), f"e{number}", chance.random() < 1 / (1 + math.exp(-score)), caller=f"c{number % 8}", now=number
        )
    honest = bound._risk.of((1.0,), "new")[1]
    for number in range(1600):  # one says of everything that it was right, as often as the window holds
        bound.learn((chance.uniform(-4, 6),), f"f{number}", True, caller="liar", now=1000.0 + number)
    moved = bound._risk.of((1.0,), "new")[1]
    crowd = Bound(0.01, SURE, origin="a")
    for number in range(1600):
        crowd.learn((chance.uniform(-4, 6),), f"f{number}", True, caller=f"c{number % 8}", now=number)
    assert crowd._risk.of((1.0,), "new")[1] < 0.3 * honest
    assert moved > 0.45 * honest


def test_of_one_entry_a_caller_has_four_labels_and_the_newest() -> None:
    one, many = Bound(0.01, SURE), Bound(0.01, SURE)
    for number in range(16):
        one.learn((3.0,), "e", True, caller="c", now=number)
        many.learn((3.0,), "e", True, caller=f"c{number}", now=number)
    plain = Bound(0.01, SURE)._risk.of((2.0,), "e")[1]
    assert plain > one._risk.of((2.0,), "e")[1] > many._risk.of((2.0,), "e")[1]
    assert len(one._risk._entries["e"]) == 4


def open_partition(chance: Random) -> Bound:
    bound = Bound(0.02, SURE)
    for number in range(600):
        bound.decide((3.6,) if number % 4 == 0 else None, f"e{number}", "p", chance)
        bound.decide(None, "", "q", chance)
    return bound


def test_a_run_of_wrong_labels_closes_serving_at_once_and_says_so() -> None:
    chance = Random(7)
    bound = open_partition(chance)
    said = [bound.learn((5.0,), f"w{number}", False, partition="p", now=number) for number in range(6)]
    assert said.count(True) == 1
    assert said.index(True) <= 4
    verdict = bound.decide((9.0,), "e", "p", chance)
    assert (verdict.serve, verdict.closed) == (False, True)
    assert not bound.decide((9.0,), "e", "q", chance).closed  # others are asked for other things
    restarted = Bound(0.02, SURE)
    restarted.take(json.loads(json.dumps(merged([bound.state()]))))
    assert restarted.decide((9.0,), "e", "p", chance).closed
    assert not restarted.decide((9.0,), "e", "q", chance).closed
    said = [bound.learn((4.0,), f"r{number}", True, partition="p", now=10.0 + number) for number in range(300)]
    assert said.count(True) == 1  # opens again when answers agree again
    assert not bound.decide((9.0,), "e", "p", chance).closed
    restarted.take(merged([restarted.state(), bound.state()]))
    assert not restarted.decide((9.0,), "e", "p", chance).closed


def test_wrong_labels_as_many_as_expected_close_nothing() -> None:
    closed = 0
    for seed in range(20):
        chance = Random(seed)
        bound = open_partition(chance)
        closed += sum(
            bound.learn((4.0,), f"e{n}", chance.random() < 1 / (1 + math.exp(-4.0)), partition="p", now=n)
            for n in range(200)
        )
    assert closed <= 1


def test_labels_of_what_was_never_thought_safe_close_nothing() -> None:
    bound = open_partition(Random(8))
    assert not any(bound.learn((0.0,), f"e{n}", False, partition="p", now=n) for n in range(50))
