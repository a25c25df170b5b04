"""Scores a candidate: small gradient-boosted trees over the pair's features. Pure, but for reading one file once.

The trees were trained offline (`benchmarks/semantic_train.py`) and are data: `data/verifier.json`, which names its
features, sources, date and figures. There is one forest for each kind of embedder. A score is log odds.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from .features import NAMES
from .risk import Prior


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees in four lists of one length, a place for each node; and what is believed of their scores at first."""

    base: float
    roots: tuple[int, ...]
    feature: tuple[int, ...]  # -1 at a leaf
    value: tuple[float, ...]  # the threshold; at a leaf, what it adds to the score
    right: tuple[int, ...]  # the node for values above the threshold; the one for the others is the next
    prior: Prior

    def score(self, features: Sequence[float]) -> float:
        """Log odds that the two prompts ask the same, as the training data had it."""
        feature, value, right = self.feature, self.value, self.right
        total = self.base
        for node in self.roots:
            while (tested := feature[node]) >= 0:
                node = node + 1 if features[tested] <= value[node] else right[node]
            total += value[node]
        return total


@cache
def forest(kind: str) -> Forest:
    """The forest for embedders of this kind: `none` or `wordllama`."""
    return parsed(json.loads(pkgutil.get_data(__package__, "data/verifier.json") or b"{}"), kind)


def parsed(data: Mapping[str, Any], kind: str) -> Forest:
    """A forest from the contents of a data file. ValueError when it was trained on other features than these."""
    if tuple(data["features"]) != NAMES:
        raise ValueError("the verifier's data file was trained on other features; train it again")
    said = data["forests"][kind]
    roots: list[int] = []
    nodes: list[tuple[int, float, int]] = []
    for feature, value, right in zip(said["feature"], said["value"], said["right"], strict=True):
        start = len(nodes)
        roots.append(start)
        nodes += [(one, other, start + place) for one, other, place in zip(feature, value, right, strict=True)]
    columns: list[tuple[Any, ...]] = list(zip(*nodes, strict=True))
    prior = said["prior"]
    return Forest(
        base=said["base"],
        roots=tuple(roots),
        feature=columns[0],
        value=columns[1],
        right=columns[2],
        prior=Prior(prior["intercept"], prior["slope"], tuple(prior["precision"])),
    )
