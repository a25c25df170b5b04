"""What befalls a world: outages, brown-outs, flapping, black holes, congestion, reroutes. Functions of time, from one seed.

The mix is that of facts about real networks: of 20 PoPs six have an outage of 3 to 10 minutes in 90 (refusing, swallowing
or answering 5xx), four a brown-out (8 times slower, 10 % errors), two flap; 40 client-to-PoP paths are black holes for 2 to
10 minutes; each path is congested about every second hour for two minutes, and a few are rerouted for good.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass

Span = tuple[float, float]


@dataclass(frozen=True)
class Outage:
    """One PoP, gone for a while: "refuse", "swallow" or "5xx"."""

    pop: int
    start: float
    end: float
    kind: str


class Weather:
    """All that happens within `length_s` seconds."""

    def __init__(self, seed: int, clients: int, pops: int, length_s: float) -> None:
        chance = random.Random(f"weather {seed}")
        share, self.length_s = pops / 20 * length_s / 5400, length_s
        some = lambda count: max(1, round(count * share))  # noqa: E731
        self.outages = [self._outage(chance, chance.randrange(pops)) for _ in range(some(6))]
        self.brownouts = [(chance.randrange(pops), *self._span(chance, 180, 600)) for _ in range(some(4))]
        self.flapping = [self._flaps(chance, chance.randrange(pops)) for _ in range(some(2))]
        holes = [(chance.randrange(clients), chance.randrange(pops)) for _ in range(some(40 * clients / 60))]
        self._holes: dict[tuple[int, int], list[Span]] = {}
        for path in holes:
            self._holes.setdefault(path, []).append(self._span(chance, 120, 600))
        self._slow = [self._spans(chance, 1.0, 30, 90) for _ in range(pops)]
        self._jams: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
        self._routes: dict[tuple[int, int], tuple[float, float]] = {}
        for path in [(c, p) for c in range(clients) for p in range(pops)]:
            self._jams[path] = [
                (start, end, chance.uniform(0.005, 0.060), chance.uniform(0.10, 0.80))
                for start, end in self._spans(chance, 0.5, 120, 120)
            ]
            if chance.random() < 0.05 * length_s / 5400:
                self._routes[path] = (chance.uniform(0, length_s), chance.uniform(0.85, 1.6))
        self._mile = [
            [chance.expovariate(1 / 0.002) if chance.random() < 0.15 else 0.0 for _ in range(512)]
            for _ in range(clients)
        ]

    def path_s(self, client: int, pop: int, usual_s: float, now: float) -> float:
        """The round trip of a path now, without the jitter of a single packet."""
        route = self._routes.get((client, pop))
        rtt_s = usual_s * (route[1] if route is not None and now >= route[0] else 1.0)
        for start, end, more_s, share in self._jams[client, pop]:
            if start <= now < end:
                rtt_s += more_s + share * usual_s
        return rtt_s + self._mile[client][int(now / 5) % 512]

    def fault(self, client: int, pop: int, now: float) -> str:
        """What is wrong between a client and a PoP: "", "refuse", "swallow" or "5xx"."""
        for outage in self.outages:
            if outage.pop == pop and outage.start <= now < outage.end:
                return outage.kind
        for flapping, times in self.flapping:
            if flapping == pop and bisect_right(times, now) % 2:
                return "refuse"
        spans = self._holes.get((client, pop))
        return "swallow" if spans and any(start <= now < end for start, end in spans) else ""

    def slowness(self, pop: int, now: float) -> tuple[float, float]:
        """By how much a PoP's own time is longer, and the share of its answers that are errors."""
        for brown, start, end in self.brownouts:
            if brown == pop and start <= now < end:
                return 8.0, 0.10
        return (2.5, 0.0) if any(start <= now < end for start, end in self._slow[pop]) else (1.0, 0.0)

    def _outage(self, chance: random.Random, pop: int) -> Outage:
        return Outage(pop, *self._span(chance, 180, 600), chance.choice(["refuse", "swallow", "5xx"]))

    def _span(self, chance: random.Random, least: float, most: float) -> Span:
        lasts = min(chance.uniform(least, most), self.length_s / 4)
        start = chance.uniform(self.length_s * 0.03, self.length_s - lasts)
        return start, start + lasts

    def _spans(self, chance: random.Random, an_hour: float, least: float, most: float) -> list[Span]:
        found, now = [], chance.expovariate(an_hour / 3600)
        while now < self.length_s:
            lasts = chance.uniform(least, most)
            found.append((now, now + lasts))
            now += lasts + chance.expovariate(an_hour / 3600)
        return found

    def _flaps(self, chance: random.Random, pop: int) -> tuple[int, list[float]]:
        start, end = self._span(chance, 600, 600)
        times = [start]
        while times[-1] < end:
            times.append(times[-1] + chance.uniform(10, 60))
        return pop, times if len(times) % 2 == 0 else times[:-1]
