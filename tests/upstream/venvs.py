"""Makes the virtual environment that a suite runs in, and goes on inside it. Starts pip; writes into one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from runner import HERE, ROOT, SetupProblem, log

REQUIREMENTS = HERE / "requirements.txt"
_STAMP = "upstream.stamp"


def enter(folder: Path, pins: Sequence[str], *, library: bool) -> None:
    """Returns when this process already runs in that environment; else makes it and starts again in it.

    An environment whose stamp fits is used as it is: what is not pinned stays at the version that was the newest when
    it was made. `library`: install this checkout too, editable.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    stamp = folder / _STAMP
    wanted = _wanted(pins, library=library)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        started = time.monotonic()
        _make(folder, python)
        _install(python, pins, library=library)
        stamp.write_text(wanted, "utf-8")
        log(f"environment {folder}: made in {time.monotonic() - started:.0f} s")
    os.execv(python, [str(python), *sys.argv])


def _wanted(pins: Sequence[str], *, library: bool) -> str:
    """What an environment must have been made from to be used again."""
    sources = [REQUIREMENTS, *([ROOT / "pyproject.toml"] if library else [])]
    parts = [sys.version, str(ROOT), *sorted(pins), *(file.read_text("utf-8") for file in sources)]
    return sha256("\n".join(parts).encode()).hexdigest()


def _make(folder: Path, python: Path) -> None:
    ours = (folder / "pyvenv.cfg").exists()
    if folder.exists() and any(folder.iterdir()) and not ours:
        raise SetupProblem(f"{folder} is not empty and no virtual environment; name another folder")
    if ours and _version(python) != sys.version:
        raise SetupProblem(f"{folder} has another Python than {sys.executable}; remove it or name another folder")
    if not ours:
        _run([sys.executable, "-m", "venv", str(folder)])


def _version(python: Path) -> str:
    command = [str(python), "-c", "import sys; print(sys.version, end='')"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _install(python: Path, pins: Sequence[str], *, library: bool) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(REQUIREMENTS), *pins]
    if library:
        command += ["-e", str(ROOT)]
    _run(command)


def _run(command: list[str]) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
        raise SetupProblem(f"this failed: {' '.join(command)}")
