"""The order of candidates by what is known of them, and how long it stands. Pure: time comes in as an argument.

Ready endpoints by cost (estimated RTT, and what they cost beyond it while they are slow), those not measured yet behind them
(first those of which an earlier RTT is known: a prior), deprioritised ones (429) next, ejected ones last, the least recently
failed first. The current one is kept unless another is better by max(5 ms, 10 %), plus a quarter of the other's RTT when that
one has no warm connection. An order is kept until something that it rests on has changed; between two changes a decision
costs a look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..values import ORIGIN, Endpoint
from .health import State
from .rtt import HYSTERESIS, HYSTERESIS_S, margin
from .track import Track
from .tracks import Tracks

_COLD = 0.25  # of the RTT: opening a connection costs two or three of them, once
_WARM_S = 50.0  # servers close idle connections after a minute or so
_LEFT_S = 60.0  # the endpoint that was left for a nearer one is looked at after this, and after twice as long each time
_ORDERS = 256  # kept orders, one for each set of candidates


@dataclass(slots=True)
class Order:
    """An order of candidates, good until a time unless something changes before."""

    candidates: Sequence[Endpoint]
    version: int
    until: float
    good: tuple[Endpoint, ...]
    rest: tuple[Endpoint, ...]


class Ordering:
    """Makes orders of the tracks, and keeps them. Its owner locks."""

    def __init__(self, endpoints: Sequence[Endpoint], tracks: Tracks) -> None:
        self._tracks = tracks
        self._current: dict[tuple[str, ...], str] = {}  # the first of a set
        self._orders: dict[int, Order] = {}
        self._weighted = any(endpoint.weight != 1.0 for endpoint in endpoints)

    def order(self, candidates: Sequence[Endpoint], now: float, again: bool) -> Order:
        """The order kept for these, the same sequence, or a new one. `again`: see `Selector.plan`."""
        order = self._orders.get(id(candidates))
        if order is None or order.version != self._tracks.version or now >= order.until or again:
            order = self._ordered(candidates, now, again)
        return order

    def nearest(self, candidates: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Those of the candidates that calls could go to now, the nearest first. Changes nothing."""
        ranked = sorted((self._rank(e, n, now), n) for n, e in enumerate(candidates) if not self.on_trial(e, now))
        return [candidates[n] for rank, n in ranked if rank[0] < 3]

    def on_trial(self, endpoint: Endpoint, now: float) -> bool:
        """True while an endpoint is in probation."""
        return self._tracks.of(endpoint).health.state(now) is State.PROBATION

    def _ordered(self, candidates: Sequence[Endpoint], now: float, again: bool) -> Order:
        numbered = sorted(enumerate(candidates), key=lambda numbered: self._rank(numbered[1], numbered[0], now))
        ranked = [endpoint for _, endpoint in numbered]
        order = self._keep_current(self._heaviest_first(ranked, now) if self._weighted else ranked, now)
        spared = {e.name for e in order if self._is_out(e, now) or (again and self._tracks.of(e).health.suspect)}
        good = [e for e in order if e.name not in spared]
        until = min([self._settled_until(e, now) for e in candidates], default=now)
        for endpoint in good:  # a trial is for one call, and for one that needs no other endpoint before it
            if self.on_trial(endpoint, now):
                until = now
                if not (endpoint is good[0] and self._tracks.of(endpoint).health.take_trial(now)):
                    spared.add(endpoint.name)
        kept = Order(
            candidates,
            self._tracks.version,
            until,
            good=tuple([e for e in order if e.name not in spared]),
            rest=tuple([e for e in order if e.name in spared]),
        )
        if until > now and not again:
            self._keep(kept, now)
        return kept

    def _keep(self, order: Order, now: float) -> None:
        if len(self._orders) >= _ORDERS:
            self._orders.clear()
        self._orders[id(order.candidates)] = order
        version = self._tracks.version
        for endpoint in order.candidates:
            track = self._tracks.of(endpoint)
            if track.version != version:
                track.version, track.leads = version, False
                track.leaves_above, track.moves_below = float("inf"), 0.0
            track.ranked_s = track.rtt.estimate_s
        if len(order.good) > 1:
            first, second = self._tracks.of(order.good[0]), self._tracks.of(order.good[1])
            first.leads = True
            other_s, first_s = second.cost(now), first.cost(now)
            far_s = max(other_s + HYSTERESIS_S, other_s / (1 - HYSTERESIS))
            first.leaves_above = min(first.leaves_above, far_s - first.server.cost_at(now))
            near_s = first_s - margin(first_s)
            for endpoint in order.good[1:]:
                track = self._tracks.of(endpoint)
                track.moves_below = max(track.moves_below, near_s - track.server.cost_at(now))

    def _settled_until(self, endpoint: Endpoint, now: float) -> float:
        """When this endpoint's place changes by itself; now, while it is in probation."""
        track = self._tracks.of(endpoint)
        times = [t for t in (track.throttled_until, track.server.until, track.health.ejected_until) if t > now]
        return now if self.on_trial(endpoint, now) else min(times, default=float("inf"))

    def _heaviest_first(self, ranked: list[Endpoint], now: float) -> list[Endpoint]:
        """Of those that are as near as the first one, the heaviest goes to the front."""
        group, best_s, _ = self._rank(ranked[0], 0, now)
        near = [
            e
            for e in ranked
            if self._rank(e, 0, now)[0] == group and self._tracks.of(e).cost(now) < best_s + margin(best_s)
        ]
        heaviest = max(near, key=lambda e: e.weight, default=ranked[0])
        return [heaviest, *[e for e in ranked if e is not heaviest]]

    def _rank(self, endpoint: Endpoint, configured: int, now: float) -> tuple[float, ...]:
        track = self._tracks.of(endpoint)
        if self._is_out(endpoint, now):
            return (4, track.health.failed_at, configured)
        if now < track.throttled_until:
            return (3, track.cost(now), configured)
        if track.rtt.estimate_s is not None:
            return (0, track.cost(now), configured)
        if track.prior_s is not None:
            return (1, track.prior_s + track.cost(now), configured)
        return (2, track.cost(now), configured)

    def _is_out(self, endpoint: Endpoint, now: float) -> bool:
        """True while ejected, and then until a probe reached it where it could not be reached."""
        health = self._tracks.of(endpoint).health
        state = health.state(now)
        waits = self._tracks.looks and health.unreachable and endpoint is not ORIGIN  # nobody probes a client's origin
        return state is State.EJECTED or (state is State.PROBATION and waits)

    def _keep_current(self, order: list[Endpoint], now: float) -> list[Endpoint]:
        """Hysteresis: what was first stays first unless the new first one is clearly nearer.

        One that is out, throttled or slow stays the current one, though others stand before it, and is first again as
        soon as it is well: a move that a failure forced is no choice.
        """
        group = tuple(sorted(endpoint.name for endpoint in order))
        current = next((e for e in order if e.name == self._current.get(group)), None)
        if order and current is not None and current is not order[0]:
            mine, best = self._rank(current, 0, now), self._rank(order[0], 0, now)
            least_s = margin(mine[1]) + self._opening(current, order[0], now)
            if mine[0] == best[0] == 0 and mine[1] - best[1] < least_s and current.weight >= order[0].weight:
                return [current, *(endpoint for endpoint in order if endpoint is not current)]
        if current is not None and current is not order[0] and self._is_unwell(current, now):
            return order
        measured = order and self._tracks.of(order[0]).rtt.estimate_s is not None
        if measured and order[0] is not current and not self.on_trial(order[0], now):
            self._current[group] = order[0].name
            if current is not None:
                self._tracks.of(current).look_s = _LEFT_S
        return order

    def _is_unwell(self, endpoint: Endpoint, now: float) -> bool:
        track = self._tracks.of(endpoint)
        slow = track.server.cost_at(now) > 0 or now < track.throttled_until
        return slow or track.health.state(now) is not State.READY

    def _opening(self, current: Endpoint, other: Endpoint, now: float) -> float:
        """What a move to the other costs because it has no warm connection, as the current one has."""
        here, there = self._tracks.of(current), self._tracks.of(other)
        return _COLD * (there.rtt.estimate_s or 0.0) if is_cold(there, now) and not is_cold(here, now) else 0.0


def is_cold(track: Track, now: float) -> bool:
    """True when an endpoint's connections are taken for closed by now."""
    return track.answered_at < now - _WARM_S
