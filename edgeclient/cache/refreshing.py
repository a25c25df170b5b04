"""Which stale answers are being asked for anew: one request for each at a time, fewer while they fail. Pure; time is told."""

from __future__ import annotations

import threading

_AT_ONCE = 32
_FIRST_S, _LONGEST_S = 1.0, 60.0  # pauses after a failure; each is twice the one before
_REMEMBERED = 1024  # keys whose last refresh failed


class Refreshes:
    """The refreshes under way, by key, and what is to be left alone for a while. Thread-safe."""

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._failed: dict[str, tuple[float, float]] = {}  # when it may be tried again, and the pause before that
        self._lock = threading.Lock()

    def begin(self, key: str, now: float) -> bool:
        """True when the caller is to refresh this key, and to say how it `ended`, whatever happens."""
        with self._lock:
            if key in self._running or len(self._running) >= _AT_ONCE or now < self._failed.get(key, (now, 0.0))[0]:
                return False
            self._running.add(key)
            return True

    def ended(self, key: str, now: float, *, stored: bool) -> None:
        with self._lock:
            self._running.discard(key)
            _, pause_s = self._failed.pop(key, (0.0, _FIRST_S / 2))
            if not stored:
                pause_s = min(pause_s * 2, _LONGEST_S)
                self._failed[key] = now + pause_s, pause_s
                if len(self._failed) > _REMEMBERED:
                    del self._failed[next(iter(self._failed))]
