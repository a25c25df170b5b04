"""When a model at a PoP is asked for next to nothing, so that it is there for its next caller. Pure: time comes in.

Only for models that were seen to be put away (`cold`), only while somebody uses them, and within a budget. How long a model
stays is not known at first, so the pause is looked for between the longest one that it outlived and the shortest one that
it did not, which costs few starts that no caller waits for; then it is kept to what it outlives.
"""

from __future__ import annotations

import math
import threading
from collections import deque

from .cold import Sleeper

_HOUR_S, _DAY_S = 3600.0, 86_400.0
_SURE = 1.5  # two pauses that are so near are not told apart any further
_REFUSED_S = 1800.0  # nothing is asked where it was refused, or did not answer
_UNDER_WAY_S = 120.0  # the longest that an answer is waited for before somebody else may ask

Pair = tuple[str, str]  # the name of an endpoint, and of a model there


class _Kept:
    """One model at one endpoint."""

    __slots__ = ("held_s", "lost_s", "not_before", "used_at")

    def __init__(self) -> None:
        self.used_at = -math.inf  # by a caller
        self.held_s = 0.0  # the longest pause that it outlived
        self.lost_s = math.inf  # the shortest one that it did not
        self.not_before = -math.inf

    def pause_s(self, sleeper: Sleeper) -> float:
        """How long nobody may ask before it is asked to be kept."""
        held_s = max(self.held_s, sleeper.awake_s)
        lost_s = self.lost_s
        if sleeper.put_away_s > sleeper.awake_s:  # else it is only known that it is put away
            lost_s = min(lost_s, sleeper.put_away_s)
        if lost_s == math.inf:
            return 2 * held_s
        if held_s >= lost_s:
            return lost_s / 2
        return held_s if lost_s <= _SURE * held_s else math.sqrt(held_s * lost_s)


class Keeping:
    """What is kept, and what it may cost: all clients of an edge together. Thread-safe."""

    def __init__(self, calls_an_hour: int, cost_a_day: float | None, for_s: float) -> None:
        self._calls, self._cost, self._for_s = calls_an_hour, cost_a_day, for_s
        self._pairs: dict[Pair, _Kept] = {}
        self._sent: deque[float] = deque()  # of the last hour
        self._paid: deque[tuple[float, float]] = deque()  # of the last day: when, and what
        self.after_fork()

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def used(self, pair: Pair, now: float) -> None:
        """Somebody asks for it."""
        with self._lock:
            self._pairs.setdefault(pair, _Kept()).used_at = now

    def due(self, pair: Pair, sleeper: Sleeper | None, now: float, ahead_s: float = 0.0) -> bool:
        """True when it is to be asked now; that is taken from the budget. `ahead_s`: until the next time to look."""
        with self._lock:
            kept = self._pairs.get(pair)
            if kept is None or sleeper is None or now < kept.not_before or now - kept.used_at > self._for_s:
                return False
            if now + ahead_s < sleeper.used_at + kept.pause_s(sleeper) or not self._afford(now):
                return False
            self._sent.append(now)
            kept.not_before = now + _UNDER_WAY_S
            return True

    def answered(self, pair: Pair, idle_s: float | None, *, slow: bool, cost: float, now: float) -> None:
        """It answered after such a pause (None: nothing is to be learned of it). `slow`: it had to be started."""
        with self._lock:
            kept = self._pairs.setdefault(pair, _Kept())
            kept.not_before = -math.inf
            self._paid.append((now, cost))
            if idle_s is None:
                return
            if not slow:
                kept.held_s = max(kept.held_s, idle_s)
                if idle_s >= kept.lost_s:
                    kept.lost_s = math.inf  # it stays longer than it did
                return
            kept.lost_s = min(kept.lost_s, idle_s)
            if kept.held_s >= idle_s:
                kept.held_s = idle_s / 2

    def refused(self, pair: Pair, now: float) -> None:
        """It was not answered, or with an error."""
        with self._lock:
            self._pairs.setdefault(pair, _Kept()).not_before = now + _REFUSED_S

    def _afford(self, now: float) -> bool:
        while self._sent and self._sent[0] <= now - _HOUR_S:
            self._sent.popleft()
        while self._paid and self._paid[0][0] <= now - _DAY_S:
            self._paid.popleft()
        if len(self._sent) >= self._calls:
            return False
        return self._cost is None or sum(cost for _, cost in self._paid) < self._cost
