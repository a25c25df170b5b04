"""The regression under the bound: finds the likeliest weights, and says how sure it is of them."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeclient.cache.bound import Bound
from edgeclient.cache.logistic import Labels, Matrix, Prior, chance, fitted, inverse, odds, variance
from edgeclient.cache.risk import Label, Risk

VAGUE = Prior((0.0, 0.0, 0.0), ((0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1)))
TRUTH = (-1.0, 2.0, -0.5)


def labels(number: int, seed: int = 0) -> tuple[Labels, list[tuple[float, float]]]:
    """Rows of two numbers, right as often as `TRUTH` has it."""
    random = Random(seed)
    rows = [(random.gauss(0, 1), random.gauss(0, 1)) for _ in range(number)]
    same = [float(random.random() < chance(odds(TRUTH, row))) for row in rows]
    return Labels([[1.0] * number, *zip(*rows, strict=True)], same, [1.0] * number), rows


def test_the_weights_that_made_the_labels_are_found_within_what_is_believed() -> None:
    for seed in range(5):
        weights, spread = fitted(labels(2000, seed)[0], VAGUE, VAGUE.weights)
        for place, (found, true) in enumerate(zip(weights, TRUTH, strict=True)):
            assert abs(found - true) < 4 * math.sqrt(spread[place][place])
            assert math.sqrt(spread[place][place]) < 0.12


def test_no_step_from_the_weights_found_is_likelier() -> None:
    told, rows = labels(300)
    weights, _ = fitted(told, VAGUE, VAGUE.weights)

    def posterior(at: tuple[float, ...]) -> float:
        right = [chance(odds(at, row)) for row in rows]
        said = sum(math.log(one if same else 1 - one) for one, same in zip(right, told.same, strict=True))
        return said - 0.05 * sum(one * one for one in at)

    for place in range(3):
        for step in (-0.01, 0.01):
            moved = tuple(one + step * (at == place) for at, one in enumerate(weights))
            assert posterior(moved) < posterior(weights)


def test_no_labels_leave_the_prior() -> None:
    weights, spread = fitted(Labels([[], [], []], [], []), VAGUE, VAGUE.weights)
    assert weights == VAGUE.weights
    assert variance(spread, (0.0, 0.0)) == pytest.approx(10.0)


def test_a_label_of_no_weight_says_nothing() -> None:
    told, _ = labels(200)
    mute = Labels(told.columns, told.same, [0.0] * 200)
    assert fitted(mute, VAGUE, VAGUE.weights)[0] == VAGUE.weights


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.floats(-3, 3), min_size=4, max_size=4), min_size=4, max_size=4))
def test_a_matrix_times_its_inverse_is_one(rows: list[list[float]]) -> None:
    matrix: Matrix = tuple(
        tuple(sum(a * b for a, b in zip(one, other, strict=True)) + (x == y) for y, other in enumerate(rows))
        for x, one in enumerate(rows)
    )
    back = inverse(matrix)
    for x, line in enumerate(matrix):
        for y in range(4):
            assert sum(a * back[z][y] for z, a in enumerate(line)) == pytest.approx(float(x == y), abs=1e-6)


def test_a_sign_that_tells_right_from_wrong_here_is_learned_and_ranks_candidates() -> None:
    """The score says nothing of this product, the second sign all: as a cosine does of short questions."""
    prior = Prior((-1.0, 1.0, 0.0), ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0)))
    bound, random = Bound(0.01, prior), Random(3)
    assert bound.odds((2.0, 0.0)) > bound.odds((1.0, 1.0))
    for number in range(400):
        sign = random.random()
        bound.learn((random.uniform(-2, 3), sign), f"e{number}", sign > 0.6)
    assert bound.odds((1.0, 1.0)) > bound.odds((2.0, 0.0)) + 1
    assert bound._risk.of((0.0, 1.0), "new")[1] < 0.2 < 0.9 < bound._risk.of((0.0, 0.2), "new")[1]


def test_signs_of_which_nothing_was_seen_are_doubted() -> None:
    prior = Prior((0.0, 1.0, 0.0), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)))
    risk = Risk(prior)
    for number in range(200):
        risk.learn(Label(0.0, "", number, (2.0, 0.0), f"e{number}", True, ""))
    seen, unseen = risk.of((2.0, 0.0), "new"), risk.of((2.0, 3.0), "new")
    assert unseen[0] - unseen[1] > 5 * (seen[0] - seen[1])
