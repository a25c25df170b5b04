"""Single-flight: of the same calls at the same time one leads, and the others follow. Threads and tasks may share a flight.

These are calls whose whole answer is read at once. Streamed calls follow those of their own kind (streams.py): a reader
wants the first token, not the last one of somebody else's answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Flight:
    """One call under way. `landed` tells whether its answer is in the cache now: None while it is in the air."""

    __slots__ = ("_lock", "_waiting", "key", "landed")

    def __init__(self, key: str) -> None:
        self.key = key
        self.landed: bool | None = None
        self._waiting: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def when_landed(self, wake: Callable[[], object]) -> None:
        """Call `wake` at landing, from the leader's thread; now, if it has landed."""
        with self._lock:
            if self.landed is None:
                self._waiting.append(wake)
                return
        wake()

    def land(self, stored: bool) -> list[Callable[[], object]]:
        """Mark it landed and give back whom to wake."""
        with self._lock:
            if self.landed is not None:
                return []
            self.landed = stored
            waiting, self._waiting = self._waiting, []
            return waiting


class Flights:
    """The flights under way, by key."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def join(self, key: str) -> tuple[Flight, bool]:
        """The flight of this key, and whether the caller leads it. A leader must `land` it, whatever happens."""
        with self._lock:
            flight = self._open.get(key)
            if flight is not None:
                return flight, False
            flight = self._open[key] = Flight(key)
            return flight, True

    def land(self, flight: Flight, *, stored: bool) -> None:
        """End a flight and release its followers at once: to the cache if the answer is stored, else each on its own."""
        with self._lock:
            if self._open.get(flight.key) is flight:
                del self._open[flight.key]
        wake_all(flight.land(stored))


def wake_all(waiting: list[Callable[[], object]]) -> None:
    """Wake those whom a landing gave back: outside of whatever lock it was made in."""
    for wake in waiting:
        wake()
