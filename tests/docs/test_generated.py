"""The generated reference pages are what the code says today, and a stale one is found."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pages import ROOT


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_fresh(generate: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_page_is_found_and_shown(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate.main(["--into", str(tmp_path)]) == 0
    stale = tmp_path / "notes.md"
    stale.write_text(stale.read_text("utf-8").replace("| `attempts`", "| `tries`"), "utf-8")
    capsys.readouterr()
    assert generate.main(["--check", "--into", str(tmp_path)]) == 1
    assert "+| `attempts`" in capsys.readouterr().out
