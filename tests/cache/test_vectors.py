"""An embedder may raise, hang, or give rubbish: calls get no vector, in time, and all of it is counted."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from stores import Mishaps

from edgeclient.cache.embedders import Vectors
from edgeclient.cache.embedders.none import Hashed

PATIENCE_S = 20.0
GOOD = [0.6, 0.8, 0.0]


class Scripted:
    """An embedder whose answers a test writes; `quick` or in the thread."""

    name, dimensions, fingerprint, budget_s = "scripted", 3, "scripted-1", PATIENCE_S
    leading = 0

    def __init__(self, quick: int = 0) -> None:
        self.quick = quick
        self.asked: list[list[str]] = []
        self.says: Callable[[Sequence[str]], Any] = lambda texts: [GOOD] * len(texts)
        self.may, self.begun = threading.Event(), threading.Event()
        self.may.set()

    @property
    def judge(self) -> Hashed:
        return Hashed()

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked.append(list(texts))
        self.begun.set()
        assert self.may.wait(PATIENCE_S)
        return self.says(texts)


@pytest.fixture(params=["thread", "asyncio", "trio"])
def ask(request: pytest.FixtureRequest) -> Callable[[Vectors, str], Any]:
    def run(vectors: Vectors, text: str) -> Any:
        if request.param == "thread":
            return vectors.vector(text)
        if request.param == "asyncio":
            return asyncio.run(vectors.vector_async(text))
        import trio

        return trio.run(vectors.vector_async, text)

    return run


@pytest.fixture
def slow() -> Iterator[Scripted]:
    one = Scripted()
    yield one
    one.may.set()


def fails(texts: Sequence[str]) -> Any:
    raise OSError("no such model")


REFUSED, FAILED = "semantic vector refused", "semantic embedding"
BAD = [
    (fails, FAILED),
    (lambda texts: [[0.6, 0.8]] * len(texts), REFUSED),  # the dimension has changed
    (lambda texts: [[0.6, math.nan, 0.1]] * len(texts), REFUSED),
    (lambda texts: [[0.5, 0.5, 0.5]] * len(texts), REFUSED),
    (lambda texts: [[0.0, 0.0, 0.0]] * len(texts), REFUSED),
    (lambda texts: [], (REFUSED, FAILED)),
    (lambda texts: "rubbish", (REFUSED, FAILED)),
    (lambda texts: [["a", "b", "c"]] * len(texts), (REFUSED, FAILED)),
    (lambda texts: [None] * len(texts), FAILED),
    (lambda texts: None, FAILED),
]


@pytest.mark.parametrize("quick", [0, 100])
@pytest.mark.parametrize(("says", "counted"), BAD, ids=map(str, range(len(BAD))))
def test_what_goes_wrong_is_no_vector_and_counted(
    ask: Callable[[Vectors, str], Any], quick: int, says: Callable[[Sequence[str]], Any], counted: str
) -> None:
    one, mishaps = Scripted(quick), Mishaps()
    one.says = says
    vectors = Vectors(one, mishap=mishaps)
    assert ask(vectors, "hello") is None
    assert sum(mishaps.values()) == 1
    assert next(iter(mishaps)) in (counted if isinstance(counted, tuple) else (counted,))
    one.says = lambda texts: [GOOD] * len(texts)
    assert ask(vectors, "hello") == GOOD


def test_one_that_hangs_is_left_when_the_time_is_up(ask: Callable[[Vectors, str], Any], slow: Scripted) -> None:
    mishaps = Mishaps()
    vectors = Vectors(slow, mishap=mishaps, budget_s=0.005)
    slow.may.clear()
    assert ask(vectors, "hello") is None
    assert mishaps == {"semantic embedding timeout": 1}


def test_a_vector_that_came_too_late_is_known_when_the_answer_is_stored(slow: Scripted) -> None:
    vectors = Vectors(slow, mishap=Mishaps(), budget_s=0.001)
    slow.may.clear()
    assert vectors.vector("hello") is None
    assert slow.begun.wait(PATIENCE_S)
    assert vectors.known("hello") is None
    slow.may.set()
    until = threading.Event()
    for _ in range(2000):
        if vectors.known("hello") is not None:
            break
        until.wait(0.01)
    assert vectors.known("hello") == GOOD
    assert vectors.vector("hello") == GOOD
    assert slow.asked == [["hello"]]


def test_after_three_failures_nobody_is_asked_until_a_pause_is_over() -> None:
    one, mishaps, now = Scripted(), Mishaps(), [0.0]
    vectors = Vectors(one, mishap=mishaps, clock=lambda: now[0])
    one.says = fails
    for text in "abcdef":
        assert vectors.vector(text) is None
    assert len(one.asked) == 3
    one.says = lambda texts: [GOOD] * len(texts)
    now[0] = 60.0
    assert vectors.vector("g") == GOOD


def test_callers_at_once_share_a_batch(slow: Scripted) -> None:
    vectors = Vectors(slow, mishap=Mishaps())
    slow.may.clear()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda at=at: found.append(vectors.vector(f"text {at % 5}"))) for at in range(9)]
    threads[0].start()
    assert slow.begun.wait(PATIENCE_S)
    for thread in threads[1:]:
        thread.start()
    while vectors._reader._asked.qsize() < 8:
        threads[0].join(0.005)
    slow.may.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert found == [GOOD] * 9
    assert len(slow.asked) == 2
    assert sorted(slow.asked[1]) == [f"text {at}" for at in range(5)]  # each once


def test_a_text_is_embedded_once(ask: Callable[[Vectors, str], Any], slow: Scripted) -> None:
    vectors = Vectors(slow, mishap=Mishaps())
    assert ask(vectors, "hello") == ask(vectors, "hello") == GOOD
    assert slow.asked == [["hello"]]


def test_what_is_remembered_is_bounded(slow: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeclient.cache.embedders.vectors._REMEMBERED", 3 * (4 * 3 + 200))
    vectors = Vectors(slow, mishap=Mishaps())
    for text in "abcdef":
        vectors.vector(text)
    assert [vectors.known(text) is not None for text in "abcdef"] == [False] * 3 + [True] * 3


@pytest.mark.parametrize("text", ["", "   ", "x" * 100_001])
def test_nobody_is_asked_about_nothing_or_about_a_book(text: str, slow: Scripted) -> None:
    assert Vectors(slow, mishap=Mishaps()).vector(text) is None
    assert slow.asked == []


def test_a_quick_text_needs_no_thread() -> None:
    before = threading.active_count()
    vectors = Vectors(Hashed(), mishap=Mishaps())
    assert vectors.vector("how do I reset my password") is not None
    assert threading.active_count() == before
