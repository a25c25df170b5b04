"""Runs a suite: gets the sdist, starts the mock API, runs pytest with `inside/` on its path. Files and processes."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import compare
import suites

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]  # the checkout
INSIDE = HERE / "inside"

# What would reach into the tests from outside: credentials, proxies, our own settings.
_FOREIGN = ("OPENAI_", "ANTHROPIC_", "AZURE_", "AWS_", "GOOGLE_", "CLOUD_ML_", "PYTEST_", "OTEL_", "EDGECLIENT_")


class SetupProblem(Exception):
    """The suite cannot run here; the message says what to do."""


def log(*words: object) -> None:
    """Progress, apart from the result."""
    print(*words, file=sys.stderr, flush=True)


def check_needs(package: str) -> None:
    """Raises with the pip command when the suite imports what is not here."""
    missing = [requirement for module, requirement in suites.NEEDS[package].items() if not _is_here(module)]
    if missing:
        command = " ".join(f"'{requirement}'" for requirement in missing)
        raise SetupProblem(f"the suite of {package} needs more packages in {sys.prefix}:\n    pip install {command}")


def check_library(package: str) -> None:
    """Raises when this checkout's library cannot be imported here, which would make every test fail for one reason."""
    modules = f"edgeclient.{package}, edgeclient.edge, edgeclient.pipeline"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", f"import {modules}"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1]
        raise SetupProblem(f"edgeclient does not work in {sys.prefix} ({said}); try:\n    pip install -e {ROOT}")


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def fingerprint() -> str:
    """Changes when a kept baseline may no longer hold: another package version here, or another harness."""
    ours = "edgeclient"
    installed = sorted({f"{d.name}=={d.version}" for d in importlib.metadata.distributions() if d.name != ours})
    files = [HERE / "suites.py", *sorted(INSIDE.glob("*.py"))]
    text = "\n".join([sys.version, *installed, *(file.read_text("utf-8") for file in files)])
    return sha256(text.encode()).hexdigest()[:16]


def get_sdist(package: str, version: str, work: Path) -> Path:
    """The unpacked sdist, tests included; through pip, once."""
    folder = work / f"{package}-{version}"
    if (folder / "tests" / "conftest.py").exists():
        return folder
    archive = work / f"{package}-{version}.tar.gz"
    if not archive.exists():
        log(f"downloading {archive.name}")
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", ":all:", "-d", str(work), f"{package}=={version}"]
        if subprocess.run(command, stdin=subprocess.DEVNULL).returncode or not archive.exists():
            raise SetupProblem(f"pip could not get {archive.name}; put it into {work}")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    return folder


class MockAPI:
    """The mock API of one package on a free loopback port, for as long as the `with` block lasts."""

    def __init__(self, package: str, wire: Path | None = None) -> None:
        command = [sys.executable, str(INSIDE / "upstream_mock.py"), package]
        if wire is not None:
            wire.unlink(missing_ok=True)
            command += ["--log", str(wire)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if not words or words[0] != "ready":
            raise SetupProblem(f"the mock API did not start; try: {' '.join(command)}")
        self.port = int(words[1])

    def __enter__(self) -> MockAPI:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # it ends with the pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Swap:
    """Which classes the suite gets, and in which environment."""

    dropin: str = ""  # module with the replacing classes; "" for the SDK's own
    pipeline: str = ""  # `module:function` whose calls are counted
    variables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """One SDK's tests, ready to run."""

    package: str
    sdist: Path
    jobs: int
    limit_s: float

    def run(
        self, targets: Sequence[str], swap: Swap, port: int, out: Path, *, alone: bool = False
    ) -> dict[str, compare.Outcome]:
        """Runs these tests once. The log and pytest's arguments are left beside `out`."""
        out.unlink(missing_ok=True)
        arguments, printed = out.with_suffix(".args"), out.with_suffix(".log")
        arguments.write_text("\n".join(targets) + "\n", "utf-8")
        command = [*self._command(0 if alone else self.jobs), f"@{arguments}"]
        environment = self._environment(swap, port, out)
        with printed.open("w") as stream, _group(command, self.sdist, environment, stream) as process:
            try:
                process.wait(self.limit_s)
            except subprocess.TimeoutExpired:
                log(f"stopped after {self.limit_s:.0f} s; see {printed}")
        if not out.exists():
            last = "".join(printed.read_text("utf-8", "replace").splitlines(keepends=True)[-15:])
            raise SetupProblem(f"pytest left no outcomes; see {printed}\n{last}")
        return compare.read(json.loads(out.read_text("utf-8")))

    def _command(self, jobs: int) -> list[str]:
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-o", "addopts="]
        command += ["--continue-on-collection-errors"]
        if (self.sdist / "tests" / "_alias_httpx.py").exists():
            command += ["-p", "tests._alias_httpx"]  # its own pytest settings, which `-o addopts=` has removed
        command += ["-p", "upstream_plugin", "-n", str(jobs)]
        if jobs:
            command += ["--dist", "worksteal"]
        return command + [word for path in suites.EXCLUDE[self.package] for word in ("--ignore", path)]

    def _environment(self, swap: Swap, port: int, out: Path) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
        }
        path = [str(INSIDE), str(ROOT), *kept.get("PYTHONPATH", "").split(os.pathsep)]
        return {
            **kept,
            **dict(swap.variables),
            "TEST_API_BASE_URL": f"http://127.0.0.1:{port}",
            "UPSTREAM_PACKAGE": self.package,
            "UPSTREAM_DROPIN": swap.dropin,
            "UPSTREAM_PIPELINE": swap.pipeline,
            "UPSTREAM_OUT": str(out),
            "PYTHONPATH": os.pathsep.join(str(Path(part).resolve()) for part in path if part),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@contextlib.contextmanager
def _group(
    command: Sequence[str], folder: Path, environment: dict[str, str], stream: object
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own; whatever is left of the group at the end is ended."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stream,  # type: ignore[arg-type]
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
