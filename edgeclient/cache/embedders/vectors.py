"""Vectors of prompts, for calls: within a time budget, from memory where the text was seen before. Asks the clock, waits.

Quick texts are embedded where the call is. Others go to a thread (`stores.reader.Reader`), whose callers at once share a
batch, so that a call leaves when its time is up and an event loop never works or blocks for longer than a millisecond.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ..stores.breaker import Breaker
from ..stores.reader import Question, Reader
from ..waiting import wait, wait_async
from .contract import Embedder, Refused, checked

Mishap = Callable[[str, BaseException], None]

_REMEMBERED = 4 * 2**20  # bytes of vectors that are kept by their text
_LONGEST = 100_000  # characters; a longer text has no vector


class Vectors:
    """An embedder that can harm no call: one object for an edge. Nothing here raises; what goes wrong is None, counted.

    Mishaps are "semantic embedding timeout", "semantic embedding" and "semantic vector refused". After three in a row
    nobody is asked for a while (`Breaker`).
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        mishap: Mishap,
        budget_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.embedder = embedder
        self._budget_s = embedder.budget_s if budget_s is None else budget_s
        self._mishap, self._clock = mishap, clock
        self._reader = Reader[Any](self._made, "edgeclient-embedder")
        self._breaker = Breaker()
        self._kept: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def vector(self, text: str) -> Any | None:
        """The checked vector of a text, waiting on this thread; None when there is none, or none in time."""
        known = self._at_once(text)
        if known is not None:
            return known[0]
        try:
            question = self._reader.ask(text)
            wait(question, self._budget_s)
            return self._answer(question)
        except Exception as error:
            self._failed(error)
            return None

    async def vector_async(self, text: str) -> Any | None:
        """The same as a task of asyncio or trio."""
        known = self._at_once(text)
        if known is not None:
            return known[0]
        try:
            question = self._reader.ask(text)
            await wait_async(question, self._budget_s)
            return self._answer(question)
        except Exception as error:
            self._failed(error)
            return None

    def known(self, text: str) -> Any | None:
        """The vector of a text that was asked for before, if it has come by now: for whoever stores the call's answer."""
        if len(text) <= self.embedder.quick:
            return self.vector(text)
        with self._lock:
            return self._kept.get(_name(text))

    def after_fork(self) -> None:
        """In a forked child: new locks, and a thread of its own."""
        self._lock = threading.Lock()
        self._reader.after_fork()
        self._breaker.after_fork()

    def _at_once(self, text: str) -> tuple[Any | None] | None:
        """What needs no waiting: a quick text, one seen before, one that nobody may be asked for; None: ask."""
        if len(text) > _LONGEST or not text.strip():
            return (None,)
        if len(text) <= self.embedder.quick:
            try:
                return (checked(self.embedder.embed([text])[0], self.embedder.dimensions),)
            except Exception as error:
                self._failed(error)
                return (None,)
        with self._lock:
            known = self._kept.get(name := _name(text))
            if known is not None:
                self._kept.move_to_end(name)
                return (known,)
        return None if self._breaker.allows(self._clock()) else (None,)

    def _made(self, texts: Sequence[str]) -> list[Any]:
        """Of each text, on the reader's thread, its vector: checked and remembered. One refused stays alone."""
        different = list(dict.fromkeys(texts))
        rows = self.embedder.embed(different)
        if len(rows) != len(different):
            raise Refused(f"{len(rows)} vectors for {len(different)} texts")
        found = {text: self._kept_or_refused(text, row) for text, row in zip(different, rows, strict=True)}
        return [found[text] for text in texts]

    def _kept_or_refused(self, text: str, row: Any) -> Any:
        try:
            vector = checked(row, self.embedder.dimensions)
        except (Refused, TypeError, ValueError) as error:
            return error
        most = max(1, _REMEMBERED // (4 * self.embedder.dimensions + 200))
        with self._lock:
            self._kept[_name(text)] = vector
            while len(self._kept) > most:
                self._kept.popitem(last=False)
        return vector

    def _answer(self, question: Question[Any]) -> Any:
        if question.landed is None:
            question.given_up = True
            raise TimeoutError(f"no vector within {self._budget_s * 1e3:g} ms")
        if isinstance(question.answer, BaseException):
            raise question.answer
        self._breaker.succeeded()
        return question.answer

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Refused):
            self._mishap("semantic vector refused", error)
            return
        self._breaker.failed(self._clock())
        self._mishap("semantic embedding timeout" if isinstance(error, TimeoutError) else "semantic embedding", error)


def _name(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
