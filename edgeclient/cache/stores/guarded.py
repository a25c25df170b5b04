"""A store outside this process that can harm no call: a time budget for each load, breakers, writes off the call path.

Asks the monotonic clock and waits; reading and writing themselves are the backend's, in threads of `Reader` and `Writer`.
"""

from __future__ import annotations

import atexit
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Protocol

from ...errors import StoreError
from ...values import Entry
from ..marks import Subject
from ..waiting import wait, wait_async
from . import wire
from .backend import Backend, Mishap, Record
from .breaker import Breaker
from .leading import Leading
from .listening import NEWS, Listening
from .reader import Question, Reader
from .writer import Pending, Writer

_FLUSH_S = 1.0
_SURELY_S = 5.0  # for what no call waits for
_JITTER_S = 1.0


class Form(Protocol):
    """How entries are spelled: `wire` in clear, `Sealed` encrypted. `decode` raises what `wire.decode` raises."""

    def encode(self, entry: Entry) -> bytes: ...

    def decode(self, key: str, data: bytes) -> Entry: ...


class Guarded:
    """A `Store` made of a `Backend`. Never raises but in `clear` and `invalidate`: what goes wrong is a miss or a drop.

    All of that is counted. Reading, writing and leases have a breaker each: a full disk keeps nobody from the entries that
    are there.
    """

    leases = True

    def __init__(
        self,
        backend: Backend,
        *,
        budget_s: float,
        mishap: Mishap,
        form: Form = wire,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend, self._budget_s, self._mishap, self._clock = backend, budget_s, mishap, clock
        self._form = form
        self.waits = not backend.quick
        self._reader, self._writer = Reader[bytes](self._read), Writer(self._write)
        self._reads, self._writes = Breaker(), Breaker()
        self._leading = Leading(backend, form.decode, mishap, clock)
        self._news = Listening(backend, self._reads, clock)
        self._latest = 0.0
        _all.add(self)

    # -- loading

    def load(self, key: str, now: float) -> Entry | None:
        known = self._without_asking(key, now)
        if known is not None:
            return known[0]
        try:
            if self._backend.quick:
                return self._entry(key, self._read((key,))[0], now)
            question = self._reader.ask(key)
            wait(question, self._budget_s)
            return self._entry(key, self._answer(question), now)
        except Exception as error:
            self._not_loaded(error)
            return None

    def surely(self, key: str, now: float) -> Entry | None:
        """`load` for work beside calls: takes its time. None: there is none. Raises where it cannot tell."""
        known = self._without_asking(key, now)
        if known is not None:
            if known[0] is None and self._writer.pending(key) is None:
                raise StoreError("the store has failed just before")
            return known[0]
        try:
            data = self._slowly(key)
        except Exception as error:
            self._not_loaded(error)
            raise
        self._reads.succeeded()
        entry = None
        with contextlib.suppress(wire.Damaged):  # nothing of ours is there
            entry = self._form.decode(key, data) if data is not None else None
        if entry is not None and entry.stored_at > now:
            raise StoreError("it is of the future: another machine's clock is ahead of this one's")
        return self._alive(entry, now)

    def _slowly(self, key: str) -> bytes | None:
        if self._backend.quick:
            return self._read((key,))[0]
        question = self._reader.ask(key)
        wait(question, _SURELY_S)
        return self._answer(question)

    @property
    def heard(self) -> object:
        """Another one whenever something more was made invalid, as far as was heard."""
        return self._news.heard

    async def load_async(self, key: str, now: float) -> Entry | None:
        if self._backend.quick:
            return self.load(key, now)  # a detour through a thread would take ten times as long
        known = self._without_asking(key, now)
        if known is not None:
            return known[0]
        try:
            question = self._reader.ask(key)
            await wait_async(question, self._budget_s)
            return self._entry(key, self._answer(question), now)
        except Exception as error:
            self._not_loaded(error)
            return None

    def load_many(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        if self._backend.quick:
            return [self.load(key, now) for key in keys]
        found, until = self._questions(keys, now), self._clock() + self._budget_s
        for one in found:
            if isinstance(one, Question):
                wait(one, max(0.0, until - self._clock()))
        return self._answers(found, now)

    async def load_many_async(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        if self._backend.quick:
            return [self.load(key, now) for key in keys]
        found, until = self._questions(keys, now), self._clock() + self._budget_s
        for one in found:
            if isinstance(one, Question):
                await wait_async(one, max(0.0, until - self._clock()))
        return self._answers(found, now)

    def _questions(self, keys: Sequence[str], now: float) -> list[Question[bytes] | Entry | None]:
        """What waits to be written, and a question for each other key; no question while the breaker is open."""
        self._look_at_clock(now)
        asks = self._reads.allows(self._clock())
        found: list[Question[bytes] | Entry | None] = []
        for key in keys:
            pending = self._writer.pending(key)
            try:
                found.append(pending[0] if pending is not None else self._reader.ask(key) if asks else None)
            except Exception as error:  # no thread to be had
                self._not_loaded(error)
                asks = False
                found.append(None)
        return found

    def _answers(self, found: Sequence[Question[bytes] | Entry | None], now: float) -> list[Entry | None]:
        """What became of them. However many got no answer, it is one failure: of the store, at this time."""
        entries: list[Entry | None] = []
        failed: Exception | None = None
        for one in found:
            entry = None
            try:
                entry = (
                    self._entry(one.key, self._answer(one), now) if isinstance(one, Question) else self._alive(one, now)
                )
            except Exception as error:
                failed = error
            entries.append(entry)
        if failed is not None:
            self._not_loaded(failed)
        return entries

    def _without_asking(self, key: str, now: float) -> tuple[Entry | None] | None:
        """What is known before the backend is asked: what waits to be written, or a miss while the breaker is open."""
        self._look_at_clock(now)
        pending = self._writer.pending(key)
        if pending is not None:
            return (self._alive(pending[0], now),)
        return None if self._reads.allows(self._clock()) else (None,)

    def _read(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is kept under these keys, and the news before it, if it is time for them: without these it is a miss."""
        self._news.hear(asked=NEWS in keys)
        asked = [key for key in keys if key != NEWS]
        found = iter(self._backend.load(asked) if asked else ())
        return [None if key == NEWS else next(found) for key in keys]

    def _answer(self, question: Question[bytes]) -> bytes | None:
        """What became of a question; an answer that came is taken, even when its waiter woke up late."""
        if question.landed is None:
            question.given_up = True
            raise TimeoutError(f"no answer within {self._budget_s * 1e3:g} ms")
        if isinstance(question.answer, BaseException):
            raise question.answer
        return question.answer

    def _entry(self, key: str, data: bytes | None, now: float) -> Entry | None:
        self._reads.succeeded()
        if data is None:
            return None
        try:
            return self._alive(self._form.decode(key, data), now)
        except wire.Newer as error:
            self._mishap("cache entry of a newer version", error)
        except wire.Unreadable as error:
            self._mishap("unreadable cache entry", error)
        except wire.Damaged as error:
            self._mishap("damaged cache entry", error)
            self._writer.put(key, None, now)
        return None

    def _not_loaded(self, error: Exception) -> None:
        self._reads.failed(self._clock())
        self._mishap("cache load timeout" if isinstance(error, TimeoutError) else "cache load", error)

    # -- leading among processes

    # A store that has just not answered is not waited for a second time: a call pays one budget at the most.

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return self._leading.claim(key, self._valid(usable), longest_s, self._budget_s) if self._reads.well else None

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return (
            await self._leading.claim_async(key, self._valid(usable), longest_s, self._budget_s)
            if self._reads.well
            else None
        )

    def release(self, key: str) -> None:
        self._leading.release(key)

    def _valid(self, usable: Callable[[Entry], bool]) -> Callable[[Entry], bool]:
        return lambda entry: usable(entry) and not self._news.gone(entry)

    def _alive(self, entry: Entry | None, now: float) -> Entry | None:
        alive = entry is not None and entry.stored_at <= now < entry.kept_until and not self._news.gone(entry)
        return entry if alive else None

    # -- what was made invalid

    def invalidate(self, subject: Subject, at: float) -> None:
        try:
            self._news.invalidate(subject, at)
        except Exception as error:
            raise StoreError(f"what was made invalid here may not be so for others: {error!r}") from error

    def gone(self, entry: Entry) -> bool:
        question = self._asked_for_news()
        if question is not None:
            wait(question, self._budget_s)
            self._have_news(question)
        return self._news.gone(entry)

    async def gone_async(self, entry: Entry) -> bool:
        question = self._asked_for_news()
        if question is not None:
            await wait_async(question, self._budget_s)
            self._have_news(question)
        return self._news.gone(entry)

    def _asked_for_news(self) -> Question[bytes] | None:
        try:
            if not self._backend.quick:
                return self._news.ask(self._reader)
            self._news.hear()
        except Exception as error:
            self._mishap("cache news", error)
        return None

    def _have_news(self, question: Question[bytes]) -> None:
        error = self._news.answered(question)
        if error is None:
            self._reads.succeeded()
        else:
            self._reads.failed(self._clock())
            self._mishap("cache news", error)

    # -- saving

    def save(self, entry: Entry, now: float) -> bool:
        self._look_at_clock(now)
        taken = now < entry.expires_at and self._writes.closed(self._clock())
        if taken and self._writer.put(entry.key, entry, now):
            return True
        self.release(entry.key)
        self._mishap("cache save dropped", StoreError("the store does not take entries, or not as fast as they come"))
        return False

    def delete(self, key: str) -> None:
        self._writer.put(key, None, self._latest)

    def _write(self, batch: dict[str, Pending]) -> None:
        if not self._writes.allows(self._clock()):
            self._dropped(batch, StoreError("the store has failed just before"))
            return
        try:
            saved = [self._record(key, entry, now) for key, (entry, now) in batch.items() if entry is not None]
            self._backend.write(saved, [key for key, (entry, _) in batch.items() if entry is None], self._latest)
            self._writes.succeeded()
            self._leading.ended(saved)
        except Exception as error:
            self._writes.failed(self._clock())
            self._mishap("cache write", error)
            self._dropped(batch, error)

    def _record(self, key: str, entry: Entry, now: float) -> Record:
        until, token = entry.kept_until, self._leading.held.get(key, b"")
        return Record(key, self._form.encode(entry), entry.stored_at, until, until - now, token)

    def _dropped(self, batch: dict[str, Pending], error: Exception) -> None:
        for key, (entry, _) in batch.items():
            if entry is not None:
                self.release(key)
                self._mishap("cache save dropped", error)

    # -- the rest

    def clear(self) -> None:
        self._writer.forget()
        try:
            self._backend.clear()
        except Exception as error:
            raise StoreError(f"the cache was not cleared: {error!r}") from error

    def usage(self) -> tuple[int, int]:
        try:
            return self._backend.usage()
        except Exception as error:
            self._mishap("cache usage", error)
            return 0, 0

    def flush(self, longest_s: float | None = None) -> bool:
        """Wait until all is written that was saved, a second if nothing else is said; False when that took longer."""
        return self._writer.flush(_FLUSH_S if longest_s is None else longest_s)

    def close(self) -> None:
        if not self.flush():
            self._mishap("cache flush", TimeoutError(f"not all was written within {_FLUSH_S:g} s"))
        try:
            self._backend.close()
        except Exception as error:
            self._mishap("cache close", error)

    def after_fork(self) -> None:
        self._reader.after_fork()
        self._writer.after_fork()
        self._reads.after_fork()
        self._writes.after_fork()
        self._leading.after_fork()
        self._news.after_fork()
        self._backend.after_fork()

    def _look_at_clock(self, now: float) -> None:
        """When the clock went back, let the backend forget what is of the future now: it would come to life again."""
        if now < self._latest - _JITTER_S:
            self._writer.put("", None, now)
        self._latest = now


_all: weakref.WeakSet[Guarded] = weakref.WeakSet()


@atexit.register
def _at_exit() -> None:
    """A script that asks one question and ends shall find the answer the next time."""
    until = time.monotonic() + _FLUSH_S
    for guarded in list(_all):
        guarded.flush(max(0.0, until - time.monotonic()))
