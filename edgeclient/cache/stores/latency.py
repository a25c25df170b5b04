"""Whether lookups have been quick lately: so quick that a task may do one on the event loop. Pure: the caller measures.

A lookup in a file takes 20 us there and 80 us by way of a thread, so tasks make no detour while all is well. A file that is
locked, or on a disk that stalls, would stop the event loop again and again; one or two such lookups are enough to send the
next ones through the thread, where a task leaves at its budget. They are measured there too, and when they are quick again
the detour ends.
"""

from __future__ import annotations

_LONGEST_S = 0.002  # on average
_SHARE = (
    1 / 8
)  # of the new in the average: one lookup of 16 ms is too slow, one of less is now and then a busy machine's


class Latency:
    """A smoothed average of what lookups took. Threads may lose each other's figures, and no harm is done."""

    def __init__(self) -> None:
        self._average_s = 0.0

    @property
    def is_quick(self) -> bool:
        return self._average_s <= _LONGEST_S

    def took(self, seconds: float) -> None:
        self._average_s += _SHARE * (min(seconds, 1.0) - self._average_s)
