"""The round-trip time of a path: which figure of the kernel to believe, and the estimate out of the last samples. Pure.

Sources: `tcpi_min_rtt` errs by 0.2 to 0.5 ms but looks back 300 s; the smoothed `tcpi_rtt` follows a change of path and errs
by a few milliseconds when the server thinks. Minima, never means, rank endpoints right on noisy last miles.
"""

from __future__ import annotations

_SAMPLES = 3  # the minimum of the last three follows a change within five calls and shrugs off a single slow one
_SLACK_S = 0.005  # delayed acknowledgements lift the smoothed figure by up to this much
HYSTERESIS_S, HYSTERESIS = 0.005, 0.10
_ABSURD_S = 60.0  # no path takes a minute: a clock jumped, or a unit is wrong


def of_kernel(smoothed_s: float, minimum_s: float) -> float:
    """The path's RTT now: the kernel's minimum while the path is quiet, its smoothed figure once the two part."""
    return minimum_s if smoothed_s <= 1.5 * minimum_s + _SLACK_S else smoothed_s


def margin(cost_s: float) -> float:
    """By how much another has to be better than the first one at this cost."""
    return max(HYSTERESIS_S, HYSTERESIS * cost_s)


def is_possible(rtt_s: float) -> bool:
    """False for a time that no path can have, and for what is no number."""
    return 0 < rtt_s < _ABSURD_S


class RttWindow:
    """The last samples of one endpoint, in seconds."""

    __slots__ = ("_samples", "estimate_s", "last_at", "last_s")

    def __init__(self) -> None:
        self._samples: tuple[float, ...] = ()
        self.estimate_s: float | None = None  # the smallest of the last samples; None before the first
        self.last_at = float("-inf")
        self.last_s: float | None = None

    def add(self, rtt_s: float, now: float) -> None:
        """Take a sample; one that no path can have is ignored."""
        if not is_possible(rtt_s):
            return
        self._samples = (*self._samples[1 - _SAMPLES :], rtt_s)
        self.estimate_s = min(self._samples)
        self.last_at, self.last_s = now, rtt_s

    def restart(self, rtt_s: float) -> None:
        """Forget the samples before this last one: they are of another path."""
        self._samples, self.estimate_s = (rtt_s,), rtt_s
