"""Which endpoints are due for a probe, and what a probe says. Pure: time and chance come in as arguments."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..values import Endpoint, Failure
from .health import State
from .track import SILENT_FAR_S, SILENT_S
from .tracks import Tracks

LOOK_AGAIN_S = 1.0  # how long "nothing is due", or to be tried, is believed: it is asked before every call
_SILENT_JITTER = 0.2
_BEST = 4  # so many of the nearest are probed after the shorter silence


class Looking:
    """Whose turn it is to be probed. Its owner locks."""

    def __init__(self, endpoints: tuple[Endpoint, ...], tracks: Tracks, rng: random.Random) -> None:
        self._endpoints, self._tracks, self._rng = endpoints, tracks, rng
        self._nothing_due_until = 0.0

    def due(self, now: float) -> list[Endpoint]:
        """The endpoints to probe now. They stay due until `probing` says that a probe of them has begun."""
        if not self._tracks.looks or now < self._nothing_due_until:
            return []
        by_rtt = sorted(self._endpoints, key=lambda e: self._tracks.of(e).rtt.estimate_s or 0.0)
        due = [e for n, e in enumerate(by_rtt) if self._is_due(e, n, now)]
        if not due:
            self._nothing_due_until = now + LOOK_AGAIN_S
        return due

    def _is_due(self, endpoint: Endpoint, place: int, now: float) -> bool:
        track = self._tracks.of(endpoint)
        if track.health.state(now) is State.PROBATION:
            return track.health.unreachable and track.health.trial_is_free(now)
        if track.health.state(now) is State.EJECTED or len(self._endpoints) < 2:
            return False
        silence = min(SILENT_S if place < _BEST else SILENT_FAR_S, track.look_s) * track.jitter
        return now - max(track.rtt.last_at, track.probe_at) > silence

    def probing(self, endpoints: Sequence[Endpoint], now: float) -> None:
        """A probe of these has begun: it is their turn's, and the trial of those in probation."""
        for endpoint in endpoints:
            track = self._tracks.of(endpoint)
            track.probe_at, track.jitter = now, self._rng.uniform(1 - _SILENT_JITTER, 1 + _SILENT_JITTER)
            track.look_s = track.look_s * 2 if track.look_s < SILENT_S else float("inf")
            if track.health.state(now) is State.PROBATION:
                track.health.take_trial(now)
                self._tracks.version += 1

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        """Learn from a probe. One that failed harms nobody but an endpoint that was ejected already."""
        self._tracks.version += 1
        track = self._tracks.of(endpoint)
        for rtt_s in rtts_s:
            track.rtt.add(rtt_s, now)
        if track.health.state(now) is State.READY or not track.health.unreachable:
            return
        if rtts_s:
            track.health.reached(now - took_s, now)
        else:
            track.health.failed(Failure.CONNECT, now - took_s, now, self._rng)

    def all_due(self) -> None:
        """What was measured is of another place, or time: look again at once."""
        for track in self._tracks.values():
            track.probe_at = float("-inf")
        self._nothing_due_until = 0.0
