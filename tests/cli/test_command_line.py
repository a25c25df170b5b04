"""The command line: what is said to bad arguments, and which display is chosen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import edgeclient
from edgeclient.cli import demo, main
from edgeclient.cli.show import JsonShow, PlainShow, Show


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[demo.Options, Show]]:
    """What the demonstration would have been started with."""
    found: list[tuple[demo.Options, Show]] = []

    def note(options: demo.Options, show: Show) -> int:
        found.append((options, show))
        return 0

    monkeypatch.setattr(demo, "run", note)
    return found


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"edgeclient {edgeclient.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "COMMAND"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["demo", "--mode", "warp"], "invalid choice: 'warp'"),
        (["demo", "--questions", "0"], "'0' is no number from 1 to 100000"),
        (["demo", "--questions", "many"], "'many' is no number from 1 to 100000"),
        (["demo", "--price-per-mtok", "-1", "--live"], "'-1' is no price"),
        (["demo", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_bad_arguments_are_said_and_are_status_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("out", ["missing/picture.svg", "."])
def test_a_picture_that_cannot_be_written_is_said_before_the_run(
    out: str, shown: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", out]) == 2
    assert capsys.readouterr().err.startswith(f"edgeclient: --out {out}: ")
    assert not shown


def test_the_defaults(shown: list[tuple[demo.Options, Show]]) -> None:
    assert main(["demo"]) == 0
    options, show = shown[0]
    assert options == demo.Options("auto", 300, 1, Path("edgeclient-demo.svg"))
    assert isinstance(show, PlainShow)  # pytest's output is no terminal


def test_without_rich_the_other_displays_work(
    shown: list[tuple[demo.Options, Show]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.delitem(sys.modules, "edgeclient.cli.rich_show", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["demo"]) == 2
    assert "pip install 'edgeclient[cli]'" in capsys.readouterr().err
    assert main(["demo", "--plain"]) == 0
    assert main(["demo", "--json"]) == 0
    assert [type(show) for _, show in shown] == [PlainShow, JsonShow]


def test_on_a_terminal_the_display_is_live(
    shown: list[tuple[demo.Options, Show]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(["demo"]) == 0
    assert type(shown[0][1]).__name__ == "RichShow"


def test_python_m_is_the_same_command() -> None:
    command = [sys.executable, "-m", "edgeclient.cli", "--help"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "demo --live" in said.stdout


def test_who_reads_only_the_beginning_is_told_nothing_more() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "edgeclient.cli", "systems"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 141
