"""The vectors of MongoDB's drivers (cases/mongodb, Apache-2.0, from PyMongo): 103 for the baseline's functions in
`benchmarks/world/rules.py`, and 7 of errors for our own `Health`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from world import rules

from edgeclient.pops.health import Health, State
from edgeclient.values import Failure

CASES = Path(__file__).parent / "cases" / "mongodb"
# A network error is taken as one of connecting, and a timeout as one of reading. Elsewhere we differ on purpose: a connection
# that breaks later ejects at the second in a row only, and a connect that times out ejects at once.
FAILURES = {"network": Failure.CONNECT, "timeout": Failure.READ_TIMEOUT}


def cases(folder: str) -> list[Any]:
    files = sorted((CASES / folder).rglob("*.json"))
    return [pytest.param(json.loads(f.read_text()), id=str(f.relative_to(CASES / folder))) for f in files]


def test_all_vectors_are_here() -> None:
    numbers = [len(cases(f"server_selection/{kind}")) for kind in ("rtt", "in_window", "server_selection")]
    assert numbers == [7, 8, 88]
    assert len(cases("errors")) == 7


@pytest.mark.parametrize("case", cases("server_selection/rtt"))
def test_average_rtt(case: Any) -> None:
    old = None if case["avg_rtt_ms"] == "NULL" else float(case["avg_rtt_ms"])
    assert rules.ewma(old, float(case["new_rtt_ms"])) == pytest.approx(float(case["new_avg_rtt"]), abs=1e-9)


@pytest.mark.parametrize("case", cases("server_selection/in_window"))
def test_frequencies_in_the_window(case: Any) -> None:
    rng = random.Random(1)
    names = rules.window({s["address"]: s["avg_rtt_ms"] for s in case["topology_description"]["servers"]}, 15)
    in_flight = {mock["address"]: mock["operation_count"] for mock in case["mocked_topology_state"]}
    drawn = [rules.choose(names, in_flight, rng) for _ in range(case["iterations"])]
    for name, expected in case["outcome"]["expected_frequencies"].items():
        tolerance = 0 if expected in (0, 1) else case["outcome"]["tolerance"]
        assert abs(drawn.count(name) / len(drawn) - expected) <= tolerance


@pytest.mark.parametrize("case", cases("server_selection/server_selection"))
def test_latency_window(case: Any) -> None:
    spared = {s["address"] for s in case.get("deprioritized_servers") or ()}
    suitable = case["suitable_servers"]
    left = [s for s in suitable if s["address"] not in spared] or suitable
    found = rules.window({s["address"]: s["avg_rtt_ms"] for s in left}, 15)
    assert sorted(found) == sorted(s["address"] for s in case["in_latency_window"])


@pytest.mark.parametrize("case", cases("errors"))
def test_errors(case: Any) -> None:
    """A `hello` that is ok is a good probe; an error of an older generation belongs to an attempt that began before."""
    rng, health, now, began = random.Random(1), Health(), 0.0, [0.0]
    for phase in case["phases"]:
        now += 10.0
        for _, answer in phase.get("responses") or ():
            if answer.get("ok"):
                health.reached(now, now)
        for error in phase.get("applicationErrors") or ():
            at = began[error["generation"]] if "generation" in error else now
            health.failed(FAILURES[error["type"]], at, now, rng)
        (server,) = phase["outcome"]["servers"].values()
        assert (health.state(now) is not State.READY) is (server["type"] == "Unknown")
        if server["pool"]["generation"] == len(began):
            began.append(now)
