"""`edgeclient demo --live`: real calls by the user's settings, here to a small lab.  Starts processes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from edgeclient.cli import live, main
from edgeclient.lab import Lab

LIVE = ["demo", "--live", "--questions", "12", "--json"]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab that the environment's settings name; the SDKs' own origins may not be asked."""
    monkeypatch.setattr(live, "_PER_S", 200.0)
    with Lab({"near": 1.0}, origin_ms=2, mode="loopback", first_token_ms=(1, 2), tokens_per_s=50_000) as lab:
        endpoint = {"name": "near", "url": lab.urls["near"], "anthropic": lab.anthropic_urls["near"]}
        monkeypatch.setenv("EDGECLIENT_ENDPOINTS", json.dumps([endpoint]))
        monkeypatch.setenv("EDGECLIENT_KEY", "passthrough")
        monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
        monkeypatch.setenv("EDGECLIENT_ORIGIN", "never")
        yield lab


def test_live_asks_the_endpoints_of_the_settings(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*LIVE, "--yes", "--price-per-mtok", "5"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["edge"]["calls"] == 12 and told["edge"]["failed"] == 0
    assert told["answered_by"]["near"] == lab.requests()["near"] == 12 - told["edge"]["hits"]
    assert told["tokens"] > 0
    assert "up to 12 real calls to claude-sonnet-4-6 and gpt-6-luna" in err
    assert "At your price of 5 a million tokens" in err


def test_only_sdks_with_a_key_are_asked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert main([*LIVE, "--yes", "--anthropic-model", "claude-haiku-4-5"]) == 0
    assert "12 real calls to claude-haiku-4-5 (" in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("said", "sent"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_live_asks_before_it_spends(
    said: str, sent: bool, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(said))
    assert main(["demo", "--live", "--questions", "2", "--plain"]) == 0
    out, err = capsys.readouterr()
    assert "[y/N]" in err and "edgeclient does not know" in err
    assert (lab.requests()["near"] > 0) is sent
    assert ("nothing was sent" in err) is not sent
    assert ("2 live calls: no call failed" in out) is sent


def test_live_without_a_yes_and_without_a_terminal_sends_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(LIVE) == 2
    assert "say --yes" in capsys.readouterr().err
    assert lab.requests()["near"] == 0


def test_live_without_settings_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(LIVE) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("edgeclient: --live uses your settings, and there are none: set EDGECLIENT_ENDPOINTS")
    assert len(err.splitlines()) == 1


def test_live_without_keys_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGECLIENT_CACHE", "exact")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    assert main(LIVE) == 2
    assert "set OPENAI_API_KEY, ANTHROPIC_API_KEY, or both" in capsys.readouterr().err


def test_wrong_settings_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EDGECLIENT_ENDPOINTS", "https://fra.example.com/v1")
    assert main(LIVE) == 2
    assert capsys.readouterr().err.startswith(
        "edgeclient: variable EDGECLIENT_ENDPOINTS: endpoints.fra.example.com says no key"
    )
