"""Each guard sees its own kind of contradiction, both ways round, and lets other words for the same thing pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.guards import GUARDS, VETOES, alike, conflicts
from edgeclient.cache.reading import Reading, read

CASES = json.loads((Path(__file__).parent / "cases" / "guards.json").read_text("utf-8"))


def reading(text: str) -> Reading:
    found = read(text)
    assert found is not None
    return found


@pytest.mark.parametrize(("guard", "one", "other"), CASES["contradict"])
def test_a_guard_sees_its_contradiction(guard: str, one: str, other: str) -> None:
    assert guard in conflicts(reading(one), reading(other))
    assert guard in conflicts(reading(other), reading(one))


@pytest.mark.parametrize(("one", "other"), CASES["agree"])
def test_other_words_for_the_same_thing_pass(one: str, other: str) -> None:
    assert conflicts(reading(one), reading(other)) == ()


def test_a_word_turned_round_and_its_negation_are_the_same() -> None:
    assert "opposite" not in conflicts(reading("is my card unable to pay"), reading("is my card not able to pay"))
    assert "opposite" in conflicts(reading("is my card unable to pay"), reading("is my card able to pay"))


def test_every_guard_has_a_case_and_every_veto_is_a_guard() -> None:
    assert {guard for guard, _, _ in CASES["contradict"]} == set(GUARDS)
    assert set(GUARDS) >= VETOES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("einstein", "einstien", True),
        ("translat", "translator", True),
        ("boston", "austin", False),
        ("v100", "v200", False),
        ("cat", "car", False),
    ],
)
def test_a_slip_of_the_hand_is_no_other_word(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same
    assert alike(other, one) is same


@given(st.text(max_size=80), st.text(max_size=80))
def test_guards_take_any_text_and_do_not_depend_on_who_asked_first(one: str, other: str) -> None:
    a, b = reading(one), reading(other)
    assert set(conflicts(a, b)) == set(conflicts(b, a))
    assert conflicts(a, a) == ()
