"""`edgeclient probe` against a lab: the nearest first, what is down is said, no key leaves, bad input gets one clear line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from edgeclient.cli import main
from edgeclient.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab({"fra": 5.0, "nyc": 20.0}, mode="loopback", record=True) as running:
        yield running


def test_the_settings_endpoints_are_measured_nearest_first(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoints = [{"name": name, "url": lab.urls[name], "key": "passthrough"} for name in ("nyc", "fra")]
    monkeypatch.setenv("EDGECLIENT_ENDPOINTS", json.dumps(endpoints))
    monkeypatch.setenv("EDGECLIENT_RTT_SOURCE", "http")  # in loopback mode the delay is in the answer
    assert main(["probe", "--json", "--rounds", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in said["endpoints"]] == ["fra", "nyc"]
    assert all(row["samples"] == 3 and row["rtt_ms"] <= row["median_ms"] for row in said["endpoints"])
    assert [(row["pop"], row["city"]) for row in said["endpoints"]] == [("FRA", "Frankfurt-am-Main"), ("NYC", "")]
    assert lab.requests() == {"fra": 0, "nyc": 0, "origin": 0}  # nothing that a provider bills
    sent = [header for site in ("fra", "nyc") for one in lab.recorded(site) for header in one["headers"]]  # type: ignore[attr-defined]
    assert not [name for name, _ in sent if "auth" in name.lower() or "key" in name.lower()]


def test_what_is_down_is_said(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.kill("nyc")
    assert main(["probe", lab.urls["nyc"], lab.urls["fra"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    fra, nyc = (urlsplit(lab.urls[pop]).netloc for pop in ("fra", "nyc"))
    assert lines[0].startswith("endpoint") and lines[1].split("  ")[0] == fra
    assert lines[2].split("  ")[0] == nyc and lines[2].endswith("could not be reached")
    lab.kill("fra")
    assert main(["probe", lab.urls["nyc"], lab.urls["fra"]]) == 1


def test_without_endpoints_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe"]) == 2
    assert "no endpoints are set; give their URLs" in capsys.readouterr().err
    assert main(["probe", "fra.example.com"]) == 2
    assert (
        "argument endpoints" in (said := capsys.readouterr().err) and "'fra.example.com'; give an http(s) URL" in said
    )
