"""For every test: nothing of the outside is seen (variables, files, proxies, keys), and async tests say on what they run."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from edgeclient.lab import process

_OF_SDKS = ("OPENAI_", "ANTHROPIC_", "AZURE_OPENAI_", "AWS_", "CLOUD_ML_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run the tests marked slow, which take minutes")
    parser.addoption("--golden", action="store_true", help="write the golden requests of the systems anew")


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is written into the user's own cache directory, by child processes neither.

    Measured by coverage, the lab's processes start with `site` as well: through it the measurement gets into them.
    """
    own = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    os.environ.setdefault("PYRIGHT_PYTHON_CACHE_DIR", own)  # the type checker that was fetched once stays where it is
    folder = tempfile.mkdtemp(prefix="edgeclient-cache-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["XDG_CACHE_HOME"] = os.environ["LOCALAPPDATA"] = folder
    if os.environ.get("COVERAGE_PROCESS_CONFIG"):
        process._ALONE = ("-I",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: there everything that a test needs is installed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if skipped and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} skipped, which CI does not allow", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from outside, and keys that open nothing. `tmp_path` is below the system's temporary directory."""
    for variable in list(os.environ):
        outside = variable.startswith(("EDGECLIENT_", *_OF_SDKS)) or variable.lower() in _PROXIES
        if outside:
            monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # no test is ordered by what another one measured
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-dummy-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-dummy-anthropic")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """What a test marked `anyio` runs on: both."""
    return str(request.param)
