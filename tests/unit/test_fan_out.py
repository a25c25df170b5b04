"""In whatever order readers of one stream come, read, stand still and leave: all who stay get the same bytes, of one request.

The bodies are the real ones (http/led.py, following.py, sources.py). Only the helper's thread is not: it runs when a
reader has to wait for it, so that what happens is the machine's to choose.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from edgeclient.cache.sharing import Shared
from edgeclient.cache.streams import Streams
from edgeclient.cache.tee import Tee
from edgeclient.http import following
from edgeclient.http.led import led
from edgeclient.http.sources import SyncSource

REQUEST = httpx2.Request("POST", "https://api.example.com/v1/chat/completions")
MEANWHILE = st.lists(st.sampled_from(["come", "leave"]), max_size=4)
HELPERS: deque[Callable[[], None]] = deque()  # that were started


def let_helpers_read(*_: object) -> None:
    while HELPERS:
        HELPERS.popleft()()


class Helped(SyncSource):
    def _help(self, shared: Shared) -> None:
        HELPERS.append(lambda: self._read(shared))


class Led(led(httpx2, False)):  # type: ignore[misc]
    _kind = Helped


class Answer:
    """The one response: gives its parts, breaks after some of them, and lets others do something while it is waited for."""

    def __init__(self, parts: list[bytes], breaks_after: int | None) -> None:
        self.parts, self.breaks_after = parts, breaks_after
        self.closed, self.is_read, self.meanwhile = 0, False, list[Callable[[], None]]()

    def __iter__(self) -> Iterator[bytes]:
        for number in range(len(self.parts) + 1):
            assert not self.is_read, "two read it at the same time"
            self.is_read = True
            while self.meanwhile:
                self.meanwhile.pop()()
            self.is_read = False
            if number == self.breaks_after:
                raise httpx2.ReadError("it broke", request=REQUEST)
            if number < len(self.parts):
                yield self.parts[number]

    def close(self) -> None:
        self.closed += 1


@dataclass
class Caller:
    body: Any
    parts: Iterator[bytes]
    leads: bool = False
    is_closed: bool = False
    got: list[bytes] = field(default_factory=list)
    end: str = ""  # "": it reads on


class FanOut(RuleBasedStateMachine):
    @initialize(
        parts=st.lists(st.binary(min_size=1, max_size=9), max_size=40),
        breaks_after=st.none() | st.integers(0, 40),
        limit=st.sampled_from([30, 10**6]),
    )
    def begin(self, parts: list[bytes], breaks_after: int | None, limit: int) -> None:
        HELPERS.clear()
        if breaks_after is not None and breaks_after > len(parts):
            breaks_after = None
        self.answer, self.limit = Answer(parts, breaks_after), limit
        self.streams, self.ends = Streams(), list[bytes | None]()
        self.stream, _ = self.streams.join("k")
        self.tee = Tee(lambda body, error: self.ends.append(body), closing=b"", limit=limit)
        body = Led(self.answer, self.tee, self.stream, REQUEST, None)
        self.stream.head((), None, self.tee)
        self.callers = [Caller(body, iter(body), leads=True)]
        self.waiting: list[Shared] = []  # of callers who come aboard with the leader's next part
        self.alone = 0  # callers who were told to ask by themselves

    @rule(
        who=st.integers(0, 9),
        parts=st.integers(1, 25),
        meanwhile=st.lists(st.sampled_from(["come", "leave"]), max_size=3),
    )
    def read(self, who: int, parts: int, meanwhile: list[str]) -> None:
        caller = self.callers[who % len(self.callers)]
        leave = [lambda one=one: self._leave(one) for one in self.callers if one is not caller and not one.leads]
        self.answer.meanwhile = [leave.pop() if what == "leave" and leave else self.come for what in meanwhile]
        for _ in range(parts):
            if not caller.end:
                self._read_one(caller)
        self.answer.meanwhile = []

    def _read_one(self, caller: Caller) -> None:
        try:
            part = next(caller.parts, None)
        except httpx2.ReadError as error:
            caller.end = str(error)
        else:
            if part is None:
                caller.end = "whole"
            else:
                caller.got.append(part)
        self._let_aboard()

    @rule()
    def come(self) -> None:
        stream, leads = self.streams.join("k")
        if leads:  # there is none to join any more
            stream.no_head(stored=False)
            self.alone += 1
            return
        shared = stream.share()
        shared._limit = self.limit
        self.waiting.append(shared)
        self._let_aboard()

    def _let_aboard(self) -> None:
        waiting, self.waiting = self.waiting, []
        for shared in waiting:
            if shared.ready.landed is None:
                self.waiting.append(shared)
            elif (reader := shared.board()) is None:
                self.alone += 1
            else:
                body = following.following(httpx2, False)(reader, REQUEST)
                self.callers.append(Caller(body, iter(body)))

    @rule(who=st.integers(0, 9))
    def leave(self, who: int) -> None:
        self._leave(self.callers[who % len(self.callers)])

    def _leave(self, caller: Caller) -> None:
        caller.end = caller.end or "left"
        if not caller.is_closed:
            caller.is_closed = True
            caller.body.close()

    @invariant()
    def all_have_the_same_bytes(self) -> None:
        for caller in self.callers if hasattr(self, "callers") else ():
            whole = self.answer.parts[: self.answer.breaks_after]
            assert caller.got == whole[: len(caller.got)]
            if caller.end == "whole":
                assert caller.got == self.answer.parts and self.answer.breaks_after is None
            elif caller.end == "it broke":
                assert caller.got == whole and self.answer.breaks_after is not None
            elif caller.end not in ("", "left"):
                assert "bytes behind" in caller.end and not caller.leads, caller.end

    def teardown(self) -> None:
        if not hasattr(self, "callers"):
            return
        for caller in self.callers:
            while not caller.end:
                self._read_one(caller)
        self.all_have_the_same_bytes()
        for caller in list(self.callers):
            self._leave(caller)
        let_helpers_read()
        self._let_aboard()
        assert self.answer.closed == 1 and self.streams.under_way() == []
        (stored,) = self.ends
        assert stored is None or stored == b"".join(self.answer.parts)
        if any(caller.end == "whole" for caller in self.callers) and len(b"".join(self.answer.parts)) <= self.limit:
            assert stored is not None


def test_any_order_gives_all_who_stay_the_same_bytes_of_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "wait", let_helpers_read)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        FanOut, settings=settings(max_examples=150, stateful_step_count=25, deadline=None, derandomize=True)
    )
