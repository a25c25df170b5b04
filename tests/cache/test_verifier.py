"""The trees: walked as they are written, trained on these features, quick."""

from __future__ import annotations

import json
import pkgutil
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.features import NAMES, WEIGHED
from edgeclient.cache.trees import Arrays
from edgeclient.cache.verifier import Bits, Forest, forest, parsed

COSINE, GRAMS = NAMES.index("cosine"), NAMES.index("grams")
SMALL: dict[str, Any] = {
    "features": list(NAMES),
    "weighed": list(WEIGHED),
    "forests": {
        "none": {
            "base": -0.5,
            "prior": {"weights": [-1.0, 1.5], "precision": [[3.0, 1.0], [1.0, 2.0]]},
            "feature": [[COSINE, -1, GRAMS, -1, -1], [-1], [GRAMS, -1, -1]],
            "value": [[0.7, -1.0, 0.5, 1.0, 2.0], [0.25], [0.9, 0.0, 4.0]],
            "right": [[2, 0, 4, 0, 0], [0], [2, 0, 0]],
        }
    },
}


def scored(cosine: float, grams: float) -> float:
    values = [0.0] * len(NAMES)
    values[COSINE], values[GRAMS] = cosine, grams
    return parsed(SMALL, "none").scores([values])[0]


@pytest.mark.parametrize(
    ("cosine", "grams", "score"),
    [
        (0.1, 0.1, -1.25),
        (0.7, 0.1, -1.25),  # at the threshold: to the left
        (0.8, 0.1, 0.75),
        (0.8, 0.6, 1.75),
        (0.8, 0.95, 5.75),
        (0.1, 0.95, 2.75),
    ],
)
def test_a_score_is_the_base_and_a_leaf_of_each_tree(cosine: float, grams: float, score: float) -> None:
    assert scored(cosine, grams) == pytest.approx(score)


def test_the_prior_comes_with_the_trees() -> None:
    prior = parsed(SMALL, "none").prior
    assert (prior.weights, prior.precision) == ((-1.0, 1.5), ((3.0, 1.0), (1.0, 2.0)))


def test_a_file_for_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="train it again"):
        parsed({**SMALL, "features": [*NAMES[1:], NAMES[0]]}, "none")
    with pytest.raises(ValueError, match="train it again"):
        parsed({**SMALL, "weighed": list(WEIGHED[1:])}, "none")


DATA = json.loads(pkgutil.get_data("edgeclient.cache", "data/verifier.json") or b"{}")


def walked(kind: str, values: list[float]) -> float:
    """The score as the data file has it: from each root to a leaf."""
    said = DATA["forests"][kind]
    total: float = said["base"]
    for feature, value, right in zip(said["feature"], said["value"], said["right"], strict=True):
        node = 0
        while feature[node] >= 0:
            node = node + 1 if values[feature[node]] <= value[node] else right[node]
        total += value[node]
    return total


THRESHOLDS = sorted({value for tree in DATA["forests"]["none"]["value"] for value in tree})


VALUES = st.lists(st.floats(-10, 10) | st.sampled_from(THRESHOLDS), min_size=len(NAMES), max_size=len(NAMES))
WITHOUT_NUMPY: dict[str, Forest] = {}


def forest_without_numpy(kind: str) -> Forest:
    if kind not in WITHOUT_NUMPY:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "edgeclient.cache.trees", None)
            WITHOUT_NUMPY[kind] = parsed(DATA, kind)
    return WITHOUT_NUMPY[kind]


@pytest.mark.parametrize("kind", ["none", "wordllama"])
@given(st.lists(VALUES, max_size=5))
def test_a_score_is_what_a_walk_through_the_trees_adds_up_to(kind: str, rows: list[list[float]]) -> None:
    bits = forest_without_numpy(kind)
    assert (type(bits.trees), type(forest(kind).trees)) == (Bits, Arrays)
    for trees in (bits, forest(kind)):
        assert trees.scores(rows) == pytest.approx([walked(kind, values) for values in rows], abs=1e-9)


def test_a_tree_with_more_leaves_than_there_are_bits_is_refused() -> None:
    deep = [COSINE, -1] * 16 + [-1]
    said = {**SMALL["forests"]["none"], "feature": [deep], "value": [[0.5] * 33], "right": [[*range(2, 33), 0, 0]]}
    with pytest.raises(ValueError, match="17 leaves; 16 are the most"):
        parsed({**SMALL, "forests": {"none": said}}, "none")


def test_the_file_says_where_it_comes_from_and_how_good_it_is() -> None:
    assert DATA["date"]
    assert sum(DATA["sources"].values()) > 1000
    for kind, worst in (("wordllama", 1.0), ("none", 1.3)):
        figures = DATA["forests"][kind]["figures"]["0.005"]
        assert figures["wrong"] <= 0.5 and figures["worst"] <= worst
