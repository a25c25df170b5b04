"""The common ground of the published rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgeclient.values import Call, Endpoint, Outcome

from .running import Setting

INF = math.inf
Plan = tuple[list[Endpoint], list[Endpoint]]


class Baseline:
    """What the rules share: an order by a figure, calls under way, and probes at an interval where a rule has them."""

    probe_every_s = INF
    looks = True

    def __init__(self, setting: Setting) -> None:
        self.setting, self.chance = setting, setting.chance
        self.endpoints = setting.endpoints
        self.pending = dict.fromkeys((e.name for e in self.endpoints), 0)
        self._probed_at = -INF

    def plan(
        self, candidates: Sequence[Endpoint], now: float, *, again: bool = False, call: Call | None = None
    ) -> Plan:
        return self.order(list(candidates), now), []

    def order(self, candidates: list[Endpoint], now: float) -> list[Endpoint]:
        return sorted(candidates, key=lambda e: self.figure(e.name, now))

    def figure(self, name: str, now: float) -> float:
        """What `order` goes by; rules with an order of their own have none."""
        raise NotImplementedError

    def starting(self, endpoint: Endpoint) -> None:
        self.pending[endpoint.name] += 1

    def ended(self, endpoint: Endpoint) -> None:
        self.pending[endpoint.name] -= 1

    def lost(self, candidates: Sequence[Endpoint]) -> bool:
        """Whether a call waits for the first probe: none of them lets one wait."""
        return False

    def patience_s(self, endpoint: Endpoint, longest_s: float) -> float:
        """The wait for a connection: the same second for all of them."""
        return longest_s

    def record(self, outcome: Outcome, now: float) -> None: ...

    def due(self, now: float) -> Sequence[Endpoint]:
        at_home = self.probe_every_s < INF
        return self.endpoints if at_home and now - self._probed_at >= self.probe_every_s else ()

    def probing(self, endpoints: Sequence[Endpoint], now: float) -> None:
        self._probed_at = now

    def probed(self, endpoint: Endpoint, rtts_s: Sequence[float], now: float, took_s: float) -> None: ...
