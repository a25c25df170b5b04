"""A store outside this process that can harm no call: a time budget for each load, breakers, writes off the call path.

Asks the monotonic clock and waits: here are the budgets, and what a call gets. `Asking`, `Saving` and `Leading` do the rest.
"""

from __future__ import annotations

import atexit
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence

from ...errors import StoreError
from ...values import Entry
from ..marks import Subject
from ..waiting import wait, wait_async
from . import wire
from .asking import Asking
from .backend import Backend, Form, Mishap
from .leading import Leading
from .reader import Question
from .saving import Saving

_FLUSH_S = 1.0
_SURELY_S = 5.0  # for what no call waits for


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
        self._backend, self._form, self._budget_s, self._mishap = backend, form, budget_s, mishap
        self._clock = clock
        self._asking = Asking(backend, mishap, clock)
        self._leading = Leading(backend, form.decode, mishap, clock)
        self._saving = Saving(backend, form, self._leading, mishap, clock)
        _all.add(self)

    @property
    def waits(self) -> bool:
        return self._asking.waits

    # -- loading

    def load(self, key: str, now: float) -> Entry | None:
        known = self._without_asking(key, now)
        if known is not None:
            return known[0]
        try:
            if self._backend.quick:
                return self._entry(key, self._asking.read((key,))[0], now)
            question = self._asking.ask(key)
            wait(question, self._budget_s)
            return self._entry(key, self._asking.answer(question, self._budget_s), now)
        except Exception as error:
            self._asking.failed(error)
            return None

    def surely(self, key: str, now: float) -> Entry | None:
        """`load` for work beside calls: takes its time. None: there is none. Raises where it cannot tell."""
        known = self._without_asking(key, now)
        if known is not None:
            if known[0] is None and self._saving.writer.pending(key) is None:
                raise StoreError("the store has failed just before")
            return known[0]
        try:
            data = self._slowly(key)
        except Exception as error:
            self._asking.failed(error)
            raise
        self._asking.succeeded()
        entry = None
        with contextlib.suppress(wire.Damaged):  # nothing of ours is there
            entry = self._form.decode(key, data) if data is not None else None
        if entry is not None and entry.stored_at > now:
            raise StoreError("it is of the future: another machine's clock is ahead of this one's")
        return self._alive(entry, now)

    def _slowly(self, key: str) -> bytes | None:
        if self._backend.quick:
            return self._asking.read((key,))[0]
        question = self._asking.ask(key)
        wait(question, _SURELY_S)
        return self._asking.answer(question, _SURELY_S)

    @property
    def heard(self) -> object:
        """Another one whenever something more was made invalid, as far as was heard."""
        return self._asking.news.heard

    async def load_async(self, key: str, now: float) -> Entry | None:
        if not self.waits:
            return self.load(key, now)
        known = self._without_asking(key, now)
        if known is not None:
            return known[0]
        try:
            question = self._asking.ask(key)
            await wait_async(question, self._budget_s)
            return self._entry(key, self._asking.answer(question, self._budget_s), now)
        except Exception as error:
            self._asking.failed(error)
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
        if not self.waits:
            return [self.load(key, now) for key in keys]
        found, until = self._questions(keys, now), self._clock() + self._budget_s
        for one in found:
            if isinstance(one, Question):
                await wait_async(one, max(0.0, until - self._clock()))
        return self._answers(found, now)

    def _questions(self, keys: Sequence[str], now: float) -> list[Question[bytes] | Entry | None]:
        """What waits to be written, and a question for each other key; no question while the breaker is open."""
        self._saving.look_at_clock(now)
        asks = self._asking.allowed()
        found: list[Question[bytes] | Entry | None] = []
        for key in keys:
            pending = self._saving.writer.pending(key)
            try:
                found.append(pending[0] if pending is not None else self._asking.ask(key) if asks else None)
            except Exception as error:  # no thread to be had
                self._asking.failed(error)
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
                    self._entry(one.key, self._asking.answer(one, self._budget_s), now)
                    if isinstance(one, Question)
                    else self._alive(one, now)
                )
            except Exception as error:
                failed = error
            entries.append(entry)
        if failed is not None:
            self._asking.failed(failed)
        return entries

    def _without_asking(self, key: str, now: float) -> tuple[Entry | None] | None:
        """What is known before the backend is asked: what waits to be written, or a miss while the breaker is open."""
        self._saving.look_at_clock(now)
        pending = self._saving.writer.pending(key)
        if pending is not None:
            return (self._alive(pending[0], now),)
        return None if self._asking.allowed() else (None,)

    def _entry(self, key: str, data: bytes | None, now: float) -> Entry | None:
        self._asking.succeeded()
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
            self._saving.delete(key)
        return None

    # -- leading among processes

    # A store that has just not answered is not waited for a second time: a call pays one budget at the most.

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return self._leading.claim(key, self._valid(usable), longest_s, self._budget_s) if self._asking.well else None

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return (
            await self._leading.claim_async(key, self._valid(usable), longest_s, self._budget_s)
            if self._asking.well
            else None
        )

    def release(self, key: str) -> None:
        self._leading.release(key)

    def _valid(self, usable: Callable[[Entry], bool]) -> Callable[[Entry], bool]:
        return lambda entry: usable(entry) and not self._asking.news.gone(entry)

    def _alive(self, entry: Entry | None, now: float) -> Entry | None:
        alive = entry is not None and entry.stored_at <= now < entry.kept_until and not self._asking.news.gone(entry)
        return entry if alive else None

    # -- what was made invalid

    def invalidate(self, subject: Subject, at: float) -> None:
        try:
            self._asking.news.invalidate(subject, at)
        except Exception as error:
            raise StoreError(f"what was made invalid here may not be so for others: {error!r}") from error

    def gone(self, entry: Entry) -> bool:
        question = self._asking.overdue(not self._backend.quick)
        if question is not None:
            wait(question, self._budget_s)
            self._asking.heard(question)
        return self._asking.news.gone(entry)

    async def gone_async(self, entry: Entry) -> bool:
        question = self._asking.overdue(self.waits)
        if question is not None:
            await wait_async(question, self._budget_s)
            self._asking.heard(question)
        return self._asking.news.gone(entry)

    # -- saving

    def save(self, entry: Entry, now: float) -> bool:
        return self._saving.save(entry, now)

    def delete(self, key: str) -> None:
        self._saving.delete(key)

    # -- the rest

    def clear(self) -> None:
        self._saving.writer.forget()
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
        return self._saving.writer.flush(_FLUSH_S if longest_s is None else longest_s)

    def close(self) -> None:
        if not self.flush():
            self._mishap("cache flush", TimeoutError(f"not all was written within {_FLUSH_S:g} s"))
        try:
            self._backend.close()
        except Exception as error:
            self._mishap("cache close", error)

    def after_fork(self) -> None:
        self._asking.after_fork()
        self._saving.after_fork()
        self._leading.after_fork()
        self._backend.after_fork()


_all: weakref.WeakSet[Guarded] = weakref.WeakSet()


@atexit.register
def _at_exit() -> None:
    """A script that asks one question and ends shall find the answer the next time."""
    until = time.monotonic() + _FLUSH_S
    for guarded in list(_all):
        guarded.flush(max(0.0, until - time.monotonic()))
