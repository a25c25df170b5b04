"""Worlds: who is how far from whom. A measured one (PlanetLab), two made by formula, or any from a file.

A world file is an `.npz` with the arrays `rtt_ms` (clients x PoPs: the usual round-trip time), `mdev_ms` (same shape: its
mean deviation), `leg_ms` (PoPs: the round trip from each to the one central origin) and, if known, `km` (clients x PoPs).
Where `km` is missing, rules that go by the map stand aside.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
Matrix = list[list[float]]


@dataclass(frozen=True)
class Paths:
    """Round-trip times in seconds, distances in km."""

    rtt_s: Matrix
    mdev_s: Matrix
    leg_s: list[float]
    km: Matrix | None = None

    @property
    def clients(self) -> int:
        return len(self.rtt_s)

    @property
    def pops(self) -> int:
        return len(self.leg_s)


def load(path: Path) -> Paths:
    """A world from a file. Raises ValueError when its arrays do not fit each other."""
    import numpy

    with numpy.load(path) as file:
        missing = {"rtt_ms", "mdev_ms", "leg_ms"} - set(file.files)
        if missing:
            raise ValueError(f"{path}: has no {', '.join(sorted(missing))}; a world needs rtt_ms, mdev_ms and leg_ms")
        rtt, mdev, leg = file["rtt_ms"], file["mdev_ms"], file["leg_ms"]
        km = file["km"] if "km" in file.files else None
    if (
        rtt.ndim != 2
        or mdev.shape != rtt.shape
        or leg.shape != rtt.shape[1:]
        or (km is not None and km.shape != rtt.shape)
    ):
        raise ValueError(f"{path}: rtt_ms is {rtt.shape}, mdev_ms {mdev.shape}, leg_ms {leg.shape}; they do not fit")
    if not ((rtt > 0).all() and (mdev >= 0).all() and (leg >= 0).all()):
        raise ValueError(f"{path}: times must be positive numbers of milliseconds")
    return Paths((rtt / 1e3).tolist(), (mdev / 1e3).tolist(), (leg / 1e3).tolist(), None if km is None else km.tolist())


def planetlab() -> Paths:
    """60 clients and 20 PoPs of the PlanetLab matrix; see data/README.md."""
    return load(HERE / "planetlab.npz")


def continents(seed: int, clients: int = 60, pops: int = 20) -> Paths:
    """Cities on a globe, in five clusters; paths are 1.4 to 3 times as long as light in fibre needs, some twice that."""
    chance = random.Random(f"continents {seed}")
    hearts = [(chance.uniform(-40, 60), chance.uniform(-180, 180)) for _ in range(5)]

    def city() -> tuple[float, float]:
        lat, lon = chance.choice(hearts)
        return max(-85.0, min(85.0, lat + chance.gauss(0, 9))), lon + chance.gauss(0, 14)

    here, there, centre = [city() for _ in range(clients)], [city() for _ in range(pops)], city()
    km = [[_km(a, b) for b in there] for a in here]
    rtt = [
        [(2 + d / 100 * chance.uniform(1.4, 3) * (2 if chance.random() < 0.08 else 1)) / 1e3 for d in row] for row in km
    ]
    mdev = [[r * chance.lognormvariate(-4.5, 1) for r in row] for row in rtt]
    leg = [(2 + _km(pop, centre) / 100 * 1.5) / 1e3 for pop in there]
    return Paths(rtt, mdev, leg, km)


def hubs(seed: int, clients: int = 60, pops: int = 20) -> Paths:
    """Clients behind regional hubs: a noisy last mile of 2 to 30 ms, then the hub's distances. The map tells little."""
    chance = random.Random(f"hubs {seed}")
    count = 6
    between = [[0.0 if a == b else chance.uniform(15, 180) for b in range(count)] for a in range(count)]
    homes = [chance.randrange(count) for _ in range(clients)]
    places = [n % count for n in range(pops)]
    mile = [chance.uniform(2, 30) for _ in range(clients)]
    spur = [chance.uniform(0.5, 12) for _ in range(pops)]
    rtt = [[(mile[c] + between[homes[c]][places[p]] + spur[p]) / 1e3 for p in range(pops)] for c in range(clients)]
    mdev = [[mile[c] / 1e3 * chance.uniform(0.05, 0.4) for _ in range(pops)] for c in range(clients)]
    leg = [(spur[p] + between[places[p]][0] + 2) / 1e3 for p in range(pops)]
    return Paths(rtt, mdev, leg)


def _km(a: tuple[float, float], b: tuple[float, float]) -> float:
    (la, lo), (ma, mo) = ([math.radians(x) for x in place] for place in (a, b))
    inner = math.sin((ma - la) / 2) ** 2 + math.cos(la) * math.cos(ma) * math.sin((mo - lo) / 2) ** 2
    return 12_742 * math.asin(math.sqrt(inner))


def make_planetlab(first: Path, second: Path, out: Path, *, clients: int = 60, pops: int = 20) -> None:
    """How planetlab.npz was made: of the two snapshots of the matrix, the smaller figure and half their difference.

    Sites with full rows are shuffled by a fixed seed; PoPs are taken one by one, each the farthest from those before, so
    that they spread as a network's would; the other sites are clients. The origin is the site nearest to all PoPs.
    """
    import numpy

    one, two = numpy.loadtxt(first), numpy.loadtxt(second)
    usual, spread = numpy.minimum(one, two), abs(one - two) / 2
    whole = [n for n in range(len(usual)) if (numpy.delete(usual[n], n) > 0).mean() > 0.99]
    random.Random(1).shuffle(whole)
    chosen = [whole[0]]
    while len(chosen) < pops:
        rest = [n for n in whole if n not in chosen and all(usual[n, c] > 0 for c in chosen)]
        chosen.append(
            max(rest, key=lambda n: min(usual[n, c] for c in chosen) if min(usual[n, c] for c in chosen) < 120 else 0)
        )
    others = [n for n in whole if n not in chosen and (usual[n, chosen] > 0).all()][:clients]
    centre = min(others, key=lambda n: usual[n, chosen].sum())
    numpy.savez_compressed(
        out,
        rtt_ms=usual[numpy.ix_(others, chosen)].astype("float32"),
        mdev_ms=spread[numpy.ix_(others, chosen)].clip(0, 50).astype("float32"),
        leg_ms=usual[centre, chosen].astype("float32"),
    )
