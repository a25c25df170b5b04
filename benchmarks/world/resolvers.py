"""Rules of DNS resolvers, which have always had to choose between servers by measured time.

Sources: NLnetLabs/unbound util/rtt.c; CZ-NIC/knot-resolver lib/selection.c; isc-projects/bind9 lib/dns/adb.c.
"""

from __future__ import annotations

from collections import deque

from edgeclient.values import Endpoint, Outcome

from .baseline import Baseline
from .running import Setting


class Unbound(Baseline):
    """Any one whose retransmission time-out is within 400 ms of the best; on loss the one that was used is doubled."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.srtt = dict.fromkeys(self.pending, 0.0)
        self.var = dict.fromkeys(self.pending, 0.094)
        self.rto = dict.fromkeys(self.pending, 0.376)
        self.before: dict[str, deque[tuple[float, float]]] = {e.name: deque(maxlen=64) for e in self.endpoints}

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        best = min(self.rto[e.name] for e in candidates)
        shuffled = self.chance.sample(candidates, len(candidates))
        return sorted(shuffled, key=lambda e: self.rto[e.name] if self.rto[e.name] > best + 0.4 else 0.0)

    def record(self, outcome: Outcome, now: float) -> None:
        name = outcome.endpoint.name
        used = self.used(name, now - outcome.took_s)
        self.before[name].append((now, self.rto[name]))
        if outcome.failure:  # many that are lost together count once
            self.rto[name] = max(self.rto[name], min(120.0, used * 2))
            return
        delta = outcome.took_s - self.srtt[name]
        self.srtt[name] += delta / 8
        self.var[name] += (abs(delta) - self.var[name]) / 4
        self.rto[name] = min(120.0, max(0.05, self.srtt[name] + 4 * self.var[name]))

    def used(self, name: str, began: float) -> float:
        """The time-out that a request had which went out then."""
        return next((rto for changed, rto in self.before[name] if changed > began), self.rto[name])


class Knot(Unbound):
    """Unknown first, then fewest errors, then the smallest time-out; 5 % go anywhere."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.errors = dict.fromkeys(self.pending, 0)
        self.tried: set[str] = set()

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        shuffled = self.chance.sample(candidates, len(candidates))
        if self.chance.random() < 0.05:
            return shuffled
        return sorted(shuffled, key=lambda e: (e.name in self.tried, self.errors[e.name], self.rto[e.name]))

    def record(self, outcome: Outcome, now: float) -> None:
        super().record(outcome, now)
        self.tried.add(outcome.endpoint.name)
        self.errors[outcome.endpoint.name] = self.errors[outcome.endpoint.name] + 1 if outcome.failure else 0


class Bind(Baseline):
    """Lowest smoothed time; new ones first; all that did not answer age by 2 % with each answer."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.srtt = {e.name: self.chance.uniform(1e-6, 32e-6) for e in self.endpoints}

    def figure(self, name: str, now: float) -> float:
        return self.srtt[name]

    def record(self, outcome: Outcome, now: float) -> None:
        name = outcome.endpoint.name
        if outcome.failure:
            self.srtt[name] = min(10.0, self.srtt[name] + self.chance.uniform(0, 1.0 / (1 + 10 * self.srtt[name])))
            return
        for other in self.srtt:
            self.srtt[other] *= 1.0 if other == name else 0.98
        self.srtt[name] = 0.7 * self.srtt[name] + 0.3 * outcome.took_s
