"""What the semantic cache has learned, in a store: a second start, two processes at once, slow and damaged stores, forks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from stores import Mishaps, sqlite_store

from edgeclient.cache.embedders import Vectors, embedder
from edgeclient.cache.lessons import Lessons
from edgeclient.cache.marks import Subject
from edgeclient.cache.semantic import Lookup, Semantic
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.errors import StoreError
from edgeclient.values import Entry, Question

NOW = 1_800_000_000.0
ASKED, ALIKE = "How do I reset my password?", "How can I reset my password?"
ANSWER, OTHER = ("Open the app and choose Reset.",), ("Never, except in 1999.",)


def semantic(seed: int, **said: Any) -> Semantic:
    mishaps = said.pop("mishap", Mishaps())
    options = {"serving": "serve", "budget": 0.2, "audit": 0.0, "max_bytes": 2**20, **said}
    return Semantic(Vectors(embedder("none"), mishap=mishaps), chance=Random(seed), mishap=mishaps, **options)


def asked(one: Semantic, text: str, caller: str = "me") -> Lookup:
    question = Question("p", text, "serve", caller)
    vector = one.vectors.vector(text)
    assert vector is not None
    return one.look(question, vector)


def candidate(one: Semantic, caller: str = "me") -> Lookup:
    """A lookup that has a candidate, which no label has been given for."""
    first = asked(one, ASKED)
    one.keep(first.question, first.vector, "k1")
    found = asked(one, ALIKE, caller)
    assert found.key == "k1" and found.judged is not None and found.judged.score is not None
    return found


def risk(one: Semantic) -> float:
    lookup = candidate(one)
    assert lookup.verdict is not None
    return lookup.verdict.risk


def teach(one: Semantic, times: int, same: bool = True, caller: str = "") -> None:
    lookup = candidate(one)
    for n in range(times):
        told = replace(lookup, question=replace(lookup.question, caller=caller or f"c{n}"))
        one.learn(told, ANSWER, ANSWER if same else OTHER, NOW + n)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[[], Guarded]]:
    made: list[Guarded] = []

    def one() -> Guarded:
        made.append(sqlite_store(tmp_path / "cache.db", budget_s=5.0))
        return made[-1]

    yield one
    for store in made:
        store.close()


def visit(lessons: Lessons, store: Guarded, now: float = NOW) -> None:
    lessons.visit(now)
    store.close()  # what waits to be written is written


def test_a_second_start_knows_what_the_first_has_learned(store: Callable[[], Guarded]) -> None:
    first, kept = semantic(1), store()
    cold = risk(semantic(9))
    teach(first, 30)
    assert risk(first) < cold - 0.05
    visit(Lessons(first, kept), kept)
    second, again = semantic(2), store()
    assert risk(second) == pytest.approx(cold)
    visit(Lessons(second, again), again)
    assert risk(second) < cold - 0.05


def test_two_processes_learn_together(store: Callable[[], Guarded]) -> None:
    """Each adds its own; each label counts once, however often they meet."""
    one, other = semantic(1), semantic(2)
    here, there = store(), store()
    first, second = Lessons(one, here), Lessons(other, there)
    teach(one, 20)
    teach(other, 20)
    for n in range(4):
        visit(first, here, NOW + 100 * n)
        visit(second, there, NOW + 100 * n + 50)
    visit(first, here, NOW + 900)
    alone = semantic(3)
    teach(alone, 20)
    assert len(one.exchange(None)["labels"]) == len(other.exchange(None)["labels"]) == 40
    assert risk(one) < risk(alone) and risk(one) == pytest.approx(risk(other), abs=0.02)


def test_a_visit_is_due_at_first_after_labels_and_after_a_while(store: Callable[[], Guarded]) -> None:
    one, kept = semantic(1), store()
    lessons = Lessons(one, kept)
    assert lessons.is_due(NOW)
    lessons.visit(NOW)
    assert not lessons.is_due(NOW + 1) and lessons.is_due(NOW + 61)
    teach(one, 25)
    assert lessons.is_due(NOW + 1)


def test_a_short_life_leaves_what_it_learned(store: Callable[[], Guarded]) -> None:
    first, kept = semantic(1), store()
    lessons = Lessons(first, kept)
    lessons.visit(NOW)  # there was nothing, and nothing was learned yet
    teach(first, 3)
    lessons.close(NOW + 1)
    kept.close()
    second, again = semantic(2), store()
    Lessons(second, again).visit(NOW + 2)
    assert len(second.exchange(None)["labels"]) == 3


def test_who_has_learned_nothing_asks_nobody_at_the_end() -> None:
    kept = Silent()
    Lessons(semantic(1), kept).close(NOW)  # type: ignore[arg-type]
    assert kept.loads == 0 and kept.saved == []


def test_a_store_that_cannot_tell_at_the_end_is_asked_once_and_keeps_what_it_has() -> None:
    one, kept = semantic(1), Silent(fails=1)
    teach(one, 3)
    with pytest.raises(StoreError):
        Lessons(one, kept).close(NOW)  # type: ignore[arg-type]
    assert kept.loads == 1 and kept.saved == []


def test_nobody_who_makes_answers_invalid_means_what_was_learned(store: Callable[[], Guarded]) -> None:
    one, kept = semantic(1), store()
    teach(one, 3)
    Lessons(one, kept).close(NOW)
    for subject in (Subject(model="gpt-4o"), Subject(namespace=""), Subject(tag="a"), Subject(key="k1")):
        kept.invalidate(subject, NOW + 1)
    other = semantic(2)
    Lessons(other, kept).visit(NOW + 2)
    assert len(other.exchange(None)["labels"]) == 3


class Silent:
    """A store that has one entry or none, and cannot tell at first."""

    def __init__(self, entry: Entry | None = None, fails: int = 0) -> None:
        self.entry, self.saved, self.loads, self.fails = entry, list[Entry](), 0, fails

    def surely(self, key: str, now: float) -> Entry | None:
        self.loads += 1
        if self.loads <= self.fails:
            raise StoreError("too slow")
        return self.entry

    def save(self, entry: Entry, now: float) -> bool:
        self.saved.append(entry)
        return True


def test_what_is_there_is_not_overwritten_because_the_store_was_slow() -> None:
    one, kept = semantic(1), Silent(fails=1)
    teach(one, 5)
    lessons = Lessons(one, kept)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        lessons.visit(NOW)
    assert kept.saved == [] and not lessons.is_due(NOW + 1)
    lessons.close(NOW + 2)  # what was not written is still to be
    assert len(kept.saved) == 1 and len(json.loads(kept.saved[0].body)["labels"]) == 5
    lessons.close(NOW + 3)
    assert kept.loads == 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"version": 99, "labels": []}', b'{"version": 1, "labels": [5]}', b"\xff"]
)
def test_a_damaged_state_is_said_and_replaced(body: bytes) -> None:
    one = semantic(1)
    teach(one, 5)
    damaged = Entry(key="k", body=body, has_usage=False, stored_at=NOW, expires_at=NOW + 1e6)
    kept = Silent(damaged)
    with pytest.raises(ValueError):
        Lessons(one, kept).visit(NOW)  # type: ignore[arg-type]
    assert len(json.loads(kept.saved[0].body)["labels"]) == 5


def test_a_run_of_wrong_answers_closes_and_says_so() -> None:
    mishaps = Mishaps()
    one = semantic(1, mishap=mishaps)
    teach(one, 60)
    assert asked(one, ALIKE).serve
    teach(one, 12, same=False)
    assert not asked(one, ALIKE).serve
    assert mishaps["semantic cache closed"] == 1


def test_no_caller_alone_decides_what_is_learned() -> None:
    """One caller's thousand labels weigh no more than the others' thirty."""
    one = semantic(1)
    teach(one, 30, same=False)
    before = risk(one)
    teach(one, 1000, caller="attacker")
    assert risk(one) > 0.2 and risk(one) > before / 2


def test_a_forked_child_has_a_name_of_its_own() -> None:
    one = semantic(1)
    teach(one, 3)
    labels = one.exchange(None)["labels"]
    one.after_fork(Random(2))
    assert one.exchange(None)["labels"] == labels
    teach(one, 1)
    origins = {row[1] for row in one.exchange(None)["labels"]}
    assert len(origins) == 2


def test_beginning_anew_on_one_store_spends_no_more_than_the_lookups_earn(store: Callable[[], Guarded]) -> None:
    """Ten starts: what a cold one would be wrong with is above the budget, and what the labels make of it below."""
    budget, lookups, hits, spent = 0.04, 0, 0, 0.0
    for start in range(10):
        one, kept = semantic(start, budget=budget), store()
        lessons = Lessons(one, kept)
        lessons.visit(NOW + 100 * start)
        vector = one.vectors.vector(ASKED)
        one.keep(Question("p", ASKED, "serve", ""), vector, "k1")
        for _ in range(6):
            found = asked(one, ALIKE)
            lookups += 1
            assert found.verdict is not None and found.judged is not None and found.judged.signs is not None
            expected = one._bound._risk.of(found.judged.signs, found.key)[1]
            assert start or expected > budget
            hits += found.verdict.serve
            spent += expected if found.verdict.serve else 0.0
            assert spent <= budget * lookups
        teach(one, 12)
        lessons.close(NOW + 100 * start + 50)
        kept.close()
    assert hits > 0
