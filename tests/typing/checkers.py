"""Runs a type checker on one file, against the installed SDKs and this tree. Starts processes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import edgeclient

_ROOT = str(Path(edgeclient.__file__).parents[1])
_CACHE = Path(tempfile.gettempdir()) / "edgeclient-mypy"  # reading the SDKs takes 20 s without one
_OPTIONS = {
    "mypy": ["--strict", "--config-file=", "--no-error-summary", "--python-version=3.11", "--hide-error-context"],
    "pyright": ["--pythonversion=3.11", f"--pythonpath={sys.executable}", "--warnings"],
}


def run(checker: str, file: Path, scratch: Path) -> str:
    """What the checker says about a file; "" when it finds nothing. It comes with the extra `lint`."""
    environment = {**os.environ, "PYTHONPATH": _ROOT, "MYPYPATH": _ROOT, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    options = [*_OPTIONS[checker], *([f"--cache-dir={_CACHE}"] if checker == "mypy" else [])]
    command = [sys.executable, "-m", checker, *options, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
