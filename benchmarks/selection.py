"""Which rule of selection wins, by how much: edgeclient's and the published ones on the same traffic in the same world.

    python benchmarks/selection.py [--world planetlab | continents | hubs | FILE.npz] [--seeds 3] [--minutes 90]
        [--kinds gateway,inference_sparse] [--rules edgeclient,mongodb] [--jobs 2] [--json OUT] [--picture OUT.svg]

Emulated: a discrete-event world (see world/), run through edgeclient's own virtual runtime, `attempts` and `Selector`.
Figures are means over the seeds. mean, p50, p99: ratio to the oracle's network and edge time (time to the first byte without
the central model's own time); slow: percent of requests 500 ms over the oracle or lost; wasted: first tries on a PoP in an
outage, for each client and outage of its nearest; back_s: median seconds until such a client came back to it; switches and
probes: for each client and hour.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from world import data
from world.data import Paths
from world.figures import figures
from world.network import kinds
from world.picture import draw
from world.rules import BY_MAP, FAST, RULES
from world.running import Run, run

COLUMNS = ("mean", "p50", "p99", "slow", "wasted", "back_s", "switches", "probes")
Figures = dict[str, dict[str, float]]


def world(name: str, seed: int) -> Paths:
    """A world by its name or file; those made by formula are others with each seed."""
    if name == "planetlab":
        return data.planetlab()
    if name in ("continents", "hubs"):
        return getattr(data, name)(seed)  # type: ignore[no-any-return]
    return data.load(Path(name))


def one_seed(kind: str, seed: int, name: str, minutes: float, rules: list[str]) -> Figures:
    """All rules on one seed's traffic."""
    paths = world(name, seed)

    def served(rule: str) -> Run:
        return run(kind, RULES[rule], seed, paths, minutes * 60, fast=rule in FAST)

    oracle = served("oracle")
    able = [rule for rule in rules if paths.km is not None or rule not in BY_MAP]
    return {rule: figures(oracle if rule == "oracle" else served(rule), oracle, paths) for rule in able}


def means(found: list[Figures]) -> Figures:
    return {rule: {c: statistics.fmean(f[rule][c] for f in found) for c in COLUMNS} for rule in found[0]}


def show(kind: str, table: Figures) -> None:
    print(f"\n{kind:20}" + "".join(f"{column:>10}" for column in COLUMNS))
    for rule, row in sorted(table.items(), key=lambda item: item[1]["mean"]):
        print(f"{rule:20}" + "".join(f"{row[column]:10.3f}" for column in COLUMNS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="planetlab")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--kinds", default=",".join(kinds()))
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    said = parser.parse_args()
    asked, rules = said.kinds.split(","), said.rules.split(",")
    unknown = [f"kind {k!r}" for k in asked if k not in kinds()] + [f"rule {r!r}" for r in rules if r not in RULES]
    if unknown:
        parser.error(f"unknown {', '.join(unknown)}; kinds are {', '.join(kinds())}; rules are {', '.join(RULES)}")
    try:
        world(said.world, 1)
    except (OSError, ValueError) as error:
        parser.error(f"--world {said.world}: {error}")
    began = time.monotonic()
    with ProcessPoolExecutor(said.jobs) as pool:
        under_way = {
            kind: [
                pool.submit(one_seed, kind, seed, said.world, said.minutes, rules) for seed in range(1, said.seeds + 1)
            ]
            for kind in asked
        }
        found = {kind: means([one.result() for one in ones]) for kind, ones in under_way.items()}
    print(
        f"world {said.world}, {said.seeds} seeds of {said.minutes:g} minutes, {time.monotonic() - began:.0f} s (emulated)"
    )
    for kind, table in found.items():
        show(kind, table)
    if said.json:
        said.json.write_text(json.dumps({"kinds": found}, indent=1) + "\n")
    if said.picture:
        said.picture.write_text(draw(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
