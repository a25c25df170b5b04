"""What suits one call better than the order for all: less load, a quicker model or upload, a warm prompt cache. Pure.

The order is the selector's; here single calls depart from it. The selector holds its lock while this runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from ..values import ORIGIN, Call, Endpoint, Route
from .affinity import Affinity, worth_s
from .quickness import Quickness
from .rtt import HYSTERESIS_S, margin
from .track import Track

LONG_UPLOAD = 64 * 2**10  # bytes; from here on the time to send them counts
_LOAD_MEMORY_S = 3.0  # for so long a slow answer of a model at the PoP says that the PoP is busy
_REFUSED_S, _REFUSED_MODELS = (
    3600.0,
    64,
)  # where a PoP's addresses belong to, and which models are there, changes rarely

Endpoints = tuple[Endpoint, ...]


class Suiting:
    """The departures from the order, and what they rest on beside the tracks."""

    def __init__(self, track: Callable[[Endpoint], Track], rng: random.Random, *, by_answer: bool = False) -> None:
        self._track, self._rng = track, rng
        self._quickness = Quickness(track) if by_answer else None
        self._affinity = Affinity()
        self._refusals = False  # some endpoint has refused a model

    def suit(self, good: Endpoints, rest: Endpoints, call: Call, now: float) -> tuple[Endpoints, Endpoints]:
        """The endpoints to use and those for when nothing else is left, for this call."""
        if call.route is Route.INFERENCE:
            good = self._awake(self._shared(good, now), call.model, now)
            if self._quickness is not None:
                good = self._quickness.order(good, call, now)
        if call.size >= LONG_UPLOAD:
            good = self._by_upload(good, call.size, now)
        if worth_s(call.size):
            good = self._affine(good, call, now)
        return self._admitting(good, rest, call.model, now) if self._refusals else (good, rest)

    def answered(self, endpoint: Endpoint, call: Call, now: float) -> None:
        """An endpoint answered: there the conversation is."""
        self._affinity.keep(call.opening, call.size, endpoint.name, now)

    def refused(self, track: Track, model: str, now: float) -> None:
        """An endpoint does not have a model, or may not serve it from where it is."""
        if len(track.refuses) >= _REFUSED_MODELS:
            track.refuses.clear()
        track.refuses[model] = now + _REFUSED_S
        self._refusals = True

    def _shared(self, good: Endpoints, now: float) -> Endpoints:
        """The order for a model at the PoP: while the first looks busy, the less busy of it and another chosen at random.

        Its own past says what is busy. One client that always moved to the second best would take its load there whole,
        and so would everybody else.
        """
        first = good[0]
        mine = self._load(first, now)
        slack = mine - self._track(first).cost(now)
        reach = mine - margin(mine)
        if slack <= HYSTERESIS_S:
            return good
        others = [e for e in good[1:] if self._track(e).rtt.estimate_s is not None and self._track(e).cost(now) < reach]
        if not others:
            return good
        other = self._rng.choice(others)
        if self._load(other, now) >= reach:
            return good
        return (other, *[e for e in good if e is not other])

    def _awake(self, good: Endpoints, model: str, now: float) -> Endpoints:
        """The order for a model at the PoP: what starting it is expected to cost counts like a longer way."""
        start_s = self._track(good[0]).cold.expected_s(model, now)
        if not start_s:
            return good

        def costs(endpoint: Endpoint) -> float:
            track = self._track(endpoint)
            return track.cost(now) + track.cold.expected_s(model, now)

        best = min((e for e in good if self._track(e).rtt.estimate_s is not None), key=costs, default=good[0])
        return good if best is good[0] else (best, *[e for e in good if e is not best])

    def _by_upload(self, good: Endpoints, size: int, now: float) -> Endpoints:
        """The order for a long request: the time to send it counts. Who has not shown its rate is taken for the fastest."""
        rates = [rate for e in good if (rate := self._track(e).upload_bytes_s)]
        if not rates:
            return good

        def takes_s(endpoint: Endpoint) -> float:
            track = self._track(endpoint)
            return track.cost(now) + size / (track.upload_bytes_s or max(rates))

        best = min((e for e in good if self._track(e).rtt.estimate_s is not None), key=takes_s, default=good[0])
        mine_s = takes_s(good[0])
        return good if mine_s - takes_s(best) < margin(mine_s) else (best, *[e for e in good if e is not best])

    def _affine(self, good: Endpoints, call: Call, now: float) -> Endpoints:
        """A conversation stays where its beginning is in the prompt cache, unless moving gains more than that is worth.

        Where two endpoints pass the caller's own key on, the cache is that of its account, and the same behind both.
        """
        name = self._affinity.of(call.opening, now)
        last = next((e for e in good if e.name == name), None) if name else None
        if last is None or last is good[0] or (_passes(last) and _passes(good[0])):
            return good
        loses_s = self._track(last).cost(now) - self._track(good[0]).cost(now)
        return good if loses_s > worth_s(call.size) else (last, *[e for e in good if e is not last])

    def _admitting(self, good: Endpoints, rest: Endpoints, model: str, now: float) -> tuple[Endpoints, Endpoints]:
        """Those that do not have this model, or refused it from where they are, go behind all others."""
        refusing = [e for e in good if now < self._track(e).refuses.get(model, 0.0)]
        return tuple([e for e in good if e not in refusing]), (*rest, *refusing)

    def _load(self, endpoint: Endpoint, now: float) -> float:
        track = self._track(endpoint)
        return track.cost(now) + track.server.excess_at(now, _LOAD_MEMORY_S)


def _passes(endpoint: Endpoint) -> bool:
    """True when the caller's own key goes there."""
    return endpoint is ORIGIN or bool(getattr(endpoint.key, "passes_through", False))
