"""Scores a candidate: small gradient-boosted trees over the pair's features. Pure, but for reading one file once.

The trees were trained offline (`benchmarks/semantic_train.py`) and are data: `data/verifier.json`, which names its
features, sources, date and figures. There is one forest for each kind of embedder. A score is log odds.
"""

from __future__ import annotations

import json
import pkgutil
import sys
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from .features import NAMES, WEIGHED
from .logistic import Prior

_FIELD = 16  # bits for a tree: its leaves at the most

Tests = Sequence[tuple[int, tuple[float, ...], tuple[int, ...]]]  # feature, thresholds, leaves left above so many


class Trees(Protocol):
    """Adds up trees: `Bits`, or `trees.Arrays` where numpy is."""

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Of each row of features, the log odds that the two prompts ask the same, as the training data had it."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The verifier of one kind of embedder."""

    trees: Trees
    prior: Prior

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Of each row of features, its score."""
        return self.trees.scores(rows) if rows else []


@dataclass(frozen=True, slots=True)
class Bits:
    """Trees as bits, a field for each tree and in it a bit for each leaf, so that nothing has to be walked.

    A value above a node's threshold rules out the leaves to the left of the node. What all features rule out together
    leaves each tree some leaves, and its first one is where a walk would end. (QuickScorer: Lucchese et al., SIGIR 2015.)
    """

    base: float
    tests: Tests
    leaves: Sequence[dict[int, float]]  # of each tree: a leaf's bit -> what it adds to the score
    ones: int  # 1 in each field

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        return [self._score(row) for row in rows]

    def _score(self, features: Sequence[float]) -> float:
        size = _FIELD // 8 * len(self.leaves)
        left = (1 << 8 * size) - 1
        for feature, thresholds, above in self.tests:
            passed = bisect_left(thresholds, features[feature])
            if passed:
                left &= above[passed - 1]
        first = left & ~(left - self.ones)  # of each field its lowest bit: no field is 0, so none borrows of the next
        fields = memoryview(first.to_bytes(size, sys.byteorder)).cast("H")
        return sum(map(dict.__getitem__, self.leaves, fields if sys.byteorder == "little" else fields[::-1]), self.base)


@cache
def forest(kind: str) -> Forest:
    """The forest for embedders of this kind: `none` or `wordllama`."""
    return parsed(json.loads(pkgutil.get_data(__package__, "data/verifier.json") or b"{}"), kind)


def parsed(data: Mapping[str, Any], kind: str) -> Forest:
    """A forest from the contents of a data file. ValueError when it was trained on other features than these."""
    if tuple(data["features"]) != NAMES or tuple(data["weighed"]) != WEIGHED:
        raise ValueError("the verifier's data file was trained on other features; train it again")
    said = data["forests"][kind]
    leaves: list[dict[int, float]] = []
    nodes: dict[int, list[tuple[float, int]]] = {}  # feature -> (threshold, the bits to its left)
    for place, tree in enumerate(zip(said["feature"], said["value"], said["right"], strict=True)):
        found, inner = _as_bits(*tree)
        leaves.append(found)
        for feature, threshold, bits in inner:
            nodes.setdefault(feature, []).append((threshold, bits << _FIELD * place))
    tests = [(feature, *_ruled_out(sorted(tested))) for feature, tested in sorted(nodes.items())]
    prior = said["prior"]
    return Forest(
        _trees(said["base"], tests, leaves), Prior(tuple(prior["weights"]), tuple(map(tuple, prior["precision"])))
    )


def _trees(base: float, tests: Tests, leaves: Sequence[dict[int, float]]) -> Trees:
    """What adds the trees up: with numpy where it is installed."""
    try:
        from .trees import Arrays
    except ImportError:
        return Bits(base, tests, leaves, sum(1 << _FIELD * place for place in range(len(leaves))))
    return Arrays(base, tests, leaves)


def _as_bits(
    feature: Sequence[int], value: Sequence[float], right: Sequence[int]
) -> tuple[dict[int, float], list[tuple[int, float, int]]]:
    """The leaves of a tree, by their bits, and (feature, threshold, bits of the leaves to the left) of its nodes."""
    leaves: dict[int, float] = {}
    inner: list[tuple[int, float, int]] = []

    def walk(node: int) -> int:
        if feature[node] < 0:
            bit = 1 << len(leaves)
            leaves[bit] = value[node]
            return bit
        left = walk(node + 1)
        inner.append((feature[node], value[node], left))
        return left | walk(right[node])

    walk(0)
    if len(leaves) > _FIELD:
        raise ValueError(f"a tree of the verifier's data file has {len(leaves)} leaves; {_FIELD} are the most")
    return leaves, inner


def _ruled_out(tested: list[tuple[float, int]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The thresholds of one feature, and the leaves that are left when a value is above so many of them."""
    left, above = -1, []
    for _, bits in tested:
        left &= ~bits
        above.append(left)
    return tuple(threshold for threshold, _ in tested), tuple(above)
