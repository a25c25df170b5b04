"""Prompts built to collide get no other prompt's answer more often than the bound allows: each kind, both ways round."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from abuse import ATTACKS, NEAR_MISSES
from semantic_adapter import Matcher
from semantic_made import FAMILIES, KINDS, asked, pairs

from edgeclient.cache.bound import _HIGHEST, Risk
from edgeclient.cache.embedders.none import Hashed
from edgeclient.cache.letters import foreign
from edgeclient.cache.matcher import Judged
from edgeclient.cache.verifier import forest

VECTORS, TREES = Hashed(), forest("none")
BUDGET = 0.005


def judge(stored: str, prompt: str) -> Judged:
    rows = VECTORS.embed([stored, prompt])
    (found,) = Matcher(VECTORS, TREES, BUDGET)._judged(prompt, [(stored, float(rows[0] @ rows[1]))])
    return found


def attacks(kind: str, number: int) -> Iterator[tuple[str, str]]:
    """(stored, asked): an attacker asks like a prompt that is stored, or stores one like a prompt that will be asked."""
    chance = Random(f"{kind} {number}")
    while number:
        theirs, other = asked(chance), asked(chance)
        if theirs.family == other.family:
            continue
        victim = theirs.worded(chance.randrange(8))
        attack = ATTACKS[kind](victim, other.worded(chance.randrange(8)), chance)
        yield (victim, attack) if number % 2 else (attack, victim)
        number -= 1


def risk(found: Judged) -> float:
    """What the bound believes before it has seen a label; above `_HIGHEST` nothing is served, whatever the budget."""
    return 1.0 if found.signs is None else Risk(TREES.prior).of(found.signs, "")[0]


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_is_equal_to_nothing_and_hardly_ever_looks_safe_enough(kind: str) -> None:
    """Before any label, at the highest limit there is; what is served then is for the next test to count."""
    found = [judge(stored, prompt) for stored, prompt in attacks(kind, 200)]
    assert not any(one.equal for one in found)
    assert sum(risk(one) <= _HIGHEST for one in found) <= 0.01 * len(found)


@pytest.mark.parametrize("kind", ATTACKS)
def test_who_does_nothing_but_attack_stays_within_the_bound(kind: str) -> None:
    """Every attack beside its victim, among others; what goes to the model teaches the bound, as it does in service."""
    matcher, wrong, lookups = Matcher(VECTORS, TREES, BUDGET), 0, 400
    decoys = ["how do I cook rice", "what is the melting point of tin"]
    rows = VECTORS.embed(decoys)
    for stored, prompt in attacks(kind, lookups):
        at, of = VECTORS.embed([prompt, stored])
        few = [(one, float(at @ row)) for one, row in zip([stored, *decoys], [of, *rows], strict=True)]
        few.sort(key=lambda one: -one[1])
        served = matcher.decide(prompt, few)
        wrong += served is not None
        if served is None:
            matcher.observe(prompt, *few[0], False)
    assert wrong <= BUDGET * lookups


@pytest.mark.parametrize(("english", "theirs", "attack"), NEAR_MISSES)
def test_a_near_miss_in_another_language_is_not_taken_for_the_question(english: str, theirs: str, attack: str) -> None:
    for stored, prompt in ((english, attack), (theirs, attack), (attack, theirs)):
        found = judge(stored, prompt)
        assert not found.equal
        assert risk(found) > _HIGHEST


@pytest.mark.parametrize("kind", ["lookalikes", "unseen", "hidden"])
def test_characters_that_deceive_the_eye_have_no_score_at_all(kind: str) -> None:
    for stored, prompt in attacks(kind, 200):
        assert foreign(stored) or foreign(prompt)
        assert judge(stored, prompt).score is None


@pytest.mark.parametrize("kind", KINDS)
def test_other_numbers_opposites_names_and_directions_are_not_accepted(kind: str) -> None:
    made = pairs(kind, Random(3))
    found = [judge(*next(made)) for _ in range(400)]
    assert not any(one.equal for one in found)
    assert sum(risk(one) <= _HIGHEST for one in found) <= 0.005 * len(found)


def test_some_honest_wordings_do_look_safe() -> None:
    """Else the tests above would pass with a verifier that refuses everything."""
    chance, safe = Random(4), 0
    for number in range(400):
        one = asked(chance)
        found = judge(one.worded(0), one.worded(1 + number % (len(FAMILIES[one.family]) - 1)))
        safe += found.equal or risk(found) <= _HIGHEST
    assert safe >= 100


def test_long_prompts_that_differ_at_their_end_have_different_answers() -> None:
    text = " ".join(
        asked(Random(n)).worded(n) for n in range(150)
    )  # beyond what is embedded and compared by characters
    ends = ("Summarise this.", "Translate this into French.", "List the names in this.", "How many cities are in this?")
    assert np.allclose(*VECTORS.embed([f"{text} {end}" for end in ends[:2]]), atol=0.02)
    for stored in ends:
        for prompt in ends:
            if stored != prompt:
                assert risk(judge(f"{text} {stored}", f"{text} {prompt}")) > _HIGHEST
