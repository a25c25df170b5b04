"""How long an endpoint takes beside the path, and when that is no longer what it was: a log-scale CUSUM. Pure.

Server time is time to the answer's head, less opening a connection, less one round trip, less what the server says its
model took. Its spread (hundreds of milliseconds for a central model) buries differences between paths, so it does not rank
endpoints; it only tells that one has become slow, against its own past. On a linear scale a heavy tail of token times would
raise false alarms, hence logarithms.
"""

from __future__ import annotations

import math
import statistics

_MODES = 8  # (model, streamed) pairs an endpoint remembers; further ones push the oldest out
_LEARNED = 5  # samples before a mode has a level to depart from
_TOLD = 20  # samples before a tail can be told
_MEMORY = 32  # samples after which an old one has lost two thirds of its weight
_SPREAD = 0.05  # the least spread of ln(server time): a quiet server does not make 5 % an alarm
_LOW, _HIGH, _DRIFT = -2.0, 4.0, 1.0  # one outlier adds at most 3, an ordinary answer takes 1 off
_ALARM, _ALARM_CENTRAL = 5.0, 9.0  # two gross outliers in a row; four where a central model's tail is in the figure
_BUSY = 3.2  # more than one outlier can add: from here on slow answers are no luck any more
_FIRST_S, _LONGEST_S = 45.0, 600.0


class _Mode:
    """The usual server time of one model in one mode: the level and the spread of its logarithm."""

    __slots__ = ("level", "seen", "spread")

    def __init__(self) -> None:
        self.seen, self.level, self.spread = 0, 0.0, _SPREAD

    def take(self, log_s: float) -> float | None:
        """How many spreads an answer is above the level, which learns from it; None while that is being learned."""
        self.seen += 1
        step, weight = log_s - self.level, 1 / min(self.seen, _MEMORY)
        departure = None
        if self.seen > _LEARNED:
            departure = step / self.spread
            if departure > 2 or departure < -2:  # an outlier moves the level as far as an ordinary departure would
                step = 2 * self.spread if departure > 0 else -2 * self.spread
        self.level += weight * step
        if self.seen > 1:
            self.spread = max(_SPREAD, self.spread + weight * (1.25 * abs(step) - self.spread))
        return departure


class ServerTime:
    """The server time of one endpoint, and the cost it has while it is slow. All in seconds."""

    __slots__ = ("_at", "_excess", "_modes", "_penalty_s", "_sum", "cost_s", "last_s", "until")

    def __init__(self) -> None:
        self._modes: dict[tuple[str, bool], _Mode] = {}
        self._excess: tuple[float, ...] = ()  # of the last three answers
        self.last_s: float | None = None  # of the last answer
        self._at = float("-inf")
        self._sum = 0.0
        self._penalty_s = 0.0  # the length of the last penalty; 0 after a good answer
        self.cost_s = 0.0  # what a call costs here beyond the path
        self.until = 0.0  # when that cost ends, and one call may try again

    def add(self, seconds: float, model: str, streamed: bool, now: float, *, central: bool = False) -> None:
        """Learn from one answer; slow ones in a row give the endpoint a cost for a while."""
        seconds = max(seconds, 1e-4)
        mode = self._modes.get((model, streamed)) or self._mode(model, streamed)
        level = mode.level
        departure = mode.take(math.log(seconds))
        self.last_s, self._at = seconds, now
        if departure is not None and (departure > _DRIFT or self._sum or self.cost_s):  # else it is as it was
            self._excess = (*self._excess[-2:], seconds - math.exp(level))
            self._judge(departure, _ALARM_CENTRAL if central else _ALARM, now)

    def _mode(self, model: str, streamed: bool) -> _Mode:
        if len(self._modes) >= _MODES:
            del self._modes[next(iter(self._modes))]
        mode = self._modes[model, streamed] = _Mode()
        return mode

    def _judge(self, departure: float, alarm: float, now: float) -> None:
        if departure < 1.0 and now >= self.until:
            self.cost_s = self._penalty_s = 0.0  # as it was: what went before is forgiven
        self._sum = max(0.0, self._sum + max(_LOW, min(_HIGH, departure)) - _DRIFT)
        if self._sum > alarm:
            self._sum = alarm - 2.0  # the next slow answer is enough
            if now >= self.until:
                self._penalty_s = min(self._penalty_s * 2, _LONGEST_S) or _FIRST_S
                self.until = now + self._penalty_s
            self.cost_s = max(0.0, statistics.median(self._excess))

    def seen(self, model: str, streamed: bool) -> int:
        """How many answers it has learned from."""
        mode = self._modes.get((model, streamed))
        return 0 if mode is None else mode.seen

    def usual_s(self, model: str, streamed: bool) -> float | None:
        """What half of the answers take less than; None while too little is known."""
        mode = self._modes.get((model, streamed))
        return None if mode is None or mode.seen < _LEARNED else math.exp(mode.level)

    def unusual_s(self, model: str, streamed: bool) -> float | None:
        """What 19 of 20 answers take less than; None while too little is known. A log-normal's p95."""
        mode = self._modes.get((model, streamed))
        if mode is None or mode.seen < _TOLD:
            return None
        return math.exp(mode.level + 1.645 * mode.spread)

    def excess_at(self, now: float, memory_s: float) -> float:
        """How much longer than usual the last answer took, if that is more than luck; faded by its age."""
        if self._sum < _BUSY or now - self._at > 5 * memory_s:
            return 0.0
        return max(0.0, self._excess[-1]) * math.exp((self._at - now) / memory_s)

    def cost_at(self, now: float) -> float:
        """The cost now: none once its time is over, so that a call tries again."""
        return self.cost_s if now < self.until else 0.0
