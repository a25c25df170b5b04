"""The choice between endpoints, for one edge: the nearest healthy one first, by measured RTT. Pure: time and chance come in.

Here the parts are joined, and locked: the order (`ordering`), what suits a single call better (`suiting`, `exploring`), what
attempts and probes say (`learning`, `looking`), and what is known of each endpoint (`tracks`).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence

from ..values import ORIGIN, Call, Endpoint, Outcome
from .affinity import worth_s
from .cold import Sleeper
from .exploring import explored
from .health import State
from .identity import Pop
from .learning import OPENING, Learning
from .looking import LOOK_AGAIN_S, Looking
from .ordering import Ordering, is_cold
from .rtt import RttWindow, is_possible
from .suiting import Suiting
from .track import EndpointStatus
from .tracks import Tracks

_PATIENCE_S = 0.5  # the least wait for a connection: a name may have to be looked up too


class Selector:
    """State and rules of the choice between endpoints. Thread-safe; never raises, never leaves a candidate out."""

    def __init__(
        self, endpoints: Sequence[Endpoint], rng: random.Random, *, probing: bool = True, by_answer: bool = False
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._tracks = Tracks(endpoints, looks=probing)
        self.recalling = False  # what others measured is on its way
        self._nothing_to_try = 0.0, 0  # until when, in this version of the tracks
        self._ordering = Ordering(endpoints, self._tracks)
        self._suiting = Suiting(self._tracks.of, rng, by_answer=by_answer)
        self._learning = Learning(self._tracks, self._suiting, rng)
        self._looking = Looking(self._endpoints, self._tracks, rng)
        self._lock = threading.Lock()

    @property
    def looks(self) -> bool:
        """True where probes may be begun."""
        return self._tracks.looks

    @looks.setter
    def looks(self, looks: bool) -> None:
        self._tracks.looks = looks

    def keep_models(self) -> None:
        """Learn how models start even where there is nothing to choose."""
        self._tracks.keeps_models = True

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> tuple[tuple[Endpoint, ...], tuple[Endpoint, ...]]:
        """All candidates in the order to try them: those to use, and those only for when nothing else is left.

        An endpoint in probation is among the first for one call at a time. `again`: the SDK retries this call, so that
        an endpoint whose last attempt failed is among the second. Callers that hand in the same sequence again are
        served from the order kept for it.
        """
        with self._lock:
            order = self._ordering.order(candidates, now, again)
            good, rest = order.good, order.rest
            if len(good) < 2:
                return good, rest
            if call is not None:
                good, rest = self._suiting.suit(good, rest, call, now)
            if not self._tracks.looks and not again and good and good[0] is order.good[0]:
                good = self._explored(good, now)
            return good, rest

    def _explored(self, good: tuple[Endpoint, ...], now: float) -> tuple[Endpoint, ...]:
        """Without probes: the order for a call that may look elsewhere."""
        if (
            now < self._nothing_to_try[0] and self._nothing_to_try[1] == self._tracks.version
        ) or self._ordering.on_trial(good[0], now):
            return good
        found = explored(good, self._tracks.of, now)
        if found is good:
            self._nothing_to_try = now + LOOK_AGAIN_S, self._tracks.version
        return found

    def origin_is_faster(self, good: Sequence[Endpoint], call: Call, now: float) -> bool:
        """True when the first of some PoPs has to start the model, and the client's own origin would have answered by then.

        It is known to serve the model when it has answered for it before.
        """
        with self._lock:
            track, origin = self._tracks.of(good[0]), self._tracks.get(ORIGIN.name)
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
        track = self._tracks.of(endpoint)
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
            first, other = self._tracks.of(endpoint), self._tracks.of(spare)
            rtt_s, server_s = first.rtt.estimate_s, first.server.unusual_s(call.model, call.streamed)
            well = other.health.state(now) is State.READY and now >= other.throttled_until
            if rtt_s is None or server_s is None or other.rtt.estimate_s is None or not well:
                return None
            return rtt_s * (OPENING if is_cold(first, now) else 1) + server_s

    def record(self, outcome: Outcome, now: float) -> None:
        """Learn from one attempt."""
        with self._lock:
            self._learning.take(outcome, now)

    def answered_at(
        self, endpoint: Endpoint, pop: Pop | None, call: Call, now: float, rtt_s: float | None = None
    ) -> bool:
        """Remember the site that answered, and where the conversation is. A refusal is that of a site, not of an endpoint.

        True when the connection that the answer came on, `rtt_s` long, leads to a farther site than the one before.
        """
        track, farther = self._tracks.of(endpoint), False
        if pop is not None and pop is not track.pop:
            if track.pop is not None and pop.code != track.pop.code and endpoint is not ORIGIN:  # it is of many clients
                track.refuses.clear()
                with self._lock:
                    farther = track.answers_from(pop, rtt_s, now)
                    self._tracks.version += 1
            track.pop = pop
        if worth_s(call.size):
            with self._lock:
                self._suiting.answered(endpoint, call, now)
        return farther

    def lost(self, candidates: Sequence[Endpoint]) -> bool:
        """True when nothing is known of any of these, so that their order is a guess."""
        tracks = [self._tracks.of(endpoint) for endpoint in candidates]
        return len(tracks) > 1 and all(track.rtt.estimate_s is None and track.prior_s is None for track in tracks)

    def due(self, now: float) -> list[Endpoint]:
        """The endpoints to probe now. They stay due until `probing` says that a probe of them has begun."""
        with self._lock:
            return self._looking.due(now)

    def probing(self, endpoints: Sequence[Endpoint], now: float) -> None:
        """A probe of these has begun: it is their turn's, and the trial of those in probation."""
        with self._lock:
            self._looking.probing(endpoints, now)

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None:
        """Learn from a probe. One that failed harms nobody but an endpoint that was ejected already."""
        with self._lock:
            self._looking.probed(endpoint, rtts_s, now, took_s)

    def nearest(self, candidates: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """Those of the candidates that calls could go to now, the nearest first. Changes nothing."""
        with self._lock:
            return self._ordering.nearest(candidates, now)

    def warmed(self, endpoint: Endpoint, rtt_s: float | None, now: float) -> None:
        """A request that is no call has been answered: the connection is warm, and it may have been measured."""
        with self._lock:
            track = self._tracks.of(endpoint)
            track.answered_at = now
            if rtt_s is not None:
                track.rtt.add(rtt_s, now)
                self._tracks.version += 1 if track.moved() else 0

    def sleeper(self, endpoint: Endpoint, model: str) -> Sleeper | None:
        """How a model sleeps there; None while it was not seen to."""
        with self._lock:
            return self._tracks.of(endpoint).cold.sleeper(model)

    def kept(self, endpoint: Endpoint, model: str, began: float, now: float, *, slow: bool) -> float | None:
        """A model was asked for next to nothing there: after which pause, as `Cold.kept`."""
        with self._lock:
            track = self._tracks.of(endpoint)
            track.answered_at = now
            return track.cold.kept(model, began, now, slow=slow)

    def status(self, now: float) -> tuple[EndpointStatus, ...]:
        """What is known of each endpoint, in the configured order."""
        with self._lock:
            total = sum(track.calls for track in self._tracks.values()) or 1
            return tuple(self._tracks.of(endpoint).status(endpoint, total, now) for endpoint in self._endpoints)

    def expect(self, priors: Mapping[str, float]) -> None:
        """Order endpoints without a sample of their own by these: name -> seconds. None of them counts as a sample."""
        with self._lock:
            for name, rtt_s in priors.items():
                if name in self._tracks and is_possible(rtt_s):
                    self._tracks[name].prior_s = rtt_s
            self._tracks.version += 1

    def known(self) -> dict[str, tuple[float, str]]:
        """The measured endpoints: name -> the estimate in seconds, and the site that last answered there."""
        with self._lock:
            tracks = ((endpoint.name, self._tracks.of(endpoint)) for endpoint in self._endpoints)
            found = ((name, track.rtt.estimate_s, track.pop) for name, track in tracks)
            return {name: (rtt_s, pop.code if pop else "") for name, rtt_s, pop in found if rtt_s is not None}

    def woke(self) -> None:
        """The machine slept, or is in another network: estimates are priors now, all are due, no connection is warm."""
        with self._lock:
            for track in list(self._tracks.values()):
                track.prior_s = track.rtt.estimate_s or track.prior_s
                track.rtt = RttWindow()
                track.answered_at = float("-inf")
            self._looking.all_due()
            self._tracks.version += 1

    def after_fork(self) -> None:
        """In a forked child: a new lock; what was measured stays."""
        self._lock = threading.Lock()
