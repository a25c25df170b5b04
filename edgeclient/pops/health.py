"""Whether an endpoint may be used: ejection with growing penalties, and the way back through one trial. Pure.

Ready -> ejected (for `4 s x 2^n`, +-25 %) -> probation -> ready, or ejected again. In probation exactly one trial is under
way: a probe where the endpoint could not be reached, a real request where its answers were bad, and the one after the
other where its connections broke. A probe harms nobody, so that an ejection takes 30 s at most; a request that fails is
somebody's, and an ejection takes 45 s at most.
"""

from __future__ import annotations

import random
from enum import Enum

from ..values import UNSENT, Failure

_FIRST_S, _LONGEST_S, _LONGEST_TRIED_S, _JITTER = 4.0, 30.0, 45.0, 0.25
_TRIAL_LEASE_S = 60.0  # a trial whose caller went away is given to another after this long

AT_ONCE = frozenset({*UNSENT, Failure.NOT_AN_ANSWER}) - {Failure.POOL, Failure.NO_KEY}
SECOND_IN_A_ROW = frozenset({Failure.STATUS, Failure.TERMINATED, Failure.PROTOCOL})
# Everything else says nothing about it: a read timeout may be a slow model, a pool timeout is our own, 429 is a cost.


class State(Enum):
    READY = "ready"
    EJECTED = "ejected"
    PROBATION = "probation"


class Health:
    """The health of one endpoint."""

    __slots__ = (
        "_broke",
        "_ejections",
        "_failed",
        "_in_a_row",
        "_trial_until",
        "ejected_until",
        "failed_at",
        "since",
        "unreachable",
    )

    def __init__(self) -> None:
        self._ejections = 0  # since it was last ready
        self._in_a_row = 0
        self._failed = False  # the last attempt did
        self.ejected_until = 0.0  # when the last ejection ends, or ended
        self._trial_until = 0.0
        self.since: float | None = None  # when it went out, or came back
        self.failed_at = float("-inf")  # when it was last ejected
        self.unreachable = False  # the way back begins with a probe
        self._broke = False  # and goes on with a real request

    @property
    def suspect(self) -> bool:
        """True from a failure to the next good answer."""
        return self._failed or self._ejections > 0

    def state(self, now: float) -> State:
        if not self._ejections:
            return State.READY
        return State.EJECTED if now < self.ejected_until else State.PROBATION

    def succeeded(self, began: float, now: float) -> None:
        """An answer came; of an attempt that began before the last ejection it proves nothing."""
        if began >= self.failed_at:
            if self._ejections:
                self.since = now
            self._ejections = self._in_a_row = 0
            self._failed = False
            self._trial_until = 0.0

    def failed(self, failure: Failure, began: float, now: float, rng: random.Random) -> None:
        """An attempt failed; late errors of attempts that began before the last ejection are ignored."""
        if began < self.failed_at:
            return
        self._trial_until = 0.0
        self._failed = True
        if failure in SECOND_IN_A_ROW:
            self._in_a_row += 1
        if failure in AT_ONCE or self._in_a_row >= 2 or (self._ejections and failure in SECOND_IN_A_ROW):
            self._broke = failure is Failure.TERMINATED
            self._eject(failure in UNSENT or self._broke, now, rng)

    def reached(self, began: float, now: float) -> None:
        """A probe got through. That proves an endpoint that could not be reached, not one whose connections broke."""
        if self._broke:
            self.unreachable = False
            self._trial_until = 0.0
        else:
            self.succeeded(began, now)

    def trial_is_free(self, now: float) -> bool:
        """False while somebody has the one trial of the probation."""
        return now >= self._trial_until

    def take_trial(self, now: float) -> bool:
        """Take the one trial of the probation; False when somebody else has it."""
        if not self.trial_is_free(now):
            return False
        self._trial_until = now + _TRIAL_LEASE_S
        return True

    def give_trial_back(self) -> None:
        """The trial ended without a verdict."""
        self._trial_until = 0.0

    def _eject(self, unreachable: bool, now: float, rng: random.Random) -> None:
        longest_s = _LONGEST_S if unreachable else _LONGEST_TRIED_S
        penalty = min(_FIRST_S * 2 ** min(self._ejections, 8), longest_s) * rng.uniform(1 - _JITTER, 1 + _JITTER)
        if not self._ejections:
            self.since = now
        self._ejections += 1
        self._in_a_row = 0
        self.failed_at, self.ejected_until, self.unreachable = now, now + penalty, unreachable
