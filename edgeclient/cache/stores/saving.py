"""What is to be written to a backend: taken at once, written in the thread of `Writer`, behind a breaker.

What is lost is counted. Asks the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import StoreError
from ...values import Entry
from .backend import Backend, Form, Mishap, Record
from .breaker import Breaker
from .leading import Leading
from .writer import Pending, Writer

_JITTER_S = 1.0


class Saving:
    """Takes entries and deletions. An entry ends the lease of its key, whether it is written or dropped."""

    def __init__(
        self, backend: Backend, form: Form, leading: Leading, mishap: Mishap, clock: Callable[[], float]
    ) -> None:
        self._backend, self._form, self._leading, self._mishap, self._clock = backend, form, leading, mishap, clock
        self._writes = Breaker()
        self.writer = Writer(self._write)
        self._latest = 0.0

    def after_fork(self) -> None:
        self.writer.after_fork()
        self._writes.after_fork()

    def save(self, entry: Entry, now: float) -> bool:
        self.look_at_clock(now)
        taken = now < entry.expires_at and self._writes.closed(self._clock())
        if taken and self.writer.put(entry.key, entry, now):
            return True
        self._leading.release(entry.key)
        self._mishap("cache save dropped", StoreError("the store does not take entries, or not as fast as they come"))
        return False

    def delete(self, key: str) -> None:
        self.writer.put(key, None, self._latest)

    def look_at_clock(self, now: float) -> None:
        """When the clock went back, let the backend forget what is of the future now: it would come to life again."""
        if now < self._latest - _JITTER_S:
            self.writer.put("", None, now)
        self._latest = now

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
                self._leading.release(key)
                self._mishap("cache save dropped", error)
