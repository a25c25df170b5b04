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
from .affinity import worth_s
from .exploring import explored, missed
from .health import State
from .identity import Pop
from .rtt import HYSTERESIS, HYSTERESIS_S, RttWindow, is_possible, margin
from .suiting import LONG_UPLOAD, Suiting
from .track import SILENT_FAR_S, SILENT_S, EndpointStatus, Track

_COLD = 0.25  # of the RTT: opening a connection costs two or three of them, once
_OPENING = 3  # round trips to the answer on a new connection: TCP and TLS 1.3 take one each
_WARM_S = 50.0  # servers close idle connections after a minute or so
_THROTTLED_S = 5.0  # after a 429 that names no time
_LONGEST_THROTTLED_S = 300.0
_QUOTA_S = 86_400.0  # a quota may be used up for the rest of the day
_SPARED = (Failure.THROTTLED, Failure.QUOTA, Failure.CAPACITY, Failure.COLD)  # behind the others for a while, and well
_SILENT_JITTER = 0.2
_PATIENCE_S = 0.5  # the least wait for a connection: a name may have to be looked up too
_LEFT_S = 60.0  # the endpoint that was left for a nearer one is looked at after this, and after twice as long each time
_LOOK_AGAIN_S = 1.0  # how long "nothing is due", or to be tried, is believed: it is asked before every call
_BEST = 4  # so many of the nearest are probed after the shorter silence
_ORDERS = 256  # kept orders, one for each set of candidates


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

    def __init__(
        self, endpoints: Sequence[Endpoint], rng: random.Random, *, probing: bool = True, by_answer: bool = False
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._tracks = {endpoint.name: Track() for endpoint in endpoints}
        self._rng = rng
        self.looks = probing  # probes may be begun
        self.recalling = False  # what others measured is on its way
        self._current: dict[tuple[str, ...], str] = {}  # the first of a set
        self._orders: dict[int, _Order] = {}
        self._version = 0  # of everything that orders rest on
        self._nothing_due_until = 0.0
        self._nothing_to_try = 0.0, 0  # until when, in this version
        self._weighted = any(endpoint.weight != 1.0 for endpoint in endpoints)
        self._suiting = Suiting(self._track, rng, by_answer=by_answer)
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
            good, rest = order.good, order.rest
            if len(good) < 2:
                return good, rest
            if call is not None:
                good, rest = self._suiting.suit(good, rest, call, now)
            if not self.looks and not again and good and good[0] is order.good[0]:
                good = self._explored(good, now)
            return good, rest

    def _ordered(self, candidates: Sequence[Endpoint], now: float, again: bool) -> _Order:
        numbered = sorted(enumerate(candidates), key=lambda numbered: self._rank(numbered[1], numbered[0], now))
        ranked = [endpoint for _, endpoint in numbered]
        order = self._keep_current(self._heaviest_first(ranked, now) if self._weighted else ranked, now)
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
            track.ranked_s = track.rtt.estimate_s
        if len(order.good) > 1:
            first, second = self._track(order.good[0]), self._track(order.good[1])
            first.leads = True
            other_s, first_s = second.cost(now), first.cost(now)
            far_s = max(other_s + HYSTERESIS_S, other_s / (1 - HYSTERESIS))
            first.leaves_above = min(first.leaves_above, far_s - first.server.cost_at(now))
            near_s = first_s - margin(first_s)
            for endpoint in order.good[1:]:
                track = self._track(endpoint)
                track.moves_below = max(track.moves_below, near_s - track.server.cost_at(now))

    def _settled_until(self, endpoint: Endpoint, now: float) -> float:
        """When this endpoint's place changes by itself; now, while it is in probation."""
        track = self._track(endpoint)
        times = [t for t in (track.throttled_until, track.server.until, track.health.ejected_until) if t > now]
        return now if self._on_trial(endpoint, now) else min(times, default=float("inf"))

    def _explored(self, good: tuple[Endpoint, ...], now: float) -> tuple[Endpoint, ...]:
        """Without probes: the order for a call that may look elsewhere."""
        if (now < self._nothing_to_try[0] and self._nothing_to_try[1] == self._version) or self._on_trial(good[0], now):
            return good
        found = explored(good, self._track, now)
        if found is good:
            self._nothing_to_try = now + _LOOK_AGAIN_S, self._version
        return found

    def _heaviest_first(self, ranked: list[Endpoint], now: float) -> list[Endpoint]:
        """Of those that are as near as the first one, the heaviest goes to the front."""
        group, best_s, _ = self._rank(ranked[0], 0, now)
        near = [
            e
            for e in ranked
            if self._rank(e, 0, now)[0] == group and self._track(e).cost(now) < best_s + margin(best_s)
        ]
        heaviest = max(near, key=lambda e: e.weight, default=ranked[0])
        return [heaviest, *[e for e in ranked if e is not heaviest]]

    def origin_is_faster(self, good: Sequence[Endpoint], call: Call, now: float) -> bool:
        """True when the first of some PoPs has to start the model, and the client's own origin would have answered by then.

        It is known to serve the model when it has answered for it before.
        """
        with self._lock:
            track, origin = self._track(good[0]), self._tracks.get(ORIGIN.name)
            start_s = track.cold.expected_s(call.model, now)
            if not start_s or origin is None or origin.health.state(now) is not State.READY:
                return False
            here_s = track.server.usual_s(call.model, call.streamed)
            there_s = origin.server.usual_s(call.model, call.streamed)
            if here_s is None or there_s is None:
                return False
            return origin.cost(now) + there_s < track.cost(now) + here_s + start_s

    def patience_s(self, endpoint: Endpoint, longest_s: float) -> float:
        """How long to wait for a connection to an endpoint while another one is left.

        Some round trips, so that a dead one costs little; twice as long each time that it was not enough.
        """
        track = self._track(endpoint)
        if track.trial_s is not None:
            return min(longest_s, track.trial_s)
        rtt_s = track.rtt.estimate_s
        if rtt_s is None:
            return longest_s
        return min(longest_s, max(_PATIENCE_S, 3 * rtt_s + 0.1) * 2.0**track.impatient)

    def hedge_after_s(self, endpoint: Endpoint, spare: Endpoint, call: Call, now: float) -> float | None:
        """After how many seconds a call to an endpoint takes longer than 19 of 20 do.

        None while too little is known of it, or when the spare is nothing to fall back on.
        """
        with self._lock:
            first, other = self._track(endpoint), self._track(spare)
            rtt_s, server_s = first.rtt.estimate_s, first.server.unusual_s(call.model, call.streamed)
            well = other.health.state(now) is State.READY and now >= other.throttled_until
            if rtt_s is None or server_s is None or other.rtt.estimate_s is None or not well:
                return None
            cold = first.answered_at < now - _WARM_S
            return rtt_s * (_OPENING if cold else 1) + server_s

    def record(self, outcome: Outcome, now: float) -> None:
        """Learn from one attempt."""
        with self._lock:
            track = self._track(outcome.endpoint)
            began = now - outcome.took_s
            if track.trial_s is not None and missed(track, outcome.failure):
                self._version += 1
                return
            if outcome.rtt_s is not None and outcome.sent_bytes < LONG_UPLOAD:
                track.rtt.add(outcome.rtt_s, now)
            if outcome.upload_bytes_s:
                track.upload_bytes_s = outcome.upload_bytes_s
            if outcome.retry_after_s is not None or outcome.failure in _SPARED:
                quota = outcome.failure is Failure.QUOTA
                self._throttle(track, outcome.retry_after_s, now, _QUOTA_S if quota else _LONGEST_THROTTLED_S)
            if outcome.failure is None:
                self._answered(track, outcome, began, now)
                return
            track.failures += 1
            track.last_failure, track.last_failure_at = outcome.failure, now
            self._version += 1
            if outcome.failure is Failure.CONNECT_TIMEOUT:
                track.impatient = min(track.impatient + 1, 8)
            not_this_model = outcome.failure in (Failure.REGION, Failure.MODEL_MISSING)
            if not_this_model and outcome.call is not None:
                self._suiting.refused(track, outcome.call.model, now)
            if outcome.failure is Failure.COLD and outcome.call is not None:
                track.cold.starting(outcome.call.model, outcome.retry_after_s, now)
            if not_this_model or outcome.failure in _SPARED:
                track.health.give_trial_back()
            else:
                track.health.failed(outcome.failure, began, now, self._rng)

    def _answered(self, track: Track, outcome: Outcome, began: float, now: float) -> None:
        track.calls += 1
        track.answered_at = now
        if outcome.cold:
            track.impatient = 0
        if track.health.suspect:
            track.health.succeeded(began, now)
            self._version += 1
        costs = track.server.cost_s
        call, rtt_s = outcome.call, track.rtt.estimate_s
        if call is not None and rtt_s is not None and len(self._tracks) > 1:  # alone it is taken, slow or not
            path_s = rtt_s * (_OPENING if outcome.cold else 1)
            self._took(track, outcome.took_s - path_s - (outcome.processing_s or 0.0), call, began, now)
        if track.server.cost_s != costs or track.moved():
            self._version += 1

    def _took(self, track: Track, server_s: float, call: Call, began: float, now: float) -> None:
        central = call.route is not Route.INFERENCE
        if not central:
            usual_s = track.server.usual_s(call.model, call.streamed)
            track.cold.answered(call.model, server_s, usual_s, began, now)
        track.server.add(server_s, call.model, call.streamed, now, central=central)

    def _throttle(self, track: Track, pause_s: float | None, now: float, longest_s: float) -> None:
        pause_s = _THROTTLED_S if pause_s is None else min(pause_s, longest_s)
        track.throttled_until = max(track.throttled_until, now + pause_s)
        self._version += 1

    def answered_at(
        self, endpoint: Endpoint, pop: Pop | None, call: Call, now: float, rtt_s: float | None = None
    ) -> bool:
        """Remember the site that answered, and where the conversation is. A refusal is that of a site, not of an endpoint.

        True when the connection that the answer came on, `rtt_s` long, leads to a farther site than the one before.
        """
        track, farther = self._track(endpoint), False
        if pop is not None and pop is not track.pop:
            if track.pop is not None and pop.code != track.pop.code and endpoint is not ORIGIN:  # it is of many clients
                track.refuses.clear()
                with self._lock:
                    farther = track.answers_from(pop, rtt_s, now)
                    self._version += 1
            track.pop = pop
        if worth_s(call.size):
            with self._lock:
                self._suiting.answered(endpoint, call, now)
        return farther

    def lost(self, candidates: Sequence[Endpoint]) -> bool:
        """True when nothing is known of any of these, so that their order is a guess."""
        tracks = [self._track(endpoint) for endpoint in candidates]
        return len(tracks) > 1 and all(track.rtt.estimate_s is None and track.prior_s is None for track in tracks)

    def due(self, now: float) -> list[Endpoint]:
        """The endpoints to probe now. They stay due until `probing` says that a probe of them has begun."""
        with self._lock:
            if not self.looks or now < self._nothing_due_until:
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
                track.look_s = track.look_s * 2 if track.look_s < SILENT_S else float("inf")
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
                track.health.reached(now - took_s, now)
            else:
                track.health.failed(Failure.CONNECT, now - took_s, now, self._rng)

    def nearest(self, candidates: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Those of the candidates that calls could go to now, the nearest first. Changes nothing."""
        with self._lock:
            ranked = sorted((self._rank(e, n, now), n) for n, e in enumerate(candidates) if not self._on_trial(e, now))
            return [candidates[n] for rank, n in ranked if rank[0] < 3]

    def warmed(self, endpoint: Endpoint, rtt_s: float | None, now: float) -> None:
        """A request that is no call has been answered: the connection is warm, and it may have been measured."""
        with self._lock:
            track = self._track(endpoint)
            track.answered_at = now
            if rtt_s is not None:
                track.rtt.add(rtt_s, now)
                self._version += 1 if track.moved() else 0

    def status(self, now: float) -> tuple[EndpointStatus, ...]:
        """What is known of each endpoint, in the configured order."""
        with self._lock:
            total = sum(track.calls for track in self._tracks.values()) or 1
            return tuple(self._track(endpoint).status(endpoint, total, now) for endpoint in self._endpoints)

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
            found = ((name, track.rtt.estimate_s, track.pop) for name, track in tracks)
            return {name: (rtt_s, pop.code if pop else "") for name, rtt_s, pop in found if rtt_s is not None}

    def woke(self) -> None:
        """The machine slept, or is in another network: estimates are priors now, all are due, no connection is warm."""
        with self._lock:
            for track in list(self._tracks.values()):
                track.prior_s = track.rtt.estimate_s or track.prior_s
                track.rtt = RttWindow()
                track.probe_at = track.answered_at = float("-inf")
            self._nothing_due_until = 0.0
            self._version += 1

    def after_fork(self) -> None:
        """In a forked child: a new lock; what was measured stays."""
        self._lock = threading.Lock()

    def _track(self, endpoint: Endpoint) -> Track:
        track = self._tracks.get(endpoint.name)
        if track is None:  # a client's own origin, when it is a candidate
            track = self._tracks[endpoint.name] = Track()
        return track

    def _rank(self, endpoint: Endpoint, configured: int, now: float) -> tuple[float, ...]:
        track = self._track(endpoint)
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
        health = self._track(endpoint).health
        state = health.state(now)
        waits = self.looks and health.unreachable and endpoint is not ORIGIN  # nobody probes a client's origin
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
            least_s = margin(mine[1]) + self._opening(current, order[0], now)
            if mine[0] == best[0] == 0 and mine[1] - best[1] < least_s and current.weight >= order[0].weight:
                return [current, *(endpoint for endpoint in order if endpoint is not current)]
        if current is not None and current is not order[0] and self._is_unwell(current, now):
            return order
        measured = order and self._track(order[0]).rtt.estimate_s is not None
        if measured and order[0] is not current and not self._on_trial(order[0], now):
            self._current[group] = order[0].name
            if current is not None:
                self._track(current).look_s = _LEFT_S
        return order

    def _is_unwell(self, endpoint: Endpoint, now: float) -> bool:
        track = self._track(endpoint)
        slow = track.server.cost_at(now) > 0 or now < track.throttled_until
        return slow or track.health.state(now) is not State.READY

    def _opening(self, current: Endpoint, other: Endpoint, now: float) -> float:
        """What a move to the other costs because it has no warm connection, as the current one has."""
        warm_since = now - _WARM_S
        here, there = self._track(current), self._track(other)
        return _COLD * (there.rtt.estimate_s or 0.0) if there.answered_at < warm_since <= here.answered_at else 0.0

    def _by_rtt(self) -> list[Endpoint]:
        return sorted(self._endpoints, key=lambda e: self._track(e).rtt.estimate_s or 0.0)

    def _is_due(self, endpoint: Endpoint, place: int, now: float) -> bool:
        track = self._track(endpoint)
        if track.health.state(now) is State.PROBATION:
            return track.health.unreachable and track.health.trial_is_free(now)
        if track.health.state(now) is State.EJECTED or len(self._endpoints) < 2:
            return False
        silence = min(SILENT_S if place < _BEST else SILENT_FAR_S, track.look_s) * track.jitter
        return now - max(track.rtt.last_at, track.probe_at) > silence
