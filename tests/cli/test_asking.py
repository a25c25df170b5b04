"""A round of questions against clients that are played: what is counted, what is asked again, what is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edgeclient.cli.asking import Round
from edgeclient.cli.questions import Ask

MODELS = {"openai": "m", "anthropic": "m"}


def chunk(text: str = "", finish: str | None = None) -> Any:
    choice = SimpleNamespace(delta=SimpleNamespace(content=text), finish_reason=finish)
    return SimpleNamespace(choices=[choice], usage=None)


class Stream:
    """Says two words, and breaks after the first when it is told to; sync and async."""

    def __init__(self, breaks: bool, ends: bool) -> None:
        self.breaks, self.ends = breaks, ends

    def __iter__(self) -> Iterator[Any]:
        yield chunk("one")
        if self.breaks:
            raise ConnectionResetError("the PoP is gone")
        if self.ends:
            yield chunk("two", "stop")

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self:
            yield event

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None: ...

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *error: object) -> None: ...


class Player:
    """A client whose first `broken` streams break; asked for a whole answer it refuses."""

    def __init__(self, broken: int, is_async: bool, ends: bool = True) -> None:
        self.broken, self.is_async, self.ends, self.closed = broken, is_async, ends, False
        create = self.answer_async if is_async else self.answer
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=create))

    def answer(self, *, stream: bool, **_: Any) -> Stream:
        if not stream:
            raise ValueError("whole answers are not\nserved here")
        self.broken -= 1
        return Stream(self.broken >= 0, self.ends)

    async def answer_async(self, **said: Any) -> Stream:
        return self.answer(**said)

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True

    async def __aenter__(self) -> Player:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.closed = True


def played(asks: list[Ask], broken: int, ends: bool = True) -> tuple[tuple[Any, ...], list[Player]]:
    players: list[Player] = []

    def make(name: str) -> Player:
        players.append(Player(broken, name.startswith("Async"), ends))
        return players[-1]

    with Round(asks, make, MODELS, workers=1) as asking:
        while not asking.wait(5.0):
            pass
    return asking.answers(), players


def asked(streamed: bool) -> list[Ask]:
    """One for a thread and one for a task."""
    return [Ask(n, 0.0, "openai", "Where is my card?", streamed, False) for n in range(2)]


def test_a_stream_that_breaks_is_asked_again_and_counted() -> None:
    answers, players = played(asked(streamed=True), broken=1)
    assert [(a.cut, a.error, a.first_s is not None) for a in answers] == [(1, "", True)] * 2
    assert [player.closed for player in players] == [True, True]


def test_a_stream_that_breaks_each_time_has_failed() -> None:
    answers, _ = played(asked(streamed=True), broken=99)
    assert [a.error for a in answers] == ["ConnectionResetError: the PoP is gone"] * 2


def test_a_stream_without_an_end_is_no_answer() -> None:
    answers, _ = played(asked(streamed=True), broken=0, ends=False)
    assert [a.error for a in answers] == ["incomplete answer"] * 2


def test_a_whole_answer_that_fails_is_not_asked_again() -> None:
    answers, _ = played(asked(streamed=False), broken=0)
    assert [(a.cut, a.error) for a in answers] == [(0, "ValueError: whole answers are not")] * 2


def test_ctrl_c_ends_the_round_and_closes_the_clients() -> None:
    players: list[Player] = []

    def make(name: str) -> Player:
        players.append(Player(0, name.startswith("Async")))
        return players[-1]

    later = [Ask(n, 0.05 * n, "openai", "?", True, False) for n in range(200)]
    with pytest.raises(KeyboardInterrupt), Round(later, make, MODELS, workers=1) as asking:
        raise KeyboardInterrupt
    assert asking.wait(0.0)
    assert len(asking.answers()) < 200
    assert all(player.closed for player in players)


def test_what_breaks_outside_a_call_is_raised_and_the_clients_are_closed() -> None:
    players: list[Player] = []

    class Unopened(Player):
        async def __aenter__(self) -> Player:
            raise OSError("no event loop to be had")

    def make(name: str) -> Player:
        players.append((Unopened if name.startswith("Async") else Player)(0, name.startswith("Async")))
        return players[-1]

    with pytest.raises(OSError, match="no event loop"), Round(asked(streamed=True), make, MODELS, workers=1) as asking:
        asking.wait(5.0)
    assert players[0].closed
