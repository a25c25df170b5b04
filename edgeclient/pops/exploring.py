"""Where nobody probes, calls find out how far the others are: which call tries another endpoint first. Pure.

Such a call waits for a connection for one round trip to the endpoint that it would go to otherwise. If none comes in that
time the other one is not nearer, and that is what is remembered of it. So what is far away costs a call no more than what
is near, and twenty unknown endpoints cost twenty such round trips and not twenty calls to the far side of the world.
"""

from __future__ import annotations

from collections.abc import Callable

from ..values import Endpoint, Failure
from .rtt import margin
from .track import SILENT_FAR_S, SILENT_S, Track

_EACH = 50  # calls: of so many one looks again where nobody has been for long
_LEFT_EACH = 10  # calls: of so many at most one looks at an endpoint that was left; where calls are rare each weighs


def explored(good: tuple[Endpoint, ...], track_of: Callable[[Endpoint], Track], now: float) -> tuple[Endpoint, ...]:
    """The order for one call: the same, or with an endpoint in front that may be nearer than the first."""
    first = track_of(good[0])
    if first.rtt.estimate_s is None:
        return good
    here_s = first.cost(now)
    other = next((e for e in good[1:] if _is_worth_a_try(track_of(e), here_s, first.calls, now)), None)
    if other is None:
        return good
    track = track_of(other)
    track.tried_at, track.trial_s = now, here_s
    track.look_s = track.look_s * 2 if track.look_s < SILENT_S else float("inf")
    return (other, *[e for e in good if e is not other])


def missed(track: Track, failure: Failure | None) -> bool:
    """True when an attempt ended because it was a trial: then the endpoint is so far at the least, and may be well."""
    trial_s, track.trial_s = track.trial_s, None
    if trial_s is None or failure is not Failure.CONNECT_TIMEOUT:
        return False
    track.prior_s = max(trial_s, track.prior_s or 0.0)
    return True


def _is_worth_a_try(track: Track, here_s: float, calls: int, now: float) -> bool:
    """True for one that may be nearer: nothing says that it is not, or it was left for this one a while ago.

    Now and then also for one that is not much farther, if nobody has been there for long.
    """
    silent_s, known_s = now - max(track.tried_at, track.rtt.last_at), track.rtt.estimate_s
    nearer_s = here_s - margin(here_s)
    if calls % _EACH == 0 and silent_s > SILENT_FAR_S and (known_s or track.prior_s or 0.0) < 2 * nearer_s:
        return True
    if known_s is not None:
        return silent_s > track.look_s and calls % _LEFT_EACH == 0
    return (track.prior_s or 0.0) < nearer_s and silent_s > SILENT_S
