"""Orders endpoints: the nearest healthy one first, by measured RTT. Pure: time and chance come in as arguments.

The order: ready endpoints by cost (estimated RTT, and what they cost beyond it while they are slow), those not measured yet
behind them (first those of which an earlier RTT is known: a prior), deprioritised ones (429) next, ejected ones last, the
least recently failed first. The current one is kept unless another is better by max(5 ms, 10 %), plus a quarter of the
other's RTT when that one has no warm connection. An order is kept until something that it rests on has changed; between two
changes a decision costs a look-up.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..values import ORIGIN, Call, Endpoint, Failure, Outcome, Route
from .health import Health, State
from .rtt import RttWindow, is_possible
from .server_time import ServerTime

_HYSTERESIS_S, _HYSTERESIS = 0.005, 0.10
_COLD = 0.25  # of the RTT: opening a connection costs two or three of them, once
_WARM_S = 50.0  # servers close idle connections after a minute or so
_UNCHANGED_S, _UNCHANGED = 0.001, 0.02  # an estimate that moves by less does not disturb the order
_THROTTLED_S = 5.0  # after a 429 that names no time
_LONGEST_THROTTLED_S = 300.0
_SILENT_S, _SILENT_FAR_S, _SILENT_JITTER = 300.0, 1800.0, 0.2
_LOOK_AGAIN_S = 1.0  # how long "nothing is due" is believed: it is asked before every call
_BEST = 4  # so many of the nearest are probed after the shorter silence
_LONG_UPLOAD = 64 * 2**10  # bytes; a round trip measured behind one's own upload is that of the queue
_LOAD_MEMORY_S = 3.0  # for so long a slow answer of a model at the PoP says that the PoP is busy
_EXPLORE_AFTER, _EXPLORE_EACH = 10, 3  # answers of the first one before any other is tried out, and between two trials
_ORDERS = 256  # kept orders, one for each set of candidates


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What is known of one endpoint."""

    name: str
    url: str
    state: str  # ready | ejected | probation
    rtt_ms: float | None
    pop: str
    calls: int  # answers it gave
    failures: int
    share: float  # of all answers, 0..1
    server_ms: float | None = None  # the last answer's time beside the path


class _Track:
    """What is known of one endpoint, while it runs."""

    __slots__ = (
        "answered_at",
        "calls",
        "failures",
        "health",
        "jitter",
        "leads",
        "leaves_above",
        "moves_below",
        "pop",
        "prior_s",
        "probe_at",
        "ranked_s",
        "rtt",
        "server",
        "throttled_until",
        "version",
    )

    def __init__(self) -> None:
        self.rtt = RttWindow()
        self.prior_s: float | None = None  # from before a sleep or from another process; counts until the first sample
        self.health = Health()
        self.server = ServerTime()
        self.throttled_until = 0.0
        self.probe_at = self.answered_at = float("-inf")
        self.jitter = 1.0  # of the silence before the next probe
        self.version = -1  # of the kept orders that the next four speak of
        self.ranked_s: float | None = None  # the estimate they rest on
        self.leads = False  # it is the first in one of them
        self.leaves_above, self.moves_below = float("inf"), 0.0  # estimates at which a first place changes hands
        self.calls = self.failures = 0
        self.pop = ""

    def moved(self) -> bool:
        """True when the estimate is not what the kept orders rest on any more."""
        now_s, then_s = self.rtt.estimate(), self.ranked_s
        if now_s is None or then_s is None:
            return now_s is not then_s
        if now_s >= self.leaves_above or now_s <= self.moves_below:
            return True
        return not self.leads and abs(now_s - then_s) > _UNCHANGED_S + _UNCHANGED * then_s

    def cost(self, now: float) -> float:
        return (self.rtt.estimate() or 0.0) + self.server.cost_at(now)


@dataclass(slots=True)
class _Order:
    """An order of candidates, good until a time unless something changes before."""

    candidates: Sequence[Endpoint]
    version: int
    until: float
    good: tuple[Endpoint, ...]
    rest: tuple[Endpoint, ...]


class Selector:
    """State and rules of the choice between endpoints. Thread-safe; never raises, never leaves a candidate out."""

    def __init__(self, endpoints: Sequence[Endpoint], rng: random.Random, *, probing: bool = True) -> None:
        self._endpoints = tuple(endpoints)
        self._tracks = {endpoint.name: _Track() for endpoint in endpoints}
        self._rng, self._probing = rng, probing
        self._current: dict[tuple[str, ...], str] = {}  # the first of a set
        self._orders: dict[int, _Order] = {}
        self._version = 0  # of everything that orders rest on
        self._nothing_due_until = 0.0
        self._lock = threading.Lock()

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
        """All candidates in the order to try them: those to use, and those only for when nothing else is left.

        An endpoint in probation is among the first for one call at a time. `again`: the SDK retries this call, so that
        an endpoint whose last attempt failed is among the second. Callers that hand in the same sequence again are
        served from the order kept for it.
        """
        with self._lock:
            order = self._orders.get(id(candidates))
            if order is None or order.version != self._version or now >= order.until or again:
                order = self._ordered(candidates, now, again)
            good = order.good
            if not self._probing and len(good) > 1:
                good = self._explored(good)
            if call is not None and call.route is Route.INFERENCE and len(good) > 1:
                good = self._shared(good, now)
            return good, order.rest

    def _ordered(self, candidates: Sequence[Endpoint], now: float, again: bool) -> _Order:
        ranked = sorted(enumerate(candidates), key=lambda numbered: self._rank(numbered[1], numbered[0], now))
        order = self._keep_current([endpoint for _, endpoint in ranked], now)
        spared = {e.name for e in order if self._is_out(e, now) or (again and self._track(e).health.suspect)}
        good = [e for e in order if e.name not in spared]
        until = min([self._settled_until(e, now) for e in candidates], default=now)
        for endpoint in good:  # a trial is for one call, and for one that needs no other endpoint before it
            if self._on_trial(endpoint, now):
                until = now
                if not (endpoint is good[0] and self._track(endpoint).health.take_trial(now)):
                    spared.add(endpoint.name)
        kept = _Order(
            candidates,
            self._version,
            until,
            good=tuple([e for e in order if e.name not in spared]),
            rest=tuple([e for e in order if e.name in spared]),
        )
        if until > now and not again:
            self._keep(kept, now)
        return kept

    def _keep(self, order: _Order, now: float) -> None:
        if len(self._orders) >= _ORDERS:
            self._orders.clear()
        self._orders[id(order.candidates)] = order
        for endpoint in order.candidates:
            track = self._track(endpoint)
            if track.version != self._version:
                track.version, track.leads = self._version, False
                track.leaves_above, track.moves_below = float("inf"), 0.0
            track.ranked_s = track.rtt.estimate()
        if len(order.good) > 1:
            first, second = self._track(order.good[0]), self._track(order.good[1])
            first.leads = True
            other_s, first_s = second.cost(now), first.cost(now)
            far_s = max(other_s + _HYSTERESIS_S, other_s / (1 - _HYSTERESIS))
            first.leaves_above = min(first.leaves_above, far_s - first.server.cost_at(now))
            near_s = first_s - _margin(first_s)
            for endpoint in order.good[1:]:
                track = self._track(endpoint)
                track.moves_below = max(track.moves_below, near_s - track.server.cost_at(now))

    def _settled_until(self, endpoint: Endpoint, now: float) -> float:
        """When this endpoint's place changes by itself; now, while it is in probation."""
        track = self._track(endpoint)
        times = [t for t in (track.throttled_until, track.server.until, track.health.ejected_until) if t > now]
        return now if self._on_trial(endpoint, now) else min(times, default=float("inf"))

    def _explored(self, good: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
        """Without probes only calls can tell where an unmeasured endpoint is: now and then one goes there."""
        if self._track(good[-1]).rtt.estimate() is not None:
            return good
        calls = self._track(good[0]).calls
        if calls < _EXPLORE_AFTER or calls % _EXPLORE_EACH:
            return good
        other = next(e for e in good if self._track(e).rtt.estimate() is None)
        return (other, *[e for e in good if e is not other])

    def _shared(self, good: tuple[Endpoint, ...], now: float) -> tuple[Endpoint, ...]:
        """The order for a model at the PoP: while the first looks busy, the less busy of it and another chosen at random.

        Its own past says what is busy. One client that always moved to the second best would take its load there whole,
        and so would everybody else.
        """
        first = good[0]
        mine = self._load(first, now)
        slack = mine - self._track(first).cost(now)
        reach = mine - _margin(mine)
        if slack <= _HYSTERESIS_S:
            return good
        others = [e for e in good[1:] if self._track(e).rtt.estimate() is not None and self._track(e).cost(now) < reach]
        if not others:
            return good
        other = self._rng.choice(others)
        if self._load(other, now) >= reach:
            return good
        return (other, *[e for e in good if e is not other])

    def _load(self, endpoint: Endpoint, now: float) -> float:
        track = self._track(endpoint)
        return track.cost(now) + track.server.excess_at(now, _LOAD_MEMORY_S)

    def record(self, outcome: Outcome, now: float) -> None:
        """Learn from one attempt."""
        with self._lock:
            track = self._track(outcome.endpoint)
            began = now - outcome.took_s
            if outcome.rtt_s is not None and outcome.sent_bytes < _LONG_UPLOAD:
                track.rtt.add(outcome.rtt_s, now)
            if outcome.retry_after_s is not None or outcome.failure is Failure.THROTTLED:
                self._throttle(track, outcome.retry_after_s, now)
            if outcome.failure is None:
                self._answered(track, outcome, began, now)
                return
            track.failures += 1
            self._version += 1
            if outcome.failure is Failure.THROTTLED:
                track.health.give_trial_back()
            else:
                track.health.failed(outcome.failure, began, now, self._rng)

    def _answered(self, track: _Track, outcome: Outcome, began: float, now: float) -> None:
        track.calls += 1
        track.answered_at = now
        if track.health.suspect:
            track.health.succeeded(began)
            self._version += 1
        costs = track.server.cost_s
        call, rtt_s = outcome.call, track.rtt.estimate()
        if call is not None and rtt_s is not None and len(self._tracks) > 1:  # alone it is taken, slow or not
            path_s = rtt_s * (3 if outcome.cold else 1)  # TCP and TLS 1.3 take a round trip each
            server_s = outcome.took_s - path_s - (outcome.processing_s or 0.0)
            track.server.add(server_s, call.model, call.streamed, now, central=call.route is not Route.INFERENCE)
        if track.server.cost_s != costs or track.moved():
            self._version += 1

    def _throttle(self, track: _Track, pause_s: float | None, now: float) -> None:
        pause_s = _THROTTLED_S if pause_s is None else min(pause_s, _LONGEST_THROTTLED_S)
        track.throttled_until = max(track.throttled_until, now + pause_s)
        self._version += 1

    def answered_at(self, endpoint: Endpoint, pop: str) -> None:
        """Remember the site that answered for an endpoint."""
        self._track(endpoint).pop = pop

    def due(self, now: float) -> list[Endpoint]:
        """The endpoints to probe now. They stay due until `probing` says that a probe of them has begun."""
        with self._lock:
            if not self._probing or now < self._nothing_due_until:
                return []
            due = [e for n, e in enumerate(self._by_rtt()) if self._is_due(e, n, now)]
            if not due:
                self._nothing_due_until = now + _LOOK_AGAIN_S
            return due

    def probing(self, endpoints: Sequence[Endpoint], now: float) -> None:
        """A probe of these has begun: it is their turn's, and the trial of those in probation."""
        with self._lock:
            for endpoint in endpoints:
                track = self._track(endpoint)
                track.probe_at, track.jitter = now, self._rng.uniform(1 - _SILENT_JITTER, 1 + _SILENT_JITTER)
                if track.health.state(now) is State.PROBATION:
                    track.health.take_trial(now)
                    self._version += 1

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        """Learn from a probe. One that failed harms nobody but an endpoint that was ejected already."""
        with self._lock:
            self._version += 1
            track = self._track(endpoint)
            for rtt_s in rtts_s:
                track.rtt.add(rtt_s, now)
            if track.health.state(now) is State.READY or not track.health.unreachable:
                return
            if rtts_s:
                track.health.reached(now - took_s)
            else:
                track.health.failed(Failure.CONNECT, now - took_s, now, self._rng)

    def status(self, now: float) -> tuple[EndpointStatus, ...]:
        """What is known of each endpoint, in the configured order."""
        with self._lock:
            total = sum(track.calls for track in self._tracks.values()) or 1
            return tuple(self._status(endpoint, total, now) for endpoint in self._endpoints)

    def expect(self, priors: Mapping[str, float]) -> None:
        """Order endpoints without a sample of their own by these: name -> seconds. None of them counts as a sample."""
        with self._lock:
            for name, rtt_s in priors.items():
                if name in self._tracks and is_possible(rtt_s):
                    self._tracks[name].prior_s = rtt_s
            self._version += 1

    def known(self) -> dict[str, tuple[float, str]]:
        """The measured endpoints: name -> the estimate in seconds, and the site that last answered there."""
        with self._lock:
            tracks = ((endpoint.name, self._track(endpoint)) for endpoint in self._endpoints)
            found = ((name, track.rtt.estimate(), track.pop) for name, track in tracks)
            return {name: (rtt_s, pop) for name, rtt_s, pop in found if rtt_s is not None}

    def woke(self) -> None:
        """The machine slept, or is in another network: estimates are priors now, all are due, no connection is warm."""
        with self._lock:
            for track in list(self._tracks.values()):
                track.prior_s = track.rtt.estimate() or track.prior_s
                track.rtt = RttWindow()
                track.probe_at = track.answered_at = float("-inf")
            self._nothing_due_until = 0.0
            self._version += 1

    def after_fork(self) -> None:
        """In a forked child: a new lock; what was measured stays."""
        self._lock = threading.Lock()

    def _track(self, endpoint: Endpoint) -> _Track:
        track = self._tracks.get(endpoint.name)
        if track is None:  # a client's own origin, when it is a candidate
            track = self._tracks[endpoint.name] = _Track()
        return track

    def _rank(self, endpoint: Endpoint, configured: int, now: float) -> tuple[float, ...]:
        track = self._track(endpoint)
        if self._is_out(endpoint, now):
            return (4, track.health.failed_at, configured)
        if now < track.throttled_until:
            return (3, track.cost(now), configured)
        if track.rtt.estimate() is not None:
            return (0, track.cost(now), configured)
        if track.prior_s is not None:
            return (1, track.prior_s + track.cost(now), configured)
        return (2, track.cost(now), configured)

    def _is_out(self, endpoint: Endpoint, now: float) -> bool:
        """True while ejected, and then until a probe reached it where it could not be reached."""
        health = self._track(endpoint).health
        state = health.state(now)
        waits = self._probing and health.unreachable and endpoint is not ORIGIN  # nobody probes a client's origin
        return state is State.EJECTED or (state is State.PROBATION and waits)

    def _on_trial(self, endpoint: Endpoint, now: float) -> bool:
        return self._track(endpoint).health.state(now) is State.PROBATION

    def _keep_current(self, order: list[Endpoint], now: float) -> list[Endpoint]:
        """Hysteresis: what was first stays first unless the new first one is clearly nearer.

        One that is out, throttled or slow stays the current one, though others stand before it, and is first again as
        soon as it is well: a move that a failure forced is no choice.
        """
        group = tuple(sorted(endpoint.name for endpoint in order))
        current = next((e for e in order if e.name == self._current.get(group)), None)
        if order and current is not None and current is not order[0]:
            mine, best = self._rank(current, 0, now), self._rank(order[0], 0, now)
            margin = _margin(mine[1]) + self._opening(current, order[0], now)
            if mine[0] == best[0] == 0 and mine[1] - best[1] < margin:
                return [current, *(endpoint for endpoint in order if endpoint is not current)]
        if current is not None and current is not order[0] and self._is_unwell(current, now):
            return order
        measured = order and self._track(order[0]).rtt.estimate() is not None
        if measured and order[0] is not current and not self._on_trial(order[0], now):
            self._current[group] = order[0].name
        return order

    def _is_unwell(self, endpoint: Endpoint, now: float) -> bool:
        track = self._track(endpoint)
        slow = track.server.cost_at(now) > 0 or now < track.throttled_until
        return slow or track.health.state(now) is not State.READY

    def _opening(self, current: Endpoint, other: Endpoint, now: float) -> float:
        """What a move to the other costs because it has no warm connection, as the current one has."""
        warm_since = now - _WARM_S
        here, there = self._track(current), self._track(other)
        return _COLD * (there.rtt.estimate() or 0.0) if there.answered_at < warm_since <= here.answered_at else 0.0

    def _by_rtt(self) -> list[Endpoint]:
        return sorted(self._endpoints, key=lambda e: self._track(e).rtt.estimate() or 0.0)

    def _is_due(self, endpoint: Endpoint, place: int, now: float) -> bool:
        track = self._track(endpoint)
        if track.health.state(now) is State.PROBATION:
            return track.health.unreachable and track.health.trial_is_free(now)
        if track.health.state(now) is State.EJECTED or len(self._endpoints) < 2:
            return False
        silence = (_SILENT_S if place < _BEST else _SILENT_FAR_S) * track.jitter
        return now - max(track.rtt.last_at, track.probe_at) > silence

    def _status(self, endpoint: Endpoint, total: int, now: float) -> EndpointStatus:
        track = self._track(endpoint)
        estimate = track.rtt.estimate()
        return EndpointStatus(
            name=endpoint.name,
            url=endpoint.shown(),
            state=track.health.state(now).value,
            rtt_ms=None if estimate is None else estimate * 1e3,
            pop=track.pop,
            calls=track.calls,
            failures=track.failures,
            share=track.calls / total,
            server_ms=None if track.server.last_s is None else track.server.last_s * 1e3,
        )


def _margin(cost_s: float) -> float:
    """By how much another has to be better than the first one at this cost."""
    return max(_HYSTERESIS_S, _HYSTERESIS * cost_s)
