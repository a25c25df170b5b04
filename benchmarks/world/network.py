"""The world as a network: what becomes of an attempt that a client makes now. One state of the PoPs for all clients.

The draws of a request belong to the request, not to the rule that serves it: every rule meets the same luck.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import NamedTuple

from edgeclient.cache.flights import Flight
from edgeclient.values import Call, Endpoint, Failure, Reply

from .data import Paths
from .weather import Weather

_IDLE_S = 55.0  # after which PoPs close connections
_NOTICED_S, _NOTICED_FAST_S = 3.0, 0.6  # a warm connection whose path is dead
_POP_S, _CENTRAL_POP_S = 0.080, 0.008  # a small model's time at the PoP; a gateway's
_OTHER_POP_S = 0.450  # the same at the PoPs of the slower of two products: without accelerators, say
_ASLEEP_S, _WAKING_S = 600.0, 1.5  # a PoP that served no inference for so long starts its model again
_RETRANSMITTED = 0.004


@dataclass(slots=True)
class Asked:
    """One request of a client, with its luck: numbers between 0 and 1."""

    client: int
    at: float
    central_s: float  # the central model's own time
    luck: tuple[float, ...]
    took_s: float = math.inf  # until its answer; infinite when it was lost
    tried: list[int] = field(default_factory=list)
    first_failed: bool = False

    def draw(self, which: int, pop: int) -> float:
        """A number of this request for a PoP: as good as independent of its others."""
        return (self.luck[which] + 0.6180339887 * (pop + 1)) % 1.0


class Pop:
    """The slots of one PoP that run its model."""

    def __init__(self, slots: int) -> None:
        self.free_at = [0.0] * slots
        self.used_at = 0.0

    def wait_s(self, now: float) -> float:
        return max(0.0, self.free_at[0] - now)

    def take(self, now: float, service_s: float) -> float:
        """The time until it is done."""
        begun = max(now, self.free_at[0])
        heapq.heapreplace(self.free_at, begun + service_s)
        self.used_at = now
        return begun + service_s - now


class Site:
    """Everything that the clients of one run share."""

    def __init__(self, paths: Paths, weather: Weather, *, inference: bool, products: bool = False) -> None:
        self.paths, self.weather, self.inference = paths, weather, inference
        self.model_s = [_OTHER_POP_S if products and p % 2 else _POP_S for p in range(paths.pops)]
        self.pops = [Pop(3 + p * 5 % 6) for p in range(paths.pops)]

    def own_s(self, asked: Asked, pop: int, now: float) -> float:
        """The time that a PoP itself takes for a request, without its queue."""
        slower, _ = self.weather.slowness(pop, now)
        spread = math.exp(0.25 * _normal(asked.draw(1, pop)))
        if not self.inference:
            return _CENTRAL_POP_S * slower * spread + self.paths.leg_s[pop] + asked.central_s
        return self.model_s[pop] * slower * spread + self.waking_s(pop, now)

    def usual_s(self, pop: int, now: float) -> float:
        """The same without luck and slowness."""
        if not self.inference:
            return _CENTRAL_POP_S + self.paths.leg_s[pop]
        return self.model_s[pop] + self.waking_s(pop, now)

    def waking_s(self, pop: int, now: float) -> float:
        return _WAKING_S if now - self.pops[pop].used_at > _ASLEEP_S else 0.0


class View:
    """The network of one client; an edgeclient `runtime.virtual.Network`."""

    def __init__(self, site: Site, client: int, *, fast: bool) -> None:
        self.site, self.client = site, client
        self.patience_s = math.inf  # of the caller, for a connection
        self.noticed_s = _NOTICED_FAST_S if fast else _NOTICED_S
        self.used_at: dict[int, float] = {}
        self.asked: dict[int, Asked] = {}  # by the identity of their calls
        self.probes = 0
        self.first_look = Flight("")
        self._known: set[int] = set()

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        asked, pop = self.asked[id(call)], int(endpoint.name)
        asked.tried.append(pop)
        after_s, what = self._answer(asked, pop, now)
        if len(asked.tried) == 1 and (isinstance(what, Failure) or what.status != 200):
            asked.first_failed = True
        return after_s, what

    def _answer(self, asked: Asked, pop: int, now: float) -> tuple[float, Reply | Failure]:
        site = self.site
        fault = site.weather.fault(self.client, pop, now)
        rtt_s, cold = self.round_trip_s(asked, pop, now), self.is_cold(pop, now)
        if fault == "swallow":
            self.used_at.pop(pop, None)
            return (math.inf, Failure.CONNECT_TIMEOUT) if cold else (self.noticed_s, Failure.UNACKNOWLEDGED)
        if fault == "refuse":
            self.used_at.pop(pop, None)
            return rtt_s, Failure.REFUSED
        if cold and rtt_s > self.patience_s:
            return self.patience_s, Failure.CONNECT_TIMEOUT
        self.used_at[pop] = now
        path_s = rtt_s * (3 if cold else 1)
        _, errors = site.weather.slowness(pop, now)
        if fault == "5xx" or asked.draw(3, pop) < errors:
            return path_s + 0.005, Reply(503, _JSON, b"{}", rtt_s=rtt_s, cold=cold)
        own_s = site.own_s(asked, pop, now)
        if site.inference:
            own_s = site.pops[pop].take(now + path_s / 2, own_s)
        return path_s + own_s, Reply(200, _JSON, b"{}", rtt_s=rtt_s, cold=cold)

    def is_cold(self, pop: int, now: float) -> bool:
        return now - self.used_at.get(pop, -math.inf) > _IDLE_S

    def round_trip_s(self, asked: Asked, pop: int, now: float) -> float:
        paths = self.site.paths
        usual_s = paths.rtt_s[self.client][pop]
        jitter_s = -paths.mdev_s[self.client][pop] * math.log(1 - asked.draw(0, pop))
        lost_s = 0.2 + usual_s if asked.draw(2, pop) < _RETRANSMITTED else 0.0
        return self.site.weather.path_s(self.client, pop, usual_s, now) + jitter_s + lost_s

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        """What a probe measures."""
        pop = int(endpoint.name)
        self.probes += 1 if pop in self._known else 3  # as the prober: three samples at first, one to renew them
        self._known.add(pop)
        if self.site.weather.fault(self.client, pop, now) in ("swallow", "refuse"):
            return None
        paths = self.site.paths
        return self.site.weather.path_s(self.client, pop, paths.rtt_s[self.client][pop], now)

    def foreseen_s(self, asked: Asked, pop: int, now: float) -> float:
        """What an attempt may be expected to take, by all that can be known before it; infinite when it would fail."""
        site, paths = self.site, self.site.paths
        if site.weather.fault(self.client, pop, now):
            return math.inf
        slower, errors = site.weather.slowness(pop, now)
        usual_s = paths.rtt_s[self.client][pop]
        rtt_s = site.weather.path_s(self.client, pop, usual_s, now) + paths.mdev_s[self.client][pop]
        path_s = rtt_s * (3 if self.is_cold(pop, now) else 1)
        queue_s = site.pops[pop].wait_s(now + path_s / 2) if site.inference else 0.0
        return path_s + queue_s + site.usual_s(pop, now) * slower + errors * 2 * rtt_s


_JSON = [(b"content-type", b"application/json")]


def _normal(u: float) -> float:
    """A standard normal figure of a uniform one (Tukey's lambda: within 1 % up to three deviations)."""
    u = min(max(u, 1e-4), 1 - 1e-4)
    return 4.91 * (u**0.14 - (1 - u) ** 0.14)


class Kind(NamedTuple):
    """A kind of traffic. `products`: every second PoP is of another product, where the model takes longer."""

    inference: bool
    per_s: float  # requests of the median client
    products: bool = False


def kinds() -> dict[str, Kind]:
    """By name."""
    return {
        "gateway": Kind(inference=False, per_s=0.25),
        "gateway_sparse": Kind(inference=False, per_s=0.025),
        "inference": Kind(inference=True, per_s=0.25),
        "inference_sparse": Kind(inference=True, per_s=0.025),
        "products": Kind(inference=True, per_s=0.25, products=True),
    }
