"""When a call that takes unusually long is sent to a second endpoint too, and the first good answer counts. Pure.

Only calls that may be sent twice without harm, and only a few per cent of them: calls fill the allowance, hedges empty it
(Finagle's BackupRequestFilter). How long "unusually" is, the endpoint's own past says. A central model is paid for twice, so
its calls are hedged only within a limit for each hour, and only when streamed: what is won is the first token.
"""

from __future__ import annotations

import threading
from collections import deque

from ..values import Call, Route

_SAVED = 10.0  # hedges that a quiet time can save up
_HOUR_S = 3600.0


class Hedging:
    """The allowance. Thread-safe. `share`: hedges for each call that could have been hedged."""

    __slots__ = ("_central", "_lock", "_saved", "central_an_hour", "share")

    def __init__(self, share: float, central_an_hour: int = 0) -> None:
        self.share, self.central_an_hour = share, central_an_hour
        self._saved = 0.0
        self._central: deque[float] = deque(maxlen=max(1, central_an_hour))  # when the last ones were
        self._lock = threading.Lock()

    def fits(self, call: Call) -> bool:
        """True for a call that may be hedged; it adds its share to the allowance."""
        central = call.streamed and self.central_an_hour > 0
        if call.retry or not call.idempotent or not (central or call.route is Route.INFERENCE):
            return False
        with self._lock:
            self._saved = min(_SAVED, self._saved + self.share)
        return True

    def take(self, call: Call, now: float) -> bool:
        """Take one hedge from the allowance; False when there is none left."""
        with self._lock:
            if self._saved < 1.0:
                return False
            if call.route is not Route.INFERENCE:
                if len(self._central) == self.central_an_hour and now - self._central[0] < _HOUR_S:
                    return False
                self._central.append(now)
            self._saved -= 1.0
            return True

    def after_fork(self) -> None:
        """In a forked child: a new lock."""
        self._lock = threading.Lock()
