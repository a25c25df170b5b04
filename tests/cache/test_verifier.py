"""The trees: walked as they are written, trained on these features, quick."""

from __future__ import annotations

import json
import pkgutil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.features import NAMES
from edgeclient.cache.verifier import Forest, forest, parsed

COSINE, GRAMS = NAMES.index("cosine"), NAMES.index("grams")
SMALL: dict[str, Any] = {
    "features": list(NAMES),
    "forests": {
        "none": {
            "base": -0.5,
            "prior": {"intercept": -1.0, "slope": 1.5, "precision": [3.0, 1.0, 2.0]},
            "feature": [[COSINE, -1, GRAMS, -1, -1], [-1], [GRAMS, -1, -1]],
            "value": [[0.7, -1.0, 0.5, 1.0, 2.0], [0.25], [0.9, 0.0, 4.0]],
            "right": [[2, 0, 4, 0, 0], [0], [2, 0, 0]],
        }
    },
}


def scored(cosine: float, grams: float) -> float:
    values = [0.0] * len(NAMES)
    values[COSINE], values[GRAMS] = cosine, grams
    return parsed(SMALL, "none").score(values)


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
    assert (prior.intercept, prior.slope, prior.precision) == (-1.0, 1.5, (3.0, 1.0, 2.0))


def test_a_file_for_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="train it again"):
        parsed({**SMALL, "features": [*NAMES[1:], NAMES[0]]}, "none")


@pytest.fixture(params=["none", "wordllama"])
def shipped(request: pytest.FixtureRequest) -> Forest:
    return forest(request.param)


@given(st.lists(st.floats(-10, 10), min_size=len(NAMES), max_size=len(NAMES)))
def test_any_features_have_a_score(values: list[float]) -> None:
    for kind in ("none", "wordllama"):
        assert -40 < forest(kind).score(values) < 40


def test_a_score_takes_some_two_thousand_comparisons_at_most(shipped: Forest) -> None:
    """At about 50 ns each: 0.1 ms for a candidate."""

    def depth(node: int) -> int:
        return 0 if shipped.feature[node] < 0 else 1 + max(depth(node + 1), depth(shipped.right[node]))

    assert sum(depth(root) for root in shipped.roots) <= 2500


def test_the_file_says_where_it_comes_from_and_how_good_it_is() -> None:
    data = json.loads(pkgutil.get_data("edgeclient.cache", "data/verifier.json") or b"{}")
    assert data["date"]
    assert sum(data["sources"].values()) > 1000
    for trained in data["forests"].values():
        assert trained["figures"]["0.005"]["wrong"] <= 0.5
        assert trained["figures"]["0.005"]["worst"] <= 1.0
