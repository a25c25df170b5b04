"""No answer is read by a question that is not its own: 100,000 pairs that differ in one thing, from a fixed seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keys_of
import pytest
import questions
from questions import OTHER_SCOPES, OTHERS, SAME, Change, Question, question

from edgeclient.cache.key import credential_digest, exact_key
from edgeclient.classifying import classify
from edgeclient.dialects import arrays, dialect_of
from edgeclient.settings import Cache

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


def through_the_pipeline(cache: Cache | None = None) -> Callable[[Question], str]:
    edge = keys_of.policies(cache)
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


# -- what is said about the cache

# Changes of what a name stands in for: the body, but for its model.
OF_THE_BODY = tuple(
    change
    for change in (*OTHERS, *SAME)
    if change.__name__.endswith(("_tool", "_tool_more", "_tool_less", "_message", "_message_less", "_in_another_order"))
)
OF_ALL_THE_REST = (
    questions.other_credential, questions.other_place_of_the_credential, questions.second_credential,
    questions.other_header, questions.one_header_more, questions.other_origin, questions.other_path, questions.other_query,
    questions.other_model,
)  # fmt: skip
SHARED = Cache("exact", shared=True)


def scoped_pairs(changes: tuple[Change, ...], seed: int, *, named: bool) -> Iterator[tuple[str, Question, Question]]:
    rng, made = random.Random(seed), 0
    while made < CLASSIFIED * 4:
        asked = as_tuples(questions.scoped(question(rng), rng, named=named))
        for change in changes:
            changed = change(asked, rng)
            if changed is not None:
                made += 1
                yield change.__name__, asked, as_tuples(changed)


def mixed(found: Iterator[tuple[str, Question, Question]], key: Callable[[Question], str], same: bool) -> list[Any]:
    return [one for one in found if (key(one[1]) == key(one[2])) is not same or not key(one[1])]


@pytest.mark.parametrize("cache", [None, Cache("exact", namespace="all")], ids=["plain", "in a namespace"])
@pytest.mark.parametrize(
    ("changes", "named", "same"),
    [
        ((*OTHERS, *OTHER_SCOPES[:2]), False, False),
        ((*OF_ALL_THE_REST, *OTHER_SCOPES), True, False),
        (OF_THE_BODY, True, True),
        ((questions.other_lifetime_and_tags, *SAME), False, True),
        ((questions.other_lifetime_and_tags,), True, True),
    ],
    ids=["in a namespace", "named", "a name stands for the body", "what does not tell", "nor of a name"],
)
def test_namespaces_and_names_are_questions_of_their_own(
    cache: Cache | None, changes: tuple[Change, ...], named: bool, same: bool
) -> None:
    assert mixed(scoped_pairs(changes, 5, named=named), through_the_pipeline(cache), same) == []


def test_callers_share_where_it_is_said_and_nothing_else_is_shared() -> None:
    key = through_the_pipeline(SHARED)
    others = tuple(change for change in OTHERS if "credential" not in change.__name__)
    assert mixed(scoped_pairs((*others, *OTHER_SCOPES[:2]), 6, named=False), key, same=False) == []
    assert mixed(scoped_pairs((questions.other_credential,), 6, named=False), key, same=True) == []


def test_an_edge_that_shares_reads_nothing_of_one_that_does_not() -> None:
    rng = random.Random(7)
    asked = [as_tuples(questions.scoped(question(rng), rng, named=rng.random() < 0.5)) for _ in range(CLASSIFIED)]
    here, there = through_the_pipeline(), through_the_pipeline(SHARED)
    assert not {here(one) for one in asked} & {there(one) for one in asked}


def test_only_the_namespaces_that_are_named_are_shared() -> None:
    key = through_the_pipeline(Cache("exact", shared=["n1"]))
    for _, asked, changed in scoped_pairs((questions.other_credential,), 8, named=False):
        shared = questions._said(asked, questions.NAMESPACE) == "n1"
        assert (key(asked) == key(changed)) is shared


def test_a_request_without_a_credential_is_cached_nowhere() -> None:
    asked = as_tuples({**question(random.Random(9)), "headers": []})
    assert through_the_pipeline(SHARED)(asked) == ""


# -- parts of a call


def test_no_part_of_a_call_reads_the_answer_of_another_question() -> None:
    edge, rng = keys_of.policies(), random.Random(10)
    changes = tuple(change for change in OF_ALL_THE_REST if change is not questions.one_header_more)
    meant: dict[str, str] = {}
    seen = 0
    while seen < CLASSIFIED:
        asked = as_tuples(question(rng))
        several = asked["body"].get("input")
        if asked["path"] != "/embeddings" or len(several) < 2:
            continue
        for one in (asked, *(as_tuples(made) for change in changes if (made := change(asked, rng)) is not None)):
            call = classify(keys_of.request(one), edge)
            assert len(call.parts) == len(several)
            for key, text in zip(call.parts, several, strict=True):
                alone = {**one, "body": {**one["body"], "input": text}}
                told = json.dumps({**alone, "headers": sorted(one["headers"])}, sort_keys=True)
                assert meant.setdefault(key, told) == told
                assert classify(keys_of.request(alone), edge).key == key != call.key
        seen += 1


@pytest.mark.parametrize("inputs", [["a", ""], ["ä" * 9, "b", "a"], [[1], [2, 3, 4]], ["a"] * 7])
@pytest.mark.parametrize("tokens", [0, 1, 5, 1000, 12_345])
def test_the_parts_of_usage_add_up_to_the_whole(inputs: list[Any], tokens: int) -> None:
    data = [{"object": "embedding", "index": n, "embedding": [1.0]} for n in range(len(inputs))]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens + 1}
    parts = arrays.apart({"object": "list", "data": data, "model": "e", "usage": usage}, inputs)
    assert parts is not None and arrays.together(parts) == {
        "object": "list",
        "data": data,
        "model": "e",
        "usage": usage,
    }
    assert all(part["usage"]["prompt_tokens"] >= 0 for part in parts)
