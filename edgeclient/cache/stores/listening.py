"""Hears of what other processes made invalid, once a second while something is looked up. Asks the store behind it.

Nobody waits for it whose store answers and who has looked something up within `HEARD_S` seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from ...values import Entry
from ..marks import Mark, Marks, Subject, added
from . import HEARD_S
from .backend import Backend
from .breaker import Breaker
from .reader import Question, Reader

NEWS = ""  # stands for the marks where the keys of entries are asked for
_AGAIN_S = 1.0


class Listening:
    """The marks of a store. `clock` tells monotonic time; `reads` is the breaker of whoever reads there."""

    def __init__(self, backend: Backend, reads: Breaker, clock: Callable[[], float]) -> None:
        self._backend, self._reads, self._clock = backend, reads, clock
        self._marks = Marks()
        self._heard_at = self._due_at = float("-inf")
        self._asked: Question[bytes] | None = None

    @property
    def heard(self) -> object:
        """Another one whenever something more was made invalid, as far as was heard."""
        return self._marks.heard

    def gone(self, entry: Entry) -> bool:
        """True when the entry was made invalid, as far as was heard."""
        return self._marks.gone(entry)

    def hear(self, *, asked: bool = False) -> None:
        """Ask now, if it is time to or somebody has `asked`. Raises what the store raises."""
        now = self._clock()
        if not asked and now < self._due_at and now - self._heard_at < HEARD_S:
            return
        self._due_at = now + _AGAIN_S
        self._marks.hear(self._backend.marks())
        self._heard_at = now

    def ask(self, reader: Reader[bytes]) -> Question[bytes] | None:
        """Let the reader's thread `hear`, if it is time to; gives what to wait for where that is long overdue."""
        now = self._clock()
        deaf = now - self._heard_at >= HEARD_S
        if now >= self._due_at and self._reads.allows(now):
            self._due_at = now + _AGAIN_S
            self._asked = reader.ask(NEWS)
        return self._asked if deaf else None

    def answered(self, question: Question[bytes]) -> BaseException | None:
        """What became of a question that somebody waited for: None when it was answered."""
        if question.landed is None:
            question.given_up = True
            if self._asked is question:
                self._asked = None
            return TimeoutError("no word of what others made invalid")
        return question.answer if isinstance(question.answer, BaseException) else None

    def invalidate(self, subject: Subject, at: float) -> None:
        """Write a mark. It holds here whatever the store does; raises what that raises."""
        mark = Mark(subject, at)
        self._marks.hear([mark.spelled()])
        kept = self._backend.marks()
        new, dropped = added(mark, kept)
        self._backend.mark(new, dropped)
        self._marks.hear([*kept, *new])

    def after_fork(self) -> None:
        self._asked = None
        self._marks.after_fork()
