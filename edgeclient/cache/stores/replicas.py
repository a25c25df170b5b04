"""Which server a lookup goes to: the nearest replica, if it is so much nearer than the primary that it pays. Asks servers.

A replica may lag, and may lose its primary without a word. So it only ever confirms what the primary has told within the last
seconds: which generation of entries is valid. For anything else it gives a miss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

_AGAIN_S = 30.0  # between two measurements
_SURE_S = 10.0  # for how long the primary's word about the generation holds
_SHARE, _GAIN_S = 0.7, 0.001  # a replica pays whose round trip is so much of the primary's, and so much shorter
_PINGS = 3


class Replicas:
    """Measures beside the calls, by the least of a few round trips, who is nearest. `find` names the replicas."""

    def __init__(self, find: Callable[[], Sequence[Any]]) -> None:
        self._find = find
        self._near: Any = None
        self._again_at = self._sure_until = 0.0

    def near(self) -> Any:
        """The client of the replica to ask, or None: ask the primary."""
        return self._near if self._near is not None and time.monotonic() < self._sure_until else None

    def primary_answered(self) -> None:
        self._sure_until = time.monotonic() + _SURE_S

    def failed(self) -> None:
        """The replica did not answer: the primary does until the next measurement."""
        self._near = None

    def measure(self, primary: Any) -> None:
        """Look who is nearest, if it is time. A server that cannot be asked is not near."""
        if time.monotonic() < self._again_at:
            return
        self._again_at = time.monotonic() + _AGAIN_S
        try:
            least_s = _round_trip(primary)
            found = [(_round_trip(client), client) for client in self._find() if _follows(client)]
        except Exception:  # the primary's failures are counted where it is used
            found = []
        pays = [it for it in found if it[0] <= least_s * _SHARE and it[0] <= least_s - _GAIN_S]
        self._near = min(pays, key=lambda it: it[0])[1] if pays else None


def _round_trip(client: Any) -> float:
    least_s = float("inf")
    for _ in range(_PINGS):
        began = time.perf_counter()
        client.ping()
        least_s = min(least_s, time.perf_counter() - began)
    return least_s


def _follows(client: Any) -> bool:
    """True for a replica that answers, and that hears from its primary, as far as we may ask."""
    try:
        client.ping()  # the first one connects
    except Exception:
        return False
    try:
        said = client.execute_command("ROLE")
    except Exception:  # not everybody may
        return True
    return said[0] in (b"slave", b"replica") and said[3] == b"connected"
