"""When a model at a PoP has to be started first, and what that costs: learned from idle times and first answers. Pure.

A model that nobody asked for a while is put away. The first call then pays for its start, once; that is no illness. How long
is too long, and what a start costs, differs between systems and models, so both are learned for each endpoint and model. A
slow first answer is taken for a start when the next one is quick again; else the endpoint is slow, which is for `server_time`
to tell. One start may be somebody else's doing, so two are needed; and after an hour nobody knows, and a call finds out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_IDLE_S = 30.0  # after a shorter pause nothing is put away
_FACTOR, _LEAST_S = 3.0, 0.3  # a first answer so much slower than usual was a start
_FORGOTTEN_S = 3600.0
_STARTS = 2  # before they are counted on
_MODELS = 32  # of an endpoint; further ones push the oldest out


@dataclass(frozen=True, slots=True)
class Sleeper:
    """What is known of a model that is put away when nobody asks for it."""

    awake_s: float  # the longest pause after which it was still there
    put_away_s: float  # the shortest one after which it had to be started
    cost_s: float
    used_at: float


class _Model:
    """One model at one endpoint."""

    __slots__ = ("awake_s", "cost_s", "maybe", "put_away_s", "starts", "used_at")

    def __init__(self) -> None:
        self.used_at = -math.inf  # when it last answered
        self.awake_s = _IDLE_S  # the longest pause after which it was still there
        self.put_away_s = math.inf  # the shortest one after which it had to be started
        self.cost_s = 0.0  # what a start took beyond the usual
        self.starts = 0  # seen since it was found awake where it should not have been
        self.maybe: tuple[float, float] | None = None  # the pause before a slow first answer, and what that cost


class Cold:
    """The starts of one endpoint's models. Its owner locks."""

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}

    def answered(self, model: str, seconds: float, usual_s: float | None, began: float, now: float) -> None:
        """Learn from an answer's server time, to a call that began then."""
        known = self._of(model)
        idle_s, known.used_at = began - known.used_at, now
        if usual_s is None or idle_s == math.inf:
            return
        slow = seconds > max(_FACTOR * usual_s, usual_s + _LEAST_S)
        maybe, known.maybe = known.maybe, None
        if maybe is not None and idle_s < _IDLE_S and not slow:
            self._started(known, *maybe)
        elif idle_s >= _IDLE_S and slow:
            known.maybe = idle_s, seconds - usual_s
        elif idle_s >= _IDLE_S:
            if idle_s >= known.put_away_s:
                known.starts = 0
            known.awake_s = max(known.awake_s, idle_s)
            known.put_away_s = max(known.put_away_s, known.awake_s)  # it stays longer than was thought

    def starting(self, model: str, cost_s: float | None, now: float) -> None:
        """The endpoint said that it has to start the model; `cost_s`: how long it asked to wait."""
        known = self._of(model)
        idle_s = now - known.used_at
        known.used_at = now  # asked for, it is being started
        known.starts = _STARTS  # it says so itself
        self._started(known, max(idle_s, _IDLE_S) if idle_s < math.inf else _IDLE_S, cost_s or known.cost_s or 1.0)

    def expected_s(self, model: str, now: float) -> float:
        """What a call would have to pay for a start now, in seconds."""
        known = self._models.get(model)
        if known is None or known.starts < _STARTS:
            return 0.0
        likely_s = 0.5 * (known.awake_s + known.put_away_s)  # it was put away somewhere between the two
        return known.cost_s if likely_s <= now - known.used_at < _FORGOTTEN_S else 0.0

    def sleeper(self, model: str) -> Sleeper | None:
        """What is known of it; None while it was not seen to be put away."""
        known = self._models.get(model)
        if known is None or known.starts < _STARTS:
            return None
        return Sleeper(known.awake_s, known.put_away_s, known.cost_s, known.used_at)

    def kept(self, model: str, began: float, now: float, *, slow: bool) -> float | None:
        """It was asked for next to nothing, to be kept. `slow`: it had been put away all the same.

        The pause that it outlived, or did not; None where that tells nothing, as somebody else had asked just before.
        """
        known = self._of(model)
        idle_s, known.used_at = began - known.used_at, now
        known.maybe = None
        if not _IDLE_S <= idle_s < math.inf:
            return None
        if slow:
            known.put_away_s = min(known.put_away_s, idle_s)
            known.awake_s = min(known.awake_s, known.put_away_s)
        else:
            known.awake_s = max(known.awake_s, idle_s)
            known.put_away_s = max(known.put_away_s, known.awake_s)
        return idle_s

    def _started(self, known: _Model, idle_s: float, cost_s: float) -> None:
        known.starts += 1
        known.cost_s = cost_s if not known.cost_s else 0.5 * (known.cost_s + cost_s)
        known.put_away_s = min(known.put_away_s, idle_s)
        known.awake_s = min(known.awake_s, known.put_away_s)

    def _of(self, model: str) -> _Model:
        known = self._models.get(model)
        if known is None:
            if len(self._models) >= _MODELS:
                del self._models[next(iter(self._models))]
            known = self._models[model] = _Model()
        return known
