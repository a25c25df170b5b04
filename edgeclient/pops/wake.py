"""Notices that the machine slept or the process was frozen: one of two clocks went on, the other stood still. Pure."""

from __future__ import annotations

_GAP_S = 5.0  # two readings of two clocks are apart by less, whatever the scheduler and a slewed wall clock do


class Wake:
    """Compares a clock that stands still during a sleep with one that goes on.

    Where the second one is the wall clock, a step forward looks like a sleep and costs one round of probes; a step
    backward is nothing. Two threads that wake at once may both be told.
    """

    __slots__ = ("_ahead_s",)

    def __init__(self) -> None:
        self._ahead_s = float("inf")  # of the second clock before the first, at the last look

    def woke(self, now: float, uptime: float) -> bool:
        """True when more than 5 seconds since the last look were slept through."""
        ahead_s = uptime - now
        slept_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        return slept_s > _GAP_S
