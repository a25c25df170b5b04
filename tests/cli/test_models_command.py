"""`edgeclient models`: the list, one name in any spelling, what settings add, unknown names; as text, as JSON, with rich."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from edgeclient.cli import main, models
from edgeclient.routing import families

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc).timestamp()


@pytest.fixture(autouse=True)
def _on_a_fixed_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.time, "time", lambda: NOW)


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["models", *arguments]) == status
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(capsys, *arguments, "--json", status=status))
    return found


def test_the_list_names_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert lines[0].split() == ["family", "kind", "context", "systems", "ends"]
    assert [line.split()[0] for line in lines[1:]] == [family.name for family in families.families()]
    (gemini,) = [line for line in lines if line.startswith("gemini-2.5-pro")]
    assert "foundation" in gemini and "vertex retired 2026-10-20, google 2026-12-01" in gemini and "vercel" in gemini
    (mistral,) = [line for line in lines if line.startswith("mistral-7b-instruct")]
    assert "small" in mistral and "8192-32768" in mistral and "workers-ai cloudflare-gateway together" in mistral


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["family"]: row for row in told(capsys)["families"]}
    assert len(rows) == len(families.families())
    assert rows["bge-m3"]["context"] == [60000, 60000] and rows["qwen3.8-27b"]["ends"] == []
    ends = {end["provider"]: end for end in rows["claude-sonnet-4.5"]["ends"]}
    assert list(ends) == ["vertex", "anthropic", "bedrock"]  # the earliest first
    assert (ends["anthropic"]["date"], ends["anthropic"]["over"]) == ("2026-11-30", False)
    assert ends["vertex"]["over"] and ends["vertex"]["sources"]


def test_a_name_is_told_with_reason_names_and_end(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "@cf/meta/llama-3.1-8b-instruct")
    assert text.startswith("@cf/meta/llama-3.1-8b-instruct: small (an id of Workers AI")
    assert "family: llama-3.1-8b-instruct\n" in text
    assert "lifecycle: retired; @cf/meta/llama-3.1-8b-instruct was retired at workers-ai on 2026-05-30" in text
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "system name weights context features ends" in rows
    assert "deepinfra meta-llama/Meta-Llama-3.1-8B-Instruct same family 131072 tools" in rows
    assert "fireworks accounts/fireworks/models/llama-v3p1-8b-instruct same family 131072 no tools, json schema" in rows
    assert "workers-ai @cf/meta/llama-3.1-8b-instruct same weights workers-ai retired 2026-05-30" in rows


def test_a_name_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "claude-sonnet-4-5")
    assert (found["kind"], found["family"], found["stage"]) == ("foundation", "claude-sonnet-4.5", "ending")
    assert found["news"].startswith("claude-sonnet-4-5 ends at anthropic on 2026-11-30, in 6 days")
    weights = {name["name"]: name["weights"] for name in found["names"]}
    assert weights["anthropic/claude-sonnet-4.5"] == "same weights"
    assert found["names"][0]["tools"] is None  # not known is not no


def test_an_embedding_tells_its_dimension_and_pooling(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "bge-base-en-v1.5")
    assert "embedding: 768 numbers, pooling cls\n" in text and "do not mix" in text
    assert "pooling not known" in said(capsys, "embeddinggemma")
    assert "lifecycle: live, no end is known" in text


def test_a_name_with_several_meanings_is_told_with_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert "say which: gpt-oss-20b, gpt-oss-120b" in said(capsys, "gpt-oss")
    assert told(capsys, "gpt-oss")["meanings"] == ["gpt-oss-20b", "gpt-oss-120b"]


def test_a_name_that_only_the_rules_know(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "grok-9")
    assert text.startswith("grok-9: foundation (xAI") and "family" not in text


def test_an_unknown_name_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "our-model", status=1)
    assert text.startswith("our-model: nobody here knows this name")
    Path("edgeclient.toml").write_text(text.partition("\n\n")[2].replace('"..."', '"llama-3.1-8b"'), "utf-8")
    known = said(capsys, "our-model")
    assert known.startswith("our-model: small (your settings say so)\nfamily: llama-3.1-8b-instruct\n")
    assert "context: 8192 (your settings)" in known
    assert told(capsys, "nobody", status=1)["kind"] == "unknown"


def test_what_settings_say_is_listed_first(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"our-model": {"kind": "small", "context": 8192, "ends": "2026-11-24"}, "gpt-4o": {"kind": "small"}}
    monkeypatch.setenv("EDGECLIENT_MODELS", json.dumps(own))
    line = " ".join(said(capsys).splitlines()[1].split())
    assert line == "our-model small 8192 settings settings retired 2026-11-24"
    assert said(capsys, "gpt-4o").startswith("gpt-4o: small (your settings say so)")


def test_an_alias_is_followed_and_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_ALIASES", '{"gpt-4o": "gpt-6-luna"}')
    text = said(capsys, "gpt-4o")
    assert text.startswith("gpt-4o: your settings ask for gpt-6-luna instead\ngpt-6-luna: foundation")
    assert "family: gpt-6-luna" in text


def test_bad_settings_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLIENT_MODELS", '{"mine": {"family": "nonsense"}}')
    assert main(["models"]) == 2
    assert "models.mine.family is 'nonsense', which is no family" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["gpt-4o"]])
def test_on_a_terminal_it_is_drawn(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    text = said(capsys, *arguments)
    assert "─" in text and "gpt-4o" in text
    monkeypatch.setitem(__import__("sys").modules, "rich", None)
    assert "─" not in said(capsys, *arguments)
