"""When the connections of a client to its nearest endpoints are to be used again, so that nobody closes them. Pure.

Servers and the boxes between close a connection that was idle for a minute or so. One that did not last that long will
not the next time either: it is opened again after twice as long each time, up to an hour.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

from ..values import Endpoint

_EVERY_S, _JITTER = 45.0, 0.2
_LONGEST_S = 3600.0
_AN_HOUR = 100  # requests for each endpoint that is kept warm, all clients of an edge together: one client needs 80


class Warmth:
    """The connections of one client. Not thread-safe: its keeper asks, one question at a time."""

    __slots__ = ("_every_s", "_jitter", "_used_at")

    def __init__(self, rng: random.Random) -> None:
        self._jitter = rng.uniform(1 - _JITTER, 1 + _JITTER)
        self._used_at: dict[str, float] = {}
        self._every_s: dict[str, float] = {}

    def used(self, endpoint: Endpoint, now: float) -> None:
        """A call has gone there."""
        self._used_at[endpoint.name] = now

    def due(self, nearest: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Those of the nearest to send something to now."""
        long_ago = float("-inf")
        return [
            e
            for e in nearest
            if now - self._used_at.get(e.name, long_ago) >= self._every_s.get(e.name, _EVERY_S) * self._jitter
        ]

    def refreshed(self, endpoint: Endpoint, now: float, *, lasted: bool) -> None:
        """Something was sent. `lasted`: on the connection that was there."""
        name = endpoint.name
        if lasted:
            self._every_s.pop(name, None)
        elif name in self._used_at:
            self._every_s[name] = min(2 * self._every_s.get(name, _EVERY_S), _LONGEST_S)
        self._used_at[name] = now


class Allowance:
    """So many requests an hour, whatever the number of clients. Thread-safe."""

    __slots__ = ("_at", "_left", "_lock", "_most")

    def __init__(self, endpoints: int) -> None:
        self._most = self._left = float(_AN_HOUR * endpoints)
        self._at: float | None = None
        self._lock = threading.Lock()

    def take(self, now: float) -> bool:
        """Take one; False when there is none left."""
        with self._lock:
            passed_s = now - self._at if self._at is not None else 0.0
            self._at = now
            self._left = min(self._most, self._left + passed_s * self._most / 3600)
            if self._left < 1:
                return False
            self._left -= 1
            return True
