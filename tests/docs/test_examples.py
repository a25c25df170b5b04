"""Every example runs to its end as a program of its own, offline, and says something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", [pytest.param(e, id=e.name) for e in EXAMPLES])
def test_an_example_runs_without_a_warning(example: Path, tmp_path: Path) -> None:
    environment = {n: v for n, v in os.environ.items() if not n.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


def test_every_example_says_what_it_shows() -> None:
    for example in EXAMPLES:
        assert example.read_text("utf-8").startswith('"""'), example.name
