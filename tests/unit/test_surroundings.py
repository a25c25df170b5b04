"""The default edge: made once for what the environment and the file say, and made anew when they say something else."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeclient import Edge, SettingsError, default
from edgeclient.default import INACTIVE, default_edge


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("EDGECLIENT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(default, "_edges", {})


def test_nothing_set_is_inactive() -> None:
    assert default_edge() is INACTIVE and not INACTIVE.active


def test_the_same_surroundings_give_the_same_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    edge = default_edge()
    assert isinstance(edge, Edge) and edge.active
    assert default_edge() is edge


def test_other_variables_give_another_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    first = default_edge()
    monkeypatch.setenv("EDGECLIENT_NOTES", "1")
    assert default_edge() is not first
    monkeypatch.delenv("EDGECLIENT_NOTES")
    assert default_edge() is first  # with all that it measured and stored
    monkeypatch.delenv("EDGECLIENT_CACHE")
    assert default_edge() is INACTIVE


def test_another_file_gives_another_edge(tmp_path: Path) -> None:
    path = tmp_path / "edgeclient.toml"
    path.write_text('cache = "exact"')
    os.utime(path, ns=(1, 1))
    first = default_edge()
    assert isinstance(first, Edge) and default_edge() is first
    path.write_text('cache = "off"')
    os.utime(path, ns=(2, 2))
    second = default_edge()
    assert isinstance(second, Edge) and second is not first and not second.active
    path.unlink()
    assert default_edge() is INACTIVE


def test_the_working_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "edgeclient.toml").write_text("notes = true")
    assert default_edge() is INACTIVE
    monkeypatch.chdir(below)
    assert isinstance(default_edge(), Edge)


def test_a_working_directory_that_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert default_edge() is INACTIVE
    monkeypatch.chdir(tmp_path)


def test_a_mistake_is_told_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "sometimes")
    for _ in range(2):
        with pytest.raises(SettingsError, match="EDGECLIENT_CACHE"):
            default_edge()
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    assert isinstance(default_edge(), Edge)


def test_threads_that_ask_at_once_get_one_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    together = threading.Barrier(8)

    def ask() -> int:
        together.wait(20)
        return id(default_edge())

    with ThreadPoolExecutor(8) as pool:
        assert len({one.result() for one in [pool.submit(ask) for _ in range(8)]}) == 1
