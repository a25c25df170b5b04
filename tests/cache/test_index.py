"""The index: finds what is nearest, within a partition and a fingerprint, as if it had looked at everything."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeclient.cache.embedders import Refused
from edgeclient.cache.embedders.none import Hashed
from edgeclient.cache.index import Index, cells, restored, sparse, stored
from edgeclient.cache.reading import Reading, read

EMBEDDER = Hashed()
WORDS = [
    *("card", "bank", "money", "account", "transfer", "password", "lost", "stolen", "refund"),
    *("fee", "rate", "limit", "cash", "atm", "phone", "app", "name"),
]


def prompt(number: int) -> str:
    chance = random.Random(number)
    return " ".join(chance.choice(WORDS) for _ in range(5)) + f" {number}"


def reading(text: str) -> Reading:
    found = read(text)
    assert found is not None
    return found


@pytest.fixture(params=["numpy", "plain"])
def new(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Index]:
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "edgeclient.cache.index.cells", None)
    return lambda embedder=EMBEDDER, **options: Index(embedder, **options)


def filled(index: Index, count: int, partition: str = "p") -> Index:
    for number in range(count):
        text = prompt(number)
        index.add(f"k{number}", partition, EMBEDDER.embed([text])[0], reading(text))
    return index


def keys(index: Index, text: str, partition: str = "p", **options: Any) -> list[str]:
    return [near.key for near in index.nearest(partition, EMBEDDER.embed([text])[0], **options)]


def test_what_was_added_is_the_nearest_to_itself(new: Callable[..., Index]) -> None:
    index = filled(new(), 300)
    for number in range(0, 300, 7):
        (first, *_) = index.nearest("p", EMBEDDER.embed([prompt(number)])[0])
        assert (first.key, first.reading) == (f"k{number}", reading(prompt(number)))
        assert first.cosine == pytest.approx(1, abs=0.01)


def test_the_nearest_come_first_and_none_below_the_floor(new: Callable[..., Index]) -> None:
    index = filled(new(), 300)
    found = index.nearest("p", EMBEDDER.embed([prompt(5)])[0], most=8, floor=0.4)
    cosines = [near.cosine for near in found]
    assert cosines == sorted(cosines, reverse=True)
    assert 1 <= len(found) <= 8
    assert min(cosines) >= 0.4


def test_cosines_are_those_of_the_vectors(new: Callable[..., Index]) -> None:
    index = filled(new(), 50)
    asked = EMBEDDER.embed(["lost my bank card and password"])[0]
    for near in index.nearest("p", asked):
        assert near.cosine == pytest.approx(float(EMBEDDER.embed([near.reading.text])[0] @ asked), abs=0.01)


def test_partitions_are_never_mixed(new: Callable[..., Index]) -> None:
    index = filled(filled(new(), 40, "p"), 0)
    text = prompt(3)
    index.add("other", "q", EMBEDDER.embed([text])[0], reading(text))
    assert "other" not in keys(index, text, most=100)
    assert keys(index, text, "q") == ["other"]
    assert keys(index, text, "r") == []


def test_what_is_removed_is_not_found(new: Callable[..., Index]) -> None:
    index = filled(new(), 60)
    index.remove("k5")
    index.remove("k5")
    index.remove("never there")
    assert "k5" not in index
    assert "k5" not in keys(index, prompt(5), most=100)
    for number in range(60):
        index.remove(f"k{number}")
    assert index.usage() == (0, 0)
    assert keys(index, prompt(1)) == []


def test_a_key_added_again_is_there_once(new: Callable[..., Index]) -> None:
    index = filled(filled(new(), 20), 20)
    before = index.usage()
    index.add("k1", "q", EMBEDDER.embed([prompt(1)])[0], reading(prompt(1)))
    assert index.usage()[0] == before[0] == 20
    assert "k1" not in keys(index, prompt(1), most=100)


def test_the_oldest_go_when_the_bytes_are_used_up(new: Callable[..., Index]) -> None:
    _, used = filled(new(), 20).usage()
    index = filled(new(max_bytes=used), 60)
    assert index.usage()[1] <= used
    assert "k59" in index
    assert "k0" not in index
    assert keys(index, prompt(0), most=100).count("k0") == 0


def test_partitions_are_bounded_the_one_used_last_goes(new: Callable[..., Index]) -> None:
    index = new(partitions=3)
    vector = EMBEDDER.embed(["lost card"])[0]
    for name in "abc":
        index.add(name, name, vector, reading("lost card"))
    assert keys(index, "lost card", "a") == ["a"]
    index.add("d", "d", vector, reading("lost card"))
    assert ["a" in index, "b" in index, "c" in index, "d" in index] == [True, False, True, True]


@pytest.mark.parametrize(
    "bad", [[0.1] * 512, [0.0] * 512, [float("nan")] * 512, [0.5, float("inf")] * 256, [0.5, -0.5], []]
)
def test_vectors_that_cannot_be_compared_are_refused(new: Callable[..., Index], bad: list[float]) -> None:
    index = filled(new(), 3)
    with pytest.raises(Refused):
        index.add("k1", "p", bad, reading("a text"))
    assert index.usage()[0] == 3
    assert keys(index, prompt(1), most=1) == ["k1"]


def test_a_vector_of_another_fingerprint_is_refused(new: Callable[..., Index]) -> None:
    index = new()
    with pytest.raises(Refused, match="those of none-1-512"):
        index.add("k", "p", EMBEDDER.embed(["text"])[0], reading("text"), fingerprint="none-0-512")
    index.add("k", "p", EMBEDDER.embed(["text"])[0], reading("text"), fingerprint=EMBEDDER.fingerprint)
    with pytest.raises(Refused, match="2 numbers"):
        index.nearest("p", [0.6, 0.8])


def test_stored_vectors_come_back(new: Callable[..., Index]) -> None:
    index = new()
    vector = EMBEDDER.embed([prompt(1)])[0]
    assert len(stored(vector)) == 2 * EMBEDDER.dimensions
    index.add("k", "p", restored(stored(vector)), reading(prompt(1)))
    assert index.nearest("p", vector)[0].cosine == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="3 bytes"):
        restored(b"abc")


def test_a_child_of_a_fork_keeps_what_nobody_was_changing(new: Callable[..., Index]) -> None:
    index = filled(new(), 5)
    index.after_fork()
    assert index.usage()[0] == 5
    index._lock.acquire()
    index.after_fork()
    assert index.usage() == (0, 0)
    assert keys(filled(index, 2), prompt(1), most=1) == ["k1"]


def test_threads_find_right_keys_while_others_add_and_remove(new: Callable[..., Index]) -> None:
    index, wrong, over = filled(new(), 150), list[Any](), threading.Event()
    vectors = {number: EMBEDDER.embed([prompt(number)])[0] for number in range(200)}
    readings = {number: reading(prompt(number)) for number in vectors}

    def look(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not over.is_set():
                near = index.nearest("p", vectors[chance.randrange(150)])
                wrong.extend(one.key for one in near if one.reading.text != prompt(int(one.key[1:])))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(300):
        number = random.Random(turn).randrange(100, 200)
        if turn % 2:
            index.remove(f"k{number}")
        else:
            index.add(f"k{number}", "p", vectors[number], readings[number])
    over.set()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def clustered(count: int, dimensions: int = 96) -> Any:
    chance = np.random.default_rng(1)
    centres = chance.normal(size=(60, dimensions))
    found = centres[chance.integers(60, size=count)] + 0.7 * chance.normal(size=(count, dimensions))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def small_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_WHOLE", 600), ("_CELL", 32), ("_CELL_OF_FEW", 200), ("_AGAIN", 64)):
        monkeypatch.setattr(cells, name, value)


@pytest.mark.parametrize("leading", [0, 64])
def test_large_partitions_are_looked_through_in_part_and_nearly_as_well(
    leading: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_cells(monkeypatch)
    rows, n = clustered(4200), 4000
    index = Index(SimpleNamespace(fingerprint="f", dimensions=96, leading=leading))  # type: ignore[arg-type]
    text = reading("a text")
    for number, row in enumerate(rows[:n]):
        index.add(str(number), "p", row, text)
    places = index._partitions["p"]
    assert len(places._cells) > 100  # type: ignore[attr-defined]
    assert max(cell.size for cell in places._cells) <= 200  # type: ignore[attr-defined]
    hits = 0
    for row in rows[n:]:
        best = {str(at) for at in np.argsort(-(rows[:n] @ row))[:5]}
        hits += len(best & {near.key for near in index.nearest("p", row)})
    assert hits / (5 * 200) >= 0.85  # of all five; an index that looked at a sixth at random would find a sixth


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=400))
def test_cells_hold_what_was_added_and_not_removed(steps: list[tuple[int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_WHOLE", 20), ("_CELL", 6), ("_CELL_OF_FEW", 12)):
            patch.setattr(cells, name, value)
        index, there = Index(SimpleNamespace(fingerprint="f", dimensions=96, leading=0)), set[int]()  # type: ignore[arg-type]
        rows, text = clustered(121), reading("a text")
        for number, adds in steps:
            if adds:
                index.add(str(number), "p", rows[number], text)
                there.add(number)
            else:
                index.remove(str(number))
                there.discard(number)
        places: Any = index._partitions.get("p", [])
        assert {int(kept.key) for kept in places} == there
        assert len(places) == len(there)
        for number in there:
            (first, *_) = index.nearest("p", rows[number])
            assert first.cosine >= 0.99
        for kept in places:
            assert kept.cell.kept[kept.row] is kept


def test_entries_that_are_all_the_same_split_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    small_cells(monkeypatch)
    index, row, text = Index(SimpleNamespace(fingerprint="f", dimensions=96, leading=0)), clustered(1)[0], reading("a")  # type: ignore[arg-type]
    for number in range(1000):
        index.add(str(number), "p", row, text)
    assert len({near.key for near in index.nearest("p", row)}) == 5


def test_without_numpy_a_partition_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "edgeclient.cache.index.cells", None)
    monkeypatch.setattr(sparse.Sparse, "most", 10)
    index = filled(Index(EMBEDDER), 25)
    assert index.usage()[0] == 10
    assert "k24" in index and "k14" not in index
