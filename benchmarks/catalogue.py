"""What the catalogue costs: loading its data in a fresh process, choosing a route, and minding a model's end.

    python benchmarks/catalogue.py [--rounds 15] [--json FILE]

Loading is wall-clock time inside a new process that has imported the code already: the median over the rounds. Routes
are CPU time of this process: the median of blocks of 1,000 decisions, over names that were seen before and over names that
are new each time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edgeclient.routing import families
from edgeclient.routing.knowledge import Knowledge
from edgeclient.routing.routes import Rules

LOAD = """
import sys, time
MODEL = sys.argv[1]
from edgeclient.routing import catalogue, families, lifecycle
began = time.perf_counter()
catalogue.kind_of(MODEL)
rules = time.perf_counter()
lifecycle.ends_of(MODEL)
ends = time.perf_counter()
families.find(MODEL)
print((rules - began) * 1e3, (ends - rules) * 1e3, (time.perf_counter() - ends) * 1e3)
"""
_BLOCK = 1000
_WALL_S = 1_795_000_000.0


def loading(rounds: int) -> dict[str, float]:
    """Milliseconds of the first question to each part: the rules of kinds, the ends, the families."""
    found = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", LOAD, "gpt-4o"], capture_output=True, text=True, check=True)
        found.append([float(ms) for ms in done.stdout.split()])
    return dict(zip(("kinds", "ends", "families"), map(statistics.median, zip(*found, strict=True)), strict=True))


def deciding(decide: Callable[[str], object], names: Iterable[str], blocks: int = 30) -> float:
    """Microseconds a decision."""
    drawn = iter(names)
    took = []
    for _ in range(blocks):
        block = list(itertools.islice(drawn, _BLOCK))
        began = time.process_time()
        for name in block:
            decide(name)
        took.append((time.process_time() - began) / _BLOCK)
    return statistics.median(took) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    known = Knowledge({})
    seen = [name.id for family in families.families() for name in family.all_names()]
    found = {f"load {part}, ms": ms for part, ms in loading(said.rounds).items()}
    ways: dict[str, tuple[Callable[[str], object], Iterable[str]]] = {
        "route, seen before, us": (Rules({}, known).of, itertools.cycle(seen)),
        "route, new name, us": (
            Rules({}, known).of,
            map("vendor/new-{}-instruct".format, itertools.count()),
        ),
        "end, seen before, us": (lambda name: known.state(name, "openai", _WALL_S), itertools.cycle(seen)),
        "end, new name, us": (
            lambda name: known.state(name, "openai", _WALL_S),
            map("vendor/other-{}-instruct".format, itertools.count()),
        ),
        "family, us": (known.family_of, itertools.cycle(seen)),
    }
    found |= {what: deciding(decide, names) for what, (decide, names) in ways.items()}
    for what, number in found.items():
        print(f"{what:26} {number:8.3f}")
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
