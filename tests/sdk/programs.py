"""Runs small programs in a fresh interpreter, where what is imported and what is started can be seen. Starts processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import edgeclient

_HERE = Path(__file__).parent


def run(program: str, cwd: Path, **variables: str) -> str:
    """The program's standard output. Warnings are errors in it; it sees `recording`, and no variables but these."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(_HERE), str(Path(edgeclient.__file__).parents[1])]),
        "OPENAI_API_KEY": "sk-dummy-openai",
        "ANTHROPIC_API_KEY": "sk-dummy-anthropic",
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        **variables,
    }
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout
