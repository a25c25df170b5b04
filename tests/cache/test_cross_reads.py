"""No answer is read by a question that is not its own: 100,000 pairs that differ in one thing, from a fixed seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keys_of
import pytest
from questions import OTHERS, SAME, Change, Question, question

from edgeclient.cache.key import credential_digest, exact_key
from edgeclient.classifying import classify
from edgeclient.dialects import dialect_of

PAIRS, CLASSIFIED = 100_000, 1_000


def exactly(asked: Question) -> str:
    """The key from the parts of a question, as `classify` puts them together."""
    found = dialect_of("POST", asked["path"])
    assert found is not None
    return exact_key(
        credential=credential_digest(asked["headers"]),
        method="POST",
        origin=asked["origin"],
        path=asked["path"],
        query=asked["query"],
        family=f"{found[1].name}/gateway",
        headers=asked["headers"],
        body=asked["body"],
    )


def through_the_pipeline() -> Callable[[Question], str]:
    edge = keys_of.policies()
    return lambda asked: classify(keys_of.request(asked), edge).key


def as_tuples(asked: Question) -> Question:
    return {**asked, "headers": [tuple(header) for header in asked["headers"]]}


def pairs(changes: tuple[Change, ...], seed: int, most: int) -> Iterator[tuple[str, Question, Question]]:
    """Questions and what a change made of each, until there are so many; each question has every change that fits."""
    rng, made = random.Random(seed), 0
    while made < most:
        asked = as_tuples(question(rng))
        for change in changes * 4:
            changed = change(asked, rng)
            if changed is not None:
                made += 1
                yield change.__name__, asked, as_tuples(changed)


def wrong(found: Iterator[tuple[str, Question, Question]], key: Callable[[Question], str], same: bool) -> list[Any]:
    """The pairs whose keys agree and should not, or the other way round. It counts them, so that none is left out."""
    seen: Counter[str] = Counter()
    bad = []
    before, own = None, ""
    for name, asked, changed in found:
        if asked is not before:
            before, own = asked, key(asked)
        seen[name] += 1
        if not own or (key(changed) == own) is not same:
            bad.append((name, asked, changed))
    assert len(seen) == len(SAME if same else OTHERS), seen
    return bad


def test_no_question_reads_the_answer_of_another_one() -> None:
    assert wrong(pairs(OTHERS, 1, PAIRS), exactly, same=False) == []


def test_the_same_question_in_other_words_finds_its_answer() -> None:
    assert wrong(pairs(SAME, 2, PAIRS // 10), exactly, same=True) == []


@pytest.mark.parametrize(("changes", "same"), [(OTHERS, False), (SAME, True)], ids=["others", "the same"])
def test_so_it_is_through_the_pipeline(changes: tuple[Change, ...], same: bool) -> None:
    assert wrong(pairs(changes, 3, CLASSIFIED), through_the_pipeline(), same=same) == []


def test_a_key_stands_for_one_question_among_all_of_them() -> None:
    """Not only pairs: of 20,000 questions no two that are different have one key."""
    meant: dict[str, str] = {}
    for _, asked, changed in pairs(OTHERS, 4, 20_000):
        for one in (asked, changed):
            told = json.dumps({**one, "headers": sorted(one["headers"])}, sort_keys=True)
            assert meant.setdefault(exactly(one), told) == told
    assert len(meant) > 15_000
