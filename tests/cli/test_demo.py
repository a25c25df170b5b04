"""`edgeclient demo` on a small loopback lab, through `main`: what it prints, writes and returns.  Starts processes."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgeclient.cli import demo, main
from edgeclient.lab import LabError

DEMO = ["demo", "--mode", "loopback", "--questions", "80"]


@pytest.mark.usefixtures("quick")
def test_the_demo_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    assert main([*DEMO, "--json", "--out", str(picture)]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    plain, edge = told["plain"], told["edge"]
    assert err == ""
    assert (plain["calls"], plain["failed"], plain["hits"], plain["at_origin"]) == (80, 0, 0, 80)
    assert (edge["calls"], edge["failed"]) == (80, 0)
    assert 5 < edge["hits"] < 60
    # what the cache did not answer reached the origin, and at most the calls that the kill cut went there twice
    assert 80 - edge["hits"] <= edge["at_origin"] <= 80 - edge["hits"] + 16
    assert told["killed"] == "near"
    by = told["answered_by"]
    assert sum(by.values()) == 80
    assert by["near"] > 5 and by["far"] > 5 and by["cache"] == edge["hits"]
    measured = {endpoint["name"]: endpoint["rtt_ms"] for endpoint in told["endpoints"]}
    assert measured["near"] < measured["far"]
    ways = told["second_act"]
    assert list(ways) == ["edge inference", "edge routing, miss", "edge routing, hit", "direct"]
    assert ways.pop("edge routing, hit") < min(ways.values())
    alike = told["third_act"]
    assert sum(alike[how] for how in ("model", "exact", "equal", "semantic")) == alike["asked"] == 60
    assert alike["equal"] > 5
    assert told["picture"] == str(picture)
    for drawn in (picture, tmp_path / "picture-routes.svg"):
        ET.fromstring(drawn.read_text("utf-8"))


@pytest.mark.usefixtures("quick")
def test_the_demo_in_plain_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(DEMO) == 0  # pytest's output is no terminal
    out, err = capsys.readouterr()
    assert err == ""
    assert not re.search(r"[^\x20-\x7e\n]", out)
    lines = out.splitlines()
    assert lines.pop(0).startswith("edgeclient ")
    assert lines[0].startswith("Emulated: the network and the model's answers. loopback: 2 PoPs (far 14 ms, near 2 ms)")
    assert lines[1].startswith("Real: ")
    assert any(line.startswith("-- killed near (SIGKILL)") for line in lines)
    assert any(re.fullmatch(r"calls +80 +80", line) for line in lines)
    assert any(re.fullmatch(r"failed calls +0 +0", line) for line in lines)
    assert any(re.fullmatch(r"near +[\d.]+ ms +\w+ +\d+ +\d+%", line) for line in lines)
    assert any(
        re.fullmatch(r"edge inference +[\d.]+ ms   a small model at the PoP, 20 ms away", line) for line in lines
    )
    assert lines[-1].startswith("picture: edgeclient-demo.svg ")
    assert (tmp_path / "edgeclient-demo.svg").exists()


@pytest.mark.usefixtures("quick")
def test_a_call_that_fails_is_said_and_is_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "MODELS", {"openai": "", "anthropic": "claude-sonnet-4-6"})
    assert main([*DEMO[:3], "--questions", "10", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["edge"]["failed"] > 0 and told["plain"]["failed"] > 0
    assert any("must provide a model" in error for error in told["errors"])


def test_a_lab_that_cannot_be_built_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LabError("no network namespaces here; say --mode loopback")

    monkeypatch.setattr(demo, "Lab", refuse)
    assert main([*DEMO, "--plain"]) == 2
    err = capsys.readouterr().err
    assert err == "edgeclient: no network namespaces here; say --mode loopback\n"


def test_ctrl_c_is_one_line_and_status_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert main(DEMO) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1
