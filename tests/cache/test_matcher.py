"""Tiers, guards and verifier together: which candidate is taken, and what can never be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.embedders.none import Hashed
from edgeclient.cache.matcher import Judged, best, judged
from edgeclient.cache.reading import LONGEST, read
from edgeclient.cache.verifier import forest

VECTORS = Hashed()


def judge(asked: str, *stored: str) -> list[Judged]:
    cosines = VECTORS.embed(stored) @ VECTORS.embed([asked])[0]
    candidates = [(one, read(one), float(cosine)) for one, cosine in zip(stored, cosines, strict=True)]
    return judged(asked, read(asked), candidates, VECTORS, forest("none"))


def test_equal_after_normalising_comes_before_any_score() -> None:
    found = judge("Please cancel my card!", "How can I cancel my card?", "cancel my card", "cancel it")
    chosen = best(found)
    assert chosen is not None
    assert (chosen.place, chosen.equal) == (1, True)


def test_the_best_score_is_chosen_not_the_nearest() -> None:
    found = judge("how can i cancel my card", "how can i freeze my card", "how do i cancel the card")
    chosen = best(found)
    assert chosen is not None
    assert chosen.place == 1
    assert chosen.score == max(one.score for one in found if one.score is not None)


@pytest.mark.parametrize(
    ("asked", "stored", "guard"),
    [
        ("what is 15 % of 200", "what is 15 % of 300", "number"),
        ("sort ascending please dear", "sort descending please", "opposite"),
        ("say 'good night' in latin", "say 'good day' in latin", "quote"),
        ("send money to paypal", "send money to p\u0430ypal", "script"),
    ],
)
def test_a_veto_leaves_no_score(asked: str, stored: str, guard: str) -> None:
    (found,) = judge(asked, stored)
    assert found.score is None
    assert guard in found.spoke
    assert best([found]) is None


def test_a_contradiction_that_is_no_veto_is_for_the_verifier_to_weigh() -> None:
    (found,) = judge("why does it work", "why does it not work")
    assert found.spoke == ("negation",)
    assert found.score is not None


def test_a_prompt_too_long_to_read_is_answered_only_when_equal() -> None:
    long = "word " * (LONGEST // 4)
    equal, other = judge(long, long.upper(), long + "not")
    assert equal.equal
    assert not other.equal
    assert other.score is None


def test_of_no_candidates_none_is_best() -> None:
    assert best(judge("anything")) is None


@pytest.mark.parametrize("nothing", ["", "?!", " ", "please", "Hi!"])
def test_prompts_that_say_nothing_are_not_equal_to_one_another(nothing: str) -> None:
    assert not any(one.equal for one in judge(nothing, "", "...", "hello", "thanks"))


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=4))
def test_any_prompts_are_judged_in_their_places(asked: str, stored: list[str]) -> None:
    found = judge(asked, *stored)
    assert [one.place for one in found] == list(range(len(stored)))
