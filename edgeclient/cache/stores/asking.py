"""Asks a backend what it keeps: where the caller is, or in the thread of `Reader`; with the news first, behind a breaker.

Asks the monotonic clock how long that takes. The waiting is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .backend import Backend, Mishap
from .breaker import Breaker
from .latency import Latency
from .listening import NEWS, Listening
from .reader import Question, Reader


class Asking:
    """What is asked of a backend, and how it went. All that goes wrong is counted."""

    def __init__(self, backend: Backend, mishap: Mishap, clock: Callable[[], float]) -> None:
        self._backend, self._mishap, self._clock = backend, mishap, clock
        self._reads = Breaker()
        self._latency = Latency()
        self._reader = Reader[bytes](self.read)
        self.news = Listening(backend, self._reads, clock)

    def after_fork(self) -> None:
        self._reader.after_fork()
        self._reads.after_fork()
        self.news.after_fork()

    @property
    def waits(self) -> bool:
        """True while a task should `ask`, and not `read` on the event loop."""
        return not (self._backend.quick and self._latency.is_quick)

    @property
    def well(self) -> bool:
        """True when the last question was answered."""
        return self._reads.well

    def allowed(self) -> bool:
        """True when the caller may ask, and must say how it went by `succeeded` or `failed`."""
        return self._reads.allows(self._clock())

    def read(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is kept under these keys, and the news before it, if it is time for them: without these it is a miss."""
        began = self._clock()
        try:
            self.news.hear(asked=NEWS in keys)
            asked = [key for key in keys if key != NEWS]
            found = iter(self._backend.load(asked) if asked else ())
            return [None if key == NEWS else next(found) for key in keys]
        finally:
            self._latency.took(self._clock() - began)

    def ask(self, key: str) -> Question[bytes]:
        """The same in the reader's thread. Raises RuntimeError when there is none to be had."""
        return self._reader.ask(key)

    def answer(self, question: Question[bytes], budget_s: float) -> bytes | None:
        """What became of a question; an answer that came is taken, even when its waiter woke up late."""
        if question.landed is None:
            question.given_up = True
            raise TimeoutError(f"no answer within {budget_s * 1e3:g} ms")
        if isinstance(question.answer, BaseException):
            raise question.answer
        return question.answer

    def succeeded(self) -> None:
        self._reads.succeeded()

    def failed(self, error: BaseException) -> None:
        self._reads.failed(self._clock())
        self._mishap("cache load timeout" if isinstance(error, TimeoutError) else "cache load", error)

    def overdue(self, waits: bool) -> Question[bytes] | None:
        """See that the news are heard, if it is time to. If they are long overdue, and the caller `waits`: for this."""
        try:
            if waits:
                return self.news.ask(self._reader)
            self.news.hear()
        except Exception as error:
            self._mishap("cache news", error)
        return None

    def heard(self, question: Question[bytes]) -> None:
        """The caller has waited for it."""
        error = self.news.answered(question)
        if error is None:
            self._reads.succeeded()
        else:
            self._reads.failed(self._clock())
            self._mishap("cache news", error)
