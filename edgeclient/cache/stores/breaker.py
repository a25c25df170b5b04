"""Leaves something alone that fails again and again, and tries it once in a while. Pure: the caller tells the time."""

from __future__ import annotations

import threading

_FAILURES = 3  # one after the other
_FIRST_S, _LONGEST_S = (
    0.25,
    2.0,
)  # of pauses; a trial costs one call its budget, and all is well within 5 s of the fault's end


class Breaker:
    """Closed: everything is allowed. Open, after some failures in a row: nothing. After a pause: one trial, then again."""

    def __init__(self) -> None:
        self._failed = 0  # in a row
        self._pause_s = _FIRST_S
        self._opens_at = 0.0  # when the next trial is due, while open
        self._trying = False
        self._lock = threading.Lock()

    @property
    def well(self) -> bool:
        """True when the last thing that was tried succeeded."""
        return self._failed == 0

    def closed(self, now: float) -> bool:
        """True when it would allow something now; this takes no trial."""
        return self._failed < _FAILURES or now >= self._opens_at

    def allows(self, now: float) -> bool:
        """True when the caller may go on and must say how it went. While open, that is one caller for each pause."""
        if self._failed < _FAILURES:
            return True
        with self._lock:
            if self._failed < _FAILURES:
                return True
            if now < self._opens_at:
                return False
            self._opens_at = now + self._pause_s  # a trial that never says how it went is followed by another
            self._trying = True
            return True

    def succeeded(self) -> None:
        if self._failed:
            with self._lock:
                self._failed, self._pause_s, self._trying = 0, _FIRST_S, False

    def failed(self, now: float) -> None:
        with self._lock:
            if self._failed >= _FAILURES and not self._trying:
                return  # began before it opened
            self._failed += 1
            if self._failed < _FAILURES:
                return
            if self._trying:
                self._pause_s = min(self._pause_s * 2, _LONGEST_S)
            self._opens_at, self._trying = now + self._pause_s, False

    def after_fork(self) -> None:
        """In a forked child: its own connections may fare better."""
        self._lock = threading.Lock()
        self._failed, self._pause_s, self._trying = 0, _FIRST_S, False
