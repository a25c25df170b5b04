"""What the verifier sees of two prompts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.embedders.none import Hashed
from edgeclient.cache.features import NAMES, asked, features
from edgeclient.cache.guards import conflicts
from edgeclient.cache.reading import read


class Words:
    """Knows that cars and bicycles are somewhat alike."""

    def weight(self, word: str) -> float:
        return 3.0 if word == "bicycle" else 1.0

    def likeness(self, words: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        return [[0.6 if {one, other} == {"car", "bicycle"} else 0.0 for other in others] for one in words]


def seen(one: str, other: str, cosine: float = 0.5) -> dict[str, float]:
    a, b = read(one), read(other)
    assert a is not None
    assert b is not None
    return dict(zip(NAMES, features(a, asked(b, Words()), cosine, Words(), conflicts(a, b)), strict=True))


CASES = [
    # one, other, what is seen
    ("where is the station", "where is the station", {"shared": 1, "left": 0, "in order": 1, "only a": 0, "core a": 0}),
    ("paint the car", "paint the bicycle", {"one changed": 1, "changed alike": 0.6, "heaviest a": 1, "heaviest b": 3}),
    ("paint the car", "paint the bicycle", {"left": 0.4 * 1 + 0.4 * 3, "lightest heaviest": 0.4, "shared": 1 / 3}),
    ("paint the car", "paint the car red", {"one sided": 1, "only a": 0, "only b": 1}),
    ("buy milk", "purchase milk", {"synonyms": 1, "slips": 0, "changed alike": 0.93}),
    ("paint the bicycle", "paint the bicylce", {"slips": 1, "synonyms": 0, "changed alike": 0.97}),
    ("milk bread eggs", "eggs bread milk", {"shared": 1, "in order": 1 / 3, "subject order": 1 / 3, "word pairs": 0}),
    ("is my car red", "is his car red", {"pronouns": 2, "small words": 2, "prepositions": 0, "shared": 1}),
    ("from milk to eggs", "in milk to eggs", {"prepositions": 2}),
    ("how many cars", "which cars", {"counting": 1, "same question": 0}),
    ("who sold Berlin stones", "who sold stones", {"names": 1}),
    ("milk 2", "milk 3", {"numbers": 2, "guards": 1, "guard: number": 1, "guard: name": 0}),
    ("boil the milk now", "heat milk boil", {"focus": 0.5, "same first": 0}),
    ("a b c d e f", "a b x d e f", {"before core": 2 / 6, "after core": 3 / 6, "length ratio": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "expected"), CASES)
def test_features_of_a_pair(one: str, other: str, expected: dict[str, float]) -> None:
    found = seen(one, other)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_the_cosine_is_the_first() -> None:
    assert seen("a cat", "a dog", 0.25)["cosine"] == 0.25


@given(st.text(max_size=120), st.text(max_size=120))
def test_every_pair_has_every_feature(one: str, other: str) -> None:
    a, b = read(one), read(other)
    assert a is not None
    assert b is not None
    found = features(a, asked(b, Hashed()), 0.5, Hashed(), conflicts(a, b))
    assert len(found) == len(NAMES)
    assert all(-100 < value < 1000 for value in found)


def test_features_are_the_same_to_the_last_digit_in_every_process() -> None:
    """Sets of words have another order in each process; trees trained on sums in that order differ."""
    program = (
        "from edgeclient.cache.embedders.none import Hashed\n"
        "from edgeclient.cache.features import asked, features\n"
        "from edgeclient.cache.reading import read\n"
        "texts = ['boil the fresh milk slowly tonight, stirring', 'warm milk overnight, slowly boiling whatever is fresh']\n"
        "a, b = (read(text * 3) for text in texts)\n"
        "print(features(a, asked(b, Hashed()), 0.5, Hashed(), ()))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in range(6)
    }
    assert len(found) == 1


def test_a_long_difference_is_compared_at_its_beginning_only() -> None:
    one, other = " ".join(f"w{n}a" for n in range(3000)), " ".join(f"v{n}b" for n in range(3000))
    assert seen(one, other)["in order"] == 0
    assert seen(f"x {one} y", f"x {other} y")["before core"] > 0
