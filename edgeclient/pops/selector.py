"""Orders endpoints: the nearest healthy one first, by measured RTT. Pure: time and chance come in as arguments.

The order: ready endpoints by estimated RTT, those not measured yet behind them, deprioritised ones (429) next, ejected
ones last, the least recently failed first. The current one is kept unless another is better by max(5 ms, 10 %).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from ..values import ORIGIN, Call, Endpoint, Failure, Outcome
from .health import Health, State
from .rtt import RttWindow

_HYSTERESIS_S, _HYSTERESIS = 0.005, 0.10
_THROTTLED_S = 5.0  # after a 429 that names no time
_LONGEST_THROTTLED_S = 300.0
_SILENT_S, _SILENT_FAR_S, _SILENT_JITTER = 300.0, 1800.0, 0.2
_LOOK_AGAIN_S = 1.0  # how long "nothing is due" is believed: it is asked before every call
_BEST = 4  # so many of the nearest are probed after the shorter silence


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


class _Track:
    """What is known of one endpoint, while it runs."""

    __slots__ = ("calls", "failures", "health", "jitter", "pending", "pop", "probe_at", "rtt", "throttled_until")

    def __init__(self) -> None:
        self.rtt = RttWindow()
        self.health = Health()
        self.throttled_until = 0.0
        self.probe_at = float("-inf")
        self.jitter = 1.0  # of the silence before the next probe
        self.calls = self.failures = self.pending = 0
        self.pop = ""


class Selector:
    """State and rules of the choice between endpoints. Thread-safe; never raises, never leaves a candidate out."""

    def __init__(self, endpoints: Sequence[Endpoint], rng: random.Random, *, probing: bool = True) -> None:
        self._endpoints = tuple(endpoints)
        self._tracks = {endpoint.name: _Track() for endpoint in endpoints}
        self._rng, self._probing = rng, probing
        self._current: dict[tuple[str, ...], str] = {}
        self._nothing_due_until = 0.0
        self._lock = threading.Lock()

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> tuple[list[Endpoint], list[Endpoint]]:
        """All candidates in the order to try them: those to use, and those only for when nothing else is left.

        An endpoint in probation is among the first for one call at a time. `again`: the SDK retries this call, so that
        an endpoint whose last attempt failed is among the second.
        """
        with self._lock:
            if len(candidates) == 1 and self._track(candidates[0]).health.state(now) is State.READY and not again:
                return [*candidates], []
            ranked = sorted(enumerate(candidates), key=lambda numbered: self._rank(numbered[1], numbered[0], now))
            order = self._keep_current([endpoint for _, endpoint in ranked], now)
            spared = {e.name for e in order if self._is_out(e, now) or (again and self._track(e).health.suspect)}
            good = [e for e in order if e.name not in spared]
            for endpoint in good:  # a trial is for one call, and for one that needs no other endpoint before it
                if self._on_trial(endpoint, now) and not (
                    endpoint is good[0] and self._track(endpoint).health.take_trial(now)
                ):
                    spared.add(endpoint.name)
            return [e for e in order if e.name not in spared], [e for e in order if e.name in spared]

    def starting(self, endpoint: Endpoint) -> None:
        """An attempt is under way; `ended` follows, whatever becomes of it."""
        with self._lock:
            self._track(endpoint).pending += 1

    def ended(self, endpoint: Endpoint) -> None:
        with self._lock:
            self._track(endpoint).pending -= 1

    def record(self, outcome: Outcome, now: float) -> None:
        """Learn from one attempt."""
        with self._lock:
            track = self._track(outcome.endpoint)
            began = now - outcome.took_s
            if outcome.rtt_s is not None:
                track.rtt.add(outcome.rtt_s, now)
            if outcome.failure is None:
                track.calls += 1
                track.health.succeeded(began)
                return
            track.failures += 1
            if outcome.failure is Failure.THROTTLED:
                pause = _THROTTLED_S if outcome.retry_after_s is None else outcome.retry_after_s
                track.health.give_trial_back()
                track.throttled_until = max(track.throttled_until, now + min(pause, _LONGEST_THROTTLED_S))
            else:
                track.health.failed(outcome.failure, began, now, self._rng)

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

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        """Learn from a probe. One that failed harms nobody but an endpoint that was ejected already."""
        with self._lock:
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
            return (3, track.health.failed_at, configured)
        estimate = track.rtt.estimate()
        group = 2 if now < track.throttled_until else 1 if estimate is None else 0
        return (group, 0.0 if estimate is None else estimate, configured)

    def _is_out(self, endpoint: Endpoint, now: float) -> bool:
        """True while ejected, and then until a probe reached it where it could not be reached."""
        health = self._track(endpoint).health
        state = health.state(now)
        waits = self._probing and health.unreachable and endpoint is not ORIGIN  # nobody probes a client's origin
        return state is State.EJECTED or (state is State.PROBATION and waits)

    def _on_trial(self, endpoint: Endpoint, now: float) -> bool:
        return self._track(endpoint).health.state(now) is State.PROBATION

    def _keep_current(self, order: list[Endpoint], now: float) -> list[Endpoint]:
        """Hysteresis: what was first stays first unless the new first one is clearly nearer, or it is not ready."""
        group = tuple(sorted(endpoint.name for endpoint in order))
        current = next((e for e in order if e.name == self._current.get(group)), None)
        if order and current is not None and current is not order[0]:
            mine, best = self._rank(current, 0, now), self._rank(order[0], 0, now)
            margin = max(_HYSTERESIS_S, _HYSTERESIS * mine[1])
            if mine[0] == best[0] == 0 and mine[1] - best[1] < margin:
                return [current, *(endpoint for endpoint in order if endpoint is not current)]
        if order and not self._on_trial(order[0], now):
            self._current[group] = order[0].name
        return order

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
        )
