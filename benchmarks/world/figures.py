"""What a run was worth, beside the oracle's run of the same requests."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections.abc import Iterator

from .data import Paths
from .running import Run

_SLOW_S, _LOST_S = 0.5, 5.0


def figures(run: Run, oracle: Run, paths: Paths) -> dict[str, float]:
    """The figures of one rule: see `benchmarks/selection.py`."""
    mine, best = _times(run), _times(oracle)
    slow = sum(a - b > _SLOW_S or a >= _LOST_S for a, b in zip(mine, best, strict=True))
    met = list(_outages(run, paths))
    back = [back_s for _, back_s in met if back_s is not None]
    hours = paths.clients * run.length_s / 3600
    return {
        "mean": statistics.fmean(mine) / statistics.fmean(best),
        "p50": _at(mine, 0.50) / _at(best, 0.50),
        "p99": _at(mine, 0.99) / _at(best, 0.99),
        "slow": 100 * slow / len(mine),
        "wasted": statistics.fmean([wasted for wasted, _ in met] or [0.0]),
        "back_s": statistics.median(back or [0.0]),
        "switches": _switches(run) / hours,
        "probes": run.probes / hours,
    }


def _times(run: Run) -> list[float]:
    """Network and edge time of each request: to its first byte, without the central model's own time."""
    return [min(asked.took_s - (0.0 if run.inference else asked.central_s), _LOST_S) for asked in run.asked]


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _outages(run: Run, paths: Paths) -> Iterator[tuple[float, float | None]]:
    """For each outage and client whose nearest PoP it hit: first tries wasted on it, and seconds until it came back."""
    by_client: dict[int, list[tuple[float, int]]] = {}
    for client, at, pop in run.went:
        by_client.setdefault(client, []).append((at, pop))
    for outage in run.weather.outages:
        for client, row in enumerate(paths.rtt_s):
            if min(range(len(row)), key=row.__getitem__) != outage.pop:
                continue
            wasted = sum(
                asked.first_failed and asked.tried[0] == outage.pop
                for asked in run.asked
                if asked.client == client and outage.start <= asked.at < outage.end
            )
            answers = by_client.get(client, [])
            after = answers[bisect_left(answers, (outage.end, -1)) :]
            back = next((at for at, pop in after if pop == outage.pop), None)
            yield wasted, None if back is None else back - outage.end


def _switches(run: Run) -> int:
    last: dict[int, int] = {}
    count = 0
    for client, _, pop in run.went:
        count += last.get(client, pop) != pop
        last[client] = pop
    return count
