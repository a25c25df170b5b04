"""Where a model at an endpoint answers soonest: the way and the usual time there together. Pure; for `rank="answer"`.

Round trips tell which endpoint is nearest, not how fast the model runs there: one on this machine's own processor is always
nearest. Between sites of one product the model runs alike, and the way decides; so only products are compared, and what is on
this machine with what is not. The first endpoint's time is known from its calls; one of another kind is tried now and then
while its way leaves room for a clear gain. Its owner locks.
"""

from __future__ import annotations

from collections.abc import Callable

from ..values import ORIGIN, Call, Endpoint
from .memory import place_of
from .track import Track

Endpoints = tuple[Endpoint, ...]

_GAIN, _GAIN_S = 0.25, 0.05  # of a gain less is luck: usual times are known to some 20 % after a few answers
_OPEN_TRIALS = 2  # whose answers have not come, or were none that tell a time (a wrong key, say): then no more of them
_TRY_EACH = 3  # calls between two trials of one whose time is not known yet, ...
_TRY_AGAIN = 100  # ... and of the one that was left, as it may have become quicker
_MODELS = 1024  # of turns, and of trials; names come from outside


class Quickness:
    """The order between endpoints of different kinds, and whose turn it is to be tried."""

    def __init__(self, track: Callable[[Endpoint], Track]) -> None:
        self._track = track
        self._turns: dict[str, int] = {}
        self._trials: dict[tuple[str, str, bool], int] = {}
        self._kinds: dict[str, tuple[str, bool]] = {}

    def order(self, good: Endpoints, call: Call, now: float) -> Endpoints:
        """The endpoint that answers this call's model soonest first, if it is clearly not the first one already."""
        first = good[0]
        mine_s = self._takes_s(first, call, now)
        if mine_s is None or call.retry:
            return good
        enough_s = min(mine_s * (1 - _GAIN), mine_s - _GAIN_S)
        others = {e: self._takes_s(e, call, now) for e in good[1:] if self._may_gain(e, first, enough_s, now)}
        if not others:
            return good
        turn = self._turn(call.model)
        again = turn % _TRY_AGAIN == 0
        unknown = next((e for e, takes_s in others.items() if takes_s is None), None)
        if unknown is not None and turn % _TRY_EACH == 0 and self._is_worth_a_trial(unknown, call):
            return _led_by(unknown, good)
        best = min((e for e in others if others[e] is not None), key=lambda e: others[e] or 0.0, default=first)
        is_quicker = (others.get(best) or mine_s) < enough_s
        return _led_by(best, good) if is_quicker != again else good

    def _is_worth_a_trial(self, endpoint: Endpoint, call: Call) -> bool:
        """True, and one more trial is under way, unless earlier ones have taught nothing."""
        if len(self._trials) >= _MODELS:
            self._trials.clear()
        key = endpoint.name, call.model, call.streamed
        tried = self._trials.get(key, 0)
        if tried - self._track(endpoint).server.seen(call.model, call.streamed) >= _OPEN_TRIALS:
            return False
        self._trials[key] = tried + 1
        return True

    def _takes_s(self, endpoint: Endpoint, call: Call, now: float) -> float | None:
        track = self._track(endpoint)
        usual_s = track.server.usual_s(call.model, call.streamed)
        return None if usual_s is None or track.rtt.estimate_s is None else track.cost(now) + usual_s

    def _may_gain(self, endpoint: Endpoint, first: Endpoint, enough_s: float, now: float) -> bool:
        """True for one of another kind whose way alone does not eat the gain up. A client's own origin is not tried out."""
        if endpoint is ORIGIN or self._kind(endpoint) == self._kind(first):
            return False
        track = self._track(endpoint)
        return track.rtt.estimate_s is not None and track.cost(now) < enough_s

    def _kind(self, endpoint: Endpoint) -> tuple[str, bool]:
        kind = self._kinds.get(endpoint.name)
        if kind is None:
            product = endpoint.product.name if endpoint.product is not None else ""
            kind = self._kinds[endpoint.name] = product, not place_of(endpoint)
        return kind

    def _turn(self, model: str) -> int:
        if len(self._turns) >= _MODELS:
            self._turns.clear()
        turn = self._turns[model] = self._turns.get(model, 0) + 1
        return turn


def _led_by(endpoint: Endpoint, good: Endpoints) -> Endpoints:
    return (endpoint, *[e for e in good if e is not endpoint])
