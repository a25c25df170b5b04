"""What a cache has to do with a stream that several callers want while it is still being sent: rows like those of probes.py.

The origin sends the head and the first text of an answer, and the rest when it is told to: who has read the first text
before that reads live. A cache that asks once for each caller shares nothing, and the rows about sharing do not apply to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from chat_origin import ChatOrigin
from probes import AT_ONCE, row
from subjects import Cannot, Question, Subject

_PATIENCE_S = 5.0  # never waited for by a cache that does what the row says
_MORE_THAN_BUFFERS = 4 * 2**20  # bytes: what a reader who stands still could not have taken in without knowing


def _texts(parts: list[Any]) -> str:
    return "".join(_text(part) for part in parts)


def _text(part: Any) -> str:
    if not hasattr(part, "choices"):
        return str(part.content)  # LangChain's
    return "".join(choice.delta.content or "" for choice in part.choices)


def _first_text(stream: Iterator[Any]) -> list[Any]:
    """The parts up to the first one with text in it."""
    parts = []
    for part in stream:
        parts.append(part)
        if _text(part):
            break
    return parts


class _Crowd:
    """Counts those who have read their first text, and lets the origin go on when all have, or some never do."""

    def __init__(self, origin: ChatOrigin) -> None:
        origin.slow_s, self.origin, self.live = 0.3, origin, 0  # time for all to ask before the head comes
        self.rest = origin.hold()
        self._lock = threading.Lock()

    def has_read(self) -> None:
        with self._lock:
            self.live += not self.rest.is_set()
            if self.live == AT_ONCE:
                self.rest.set()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        timer = threading.Timer(_PATIENCE_S, self.rest.set)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def verdict(self, texts: set[str]) -> str:
        if self.origin.count > 1 or len(texts) != 1:
            return "each was sent"
        return "" if self.live == AT_ONCE else "they waited for its end"


@row("The same stream of 20 threads at once is sent once, and all read it live")
def threads_read_along(it: Subject, origin: ChatOrigin) -> str:
    crowd = _Crowd(origin)

    def read(_: int) -> str:
        stream = it.stream(_question(origin))
        parts = _first_text(stream)
        crowd.has_read()
        return _texts([*parts, *stream])

    with crowd.reading(), ThreadPoolExecutor(AT_ONCE) as threads:
        return crowd.verdict(set(threads.map(read, range(AT_ONCE))))


@row("The same stream of 20 tasks at once is sent once, and all read it live")
def tasks_read_along(it: Subject, origin: ChatOrigin) -> str:
    crowd = _Crowd(origin)

    async def read() -> str:
        parts, seen = [], False
        async for part in it.stream_async(_question(origin)):
            parts.append(part)
            if _text(part) and not seen:
                seen = True
                crowd.has_read()
        return _texts(parts)

    async def all_of_them() -> set[str]:
        return set(await asyncio.gather(*(read() for _ in range(AT_ONCE))))

    with crowd.reading():
        return crowd.verdict(asyncio.run(all_of_them()))


@contextlib.contextmanager
def _two_readers(it: Subject, origin: ChatOrigin) -> Iterator[tuple[Iterator[Any], Iterator[Any], threading.Event]]:
    """Two readers of one stream, of whom each has read the first text; and what lets the rest come."""
    rest = origin.hold()
    try:
        first, second = (it.stream(_question(origin)) for _ in range(2))
        _first_text(first)
        with ThreadPoolExecutor(1) as thread:
            begun: Future[Any] = thread.submit(_first_text, second)
            try:
                begun.result(_PATIENCE_S)
            except TimeoutError:
                rest.set()
                begun.result(_PATIENCE_S)
                raise Cannot from None
        if origin.count > 1:
            raise Cannot
        yield first, second, rest
    finally:
        rest.set()


@row("All who read one stream live get the same events, in the same order")
def same_for_all(it: Subject, origin: ChatOrigin) -> str:
    with _two_readers(it, origin) as (first, second, rest):
        rest.set()
        one, other = ([part.to_json() for part in reader] for reader in (first, second))
    return "" if one == other and len(one) > 2 else "they differ"


@row("A reader of a shared stream who stands still holds up nobody")
def slow_reader(it: Subject, origin: ChatOrigin) -> str:
    origin.filler = _MORE_THAN_BUFFERS
    with _two_readers(it, origin) as (first, second, rest), ThreadPoolExecutor(1) as thread:
        rest.set()
        whole = thread.submit(lambda: _texts(list(second)))
        try:
            if not whole.result(_PATIENCE_S).endswith("number 1."):
                return "it got another answer"
        except TimeoutError:
            return "it waited for the other"
        finally:
            left = _texts(list(first))
        return "" if left.endswith("number 1.") else "the slow one got half an answer"


@row("When the one who asked first leaves a stream, the others read on")
def leader_leaves(it: Subject, origin: ChatOrigin) -> str:
    with _two_readers(it, origin) as (first, second, rest):
        first.close()  # type: ignore[attr-defined]
        rest.set()
        try:
            return "" if _texts(list(second)).endswith("number 1.") and origin.count == 1 else "half an answer"
        except Exception as error:
            return f"{type(error).__name__}"


def _question(origin: ChatOrigin) -> Question:
    return Question(origin.url, stream=True)
