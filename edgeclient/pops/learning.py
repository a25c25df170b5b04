"""What one attempt says about its endpoint: its path, its server, its health. Pure: time and chance come in as arguments."""

from __future__ import annotations

import random

from ..values import Call, Failure, Outcome, Route
from .exploring import missed
from .suiting import LONG_UPLOAD, Suiting
from .track import Track
from .tracks import Tracks

OPENING = 3  # round trips to the answer on a new connection: TCP and TLS 1.3 take one each
_THROTTLED_S = 5.0  # after a 429 that names no time
_LONGEST_THROTTLED_S = 300.0
_QUOTA_S = 86_400.0  # a quota may be used up for the rest of the day
_SPARED = (Failure.THROTTLED, Failure.QUOTA, Failure.CAPACITY, Failure.COLD)  # behind the others for a while, and well


class Learning:
    """Takes outcomes to the tracks. Its owner locks."""

    def __init__(self, tracks: Tracks, suiting: Suiting, rng: random.Random) -> None:
        self._tracks, self._suiting, self._rng = tracks, suiting, rng

    def take(self, outcome: Outcome, now: float) -> None:
        """Learn from one attempt."""
        track = self._tracks.of(outcome.endpoint)
        if track.trial_s is not None and missed(track, outcome.failure):
            self._tracks.version += 1
            return
        if outcome.rtt_s is not None and outcome.sent_bytes < LONG_UPLOAD:
            track.rtt.add(outcome.rtt_s, now)
        if outcome.upload_bytes_s:
            track.upload_bytes_s = outcome.upload_bytes_s
        if outcome.retry_after_s is not None or outcome.failure in _SPARED:
            quota = outcome.failure is Failure.QUOTA
            self._throttle(track, outcome.retry_after_s, now, _QUOTA_S if quota else _LONGEST_THROTTLED_S)
        if outcome.failure is None:
            self._answered(track, outcome, now)
        else:
            self._failed(track, outcome, outcome.failure, now)

    def _failed(self, track: Track, outcome: Outcome, failure: Failure, now: float) -> None:
        track.failures += 1
        track.last_failure, track.last_failure_at = failure, now
        self._tracks.version += 1
        if failure is Failure.CONNECT_TIMEOUT:
            track.impatient = min(track.impatient + 1, 8)
        not_this_model = failure in (Failure.REGION, Failure.MODEL_MISSING)
        if not_this_model and outcome.call is not None:
            self._suiting.refused(track, outcome.call.model, now)
        if failure is Failure.COLD and outcome.call is not None:
            track.cold.starting(outcome.call.model, outcome.retry_after_s, now)
        if not_this_model or failure in _SPARED:
            track.health.give_trial_back()
        else:
            track.health.failed(failure, now - outcome.took_s, now, self._rng)

    def _answered(self, track: Track, outcome: Outcome, now: float) -> None:
        track.calls += 1
        track.answered_at = now
        if outcome.cold:
            track.impatient = 0
        if track.health.suspect:
            track.health.succeeded(now - outcome.took_s, now)
            self._tracks.version += 1
        costs = track.server.cost_s
        call, rtt_s = outcome.call, track.rtt.estimate_s
        chooses = len(self._tracks) > 1 or self._tracks.keeps_models  # alone it is taken, slow or not
        if call is not None and rtt_s is not None and chooses:
            path_s = rtt_s * (OPENING if outcome.cold else 1)
            server_s = outcome.took_s - path_s - (outcome.processing_s or 0.0)
            self._took(track, server_s, call, now - outcome.took_s, now)
        if track.server.cost_s != costs or track.moved():
            self._tracks.version += 1

    def _took(self, track: Track, server_s: float, call: Call, began: float, now: float) -> None:
        central = call.route is not Route.INFERENCE
        if not central:
            usual_s = track.server.usual_s(call.model, call.streamed)
            track.cold.answered(call.model, server_s, usual_s, began, now)
        track.server.add(server_s, call.model, call.streamed, now, central=central)

    def _throttle(self, track: Track, pause_s: float | None, now: float, longest_s: float) -> None:
        pause_s = _THROTTLED_S if pause_s is None else min(pause_s, longest_s)
        track.throttled_until = max(track.throttled_until, now + pause_s)
        self._tracks.version += 1
