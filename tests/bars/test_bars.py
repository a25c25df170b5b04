"""The promises that need a network: runs the benchmark programs, short, and believes their exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import runtimes

from edgeclient.lab import best_mode

ROOT = Path(__file__).parents[2]


def run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / program), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_call_fails_that_plain_would_have_answered_when_the_nearest_pop_is_killed():
    run("kill.py", "--times", "3", "--calls", "60")


@pytest.mark.slow
def test_no_call_fails_in_twenty_kills_with_two_hundred_calls_under_way():
    run("kill.py", "--times", "20", "--calls", "200")


def test_entries_take_as_much_memory_as_is_counted_and_the_bound_holds():
    run("cache.py", "--rounds", "1", "--calls", "5", "--entries", "3000", "--check")


@pytest.mark.skipif(best_mode()[0] != "tun" and not os.environ.get("CI"), reason=best_mode()[1])
def test_calls_go_to_the_nearest_pop_and_leave_it_when_it_is_no_longer_near():
    run("nearest.py", "--calls", "60")


def test_pops_of_ones_own_cost_little_and_refuse_strangers():
    if missing := [
        str(place) for place in (runtimes.workerd(), runtimes.nginx(), runtimes.awslambdaric()) if not place.exists()
    ]:
        pytest.skip(f"no {missing}: run python tests/deploy/runtimes.py")
    run("pops_of_ones_own.py", "--calls", "60")
