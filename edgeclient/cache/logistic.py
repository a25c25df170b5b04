"""A logistic regression that knows how sure it is, in plain Python: a normal prior, Laplace's approximation. Pure.

Rows are tuples of numbers, all of one length; the intercept comes before them and is not in the rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

_ENOUGH = 1e-3  # a step as short as this changes no decision
_STEPS = 20
_PARTS = (1.0, 0.5, 0.25, 0.1, 0.02)  # of a step: where the curve is flat, a whole one jumps over the valley, and back


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of log odds = intercept + weights * row before any label: means (the intercept's first) and their
    precision matrix."""

    weights: Vector
    precision: Matrix


@dataclass(frozen=True, slots=True)
class Labels:
    """Rows by their columns, the intercept's ones first; of each row 1.0 when it was right, and its weight."""

    columns: Sequence[Sequence[float]]
    same: Sequence[float]
    weight: Sequence[float]


def chance(odds: float) -> float:
    """The chance of these log odds."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def odds(weights: Vector, row: Sequence[float]) -> float:
    """Intercept + weights * row."""
    return sum(map(mul, weights[1:], row), weights[0])


def variance(spread: Matrix, row: Sequence[float]) -> float:
    """Of the odds of a row, by the covariance of the weights."""
    whole = (1.0, *row)
    along: list[float] = [sum(map(mul, line, whole)) for line in spread]
    return max(0.0, sum(map(mul, whole, along), 0.0))


def fitted(labels: Labels, prior: Prior, weights: Vector) -> tuple[Vector, Matrix]:
    """The likeliest weights (Newton's method from these ones) and their covariance."""
    loss, chances = _loss(labels, prior, weights)
    for _ in range(_STEPS):
        down, bend = _slopes(labels, prior, weights, chances)
        step = [sum(map(mul, line, down)) for line in inverse(bend)]
        if max(map(abs, step)) < _ENOUGH:
            break
        for part in _PARTS:
            nearer = tuple([one + part * more for one, more in zip(weights, step, strict=True)])
            found = _loss(labels, prior, nearer)
            if found[0] < loss:
                weights, (loss, chances) = nearer, found
                break
        else:
            break
    _, bend = _slopes(labels, prior, weights, chances)
    return weights, inverse(bend)


def inverse(matrix: Matrix) -> Matrix:
    """Of a symmetric, positive definite matrix (Gauss and Jordan)."""
    size = len(matrix)
    rows = [[*line, *[float(at == place) for at in range(size)]] for place, line in enumerate(matrix)]
    for place in range(size):
        pivot = rows[place][place]
        rows[place] = [one / pivot for one in rows[place]]
        for at in range(size):
            if at != place and rows[at][place]:
                times = rows[at][place]
                rows[at] = [one - times * other for one, other in zip(rows[at], rows[place], strict=True)]
    return tuple([tuple(line[size:]) for line in rows])


def _off(prior: Prior, weights: Vector) -> tuple[list[float], list[float]]:
    """How far the weights are from the prior's, and the pull back from there."""
    off = [one - mean for one, mean in zip(weights, prior.weights, strict=True)]
    return off, [sum(map(mul, line, off)) for line in prior.precision]


def _loss(labels: Labels, prior: Prior, weights: Vector) -> tuple[float, list[float]]:
    """Minus the log posterior, and of each row the chance that it is right."""
    every = [0.0] * len(labels.same)
    for weight, column in zip(weights, labels.columns, strict=True):
        every = [so_far + weight * one for so_far, one in zip(every, column, strict=True)]
    chances = [chance(one) for one in every]
    said = [math.log(one if same else 1 - one) for one, same in zip(chances, labels.same, strict=True)]
    return 0.5 * sum(map(mul, *_off(prior, weights))) - sum(map(mul, labels.weight, said)), chances


def _slopes(labels: Labels, prior: Prior, weights: Vector, chances: Sequence[float]) -> tuple[list[float], Matrix]:
    """The way down from these weights, and the curvature there."""
    _, back = _off(prior, weights)
    told = list(zip(labels.weight, labels.same, chances, strict=True))
    errors = [weight * (same - one) for weight, same, one in told]
    bends = [weight * one * (1 - one) for weight, _, one in told]
    down = [sum(map(mul, errors, column)) - pull for column, pull in zip(labels.columns, back, strict=True)]
    size = len(weights)
    bend = [list(line) for line in prior.precision]
    for place, column in enumerate(labels.columns):
        bent = list(map(mul, bends, column))
        for other in range(place, size):
            bend[place][other] += sum(map(mul, bent, labels.columns[other]))
            bend[other][place] = bend[place][other]
    return down, tuple(map(tuple, bend))
