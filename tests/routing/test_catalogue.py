"""Small or foundation model: a table of names, and what holds for any name."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeclient.routing import catalogue
from edgeclient.routing.catalogue import Kind, kind_of, verdict_on

GROUPS: dict[str, Any] = json.loads((Path(__file__).parent / "cases" / "catalogue.json").read_text(encoding="utf-8"))
CASES = [(name, Kind(group["kind"])) for group in GROUPS.values() if isinstance(group, dict) for name in group["names"]]
DATA: dict[str, Any] = json.loads((files("edgeclient.routing") / "data" / "models.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "kind"), CASES, ids=ascii)
def test_a_name_tells_the_kind(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind, verdict_on(name).reason


@pytest.mark.parametrize(
    ("billions", "kind"), [(34, Kind.SMALL), (34.1, Kind.FOUNDATION), (1.5, Kind.SMALL), (1000, Kind.FOUNDATION)]
)
@pytest.mark.parametrize("spelling", ["new-{}b", "new:{}b", "New-{}B-Instruct", "vendor/new_{}b-q4_k_m", "{}b"])
def test_a_size_in_an_unknown_name_decides(spelling: str, billions: float, kind: Kind) -> None:
    assert kind_of(spelling.format(billions)) is kind


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("qwen3-8b", "8 billion"),
        ("gpt-4o", "OpenAI"),
        ("@cf/a/b", "Workers AI"),
        ("nobody", "no rule"),
        ("x" * 257, "longer than 256"),
    ],
)
def test_a_verdict_says_why(name: str, reason: str) -> None:
    assert reason in verdict_on(name).reason


def test_a_very_long_name_is_unknown_and_not_kept() -> None:
    before = catalogue._verdict.cache_info().currsize
    assert kind_of("gpt-4o" + "x" * 10_000_000) is Kind.UNKNOWN
    assert catalogue._verdict.cache_info().currsize == before


@pytest.mark.parametrize("rule", DATA["before_size"] + DATA["after_size"], ids=lambda rule: rule["name"][:30])
def test_every_rule_decides_a_case(rule: dict[str, str]) -> None:
    names = [name for name, _ in CASES]
    assert any(verdict_on(name).reason == rule["reason"] and re.search(rule["name"], name.lower()) for name in names)


def test_the_table_is_written_as_names_are_compared() -> None:
    assert DATA["about"]["as_of"] and DATA["about"]["sources"]
    table = DATA["workers_ai"]
    assert table == sorted(set(table)) and all(name == name.lower() and "/" not in name for name in table)


NAMES = st.sampled_from([name for name, _ in CASES if name.isascii()])
PIECES = st.lists(
    st.sampled_from(
        ["llama", "gpt-", "8", "b", "x", "7b", ":", "/", "@cf/", "-", ".", "ft:", "qwen", "max", "٣b", "\n"]
    )
)


@given(st.text() | PIECES.map("".join))
@example("\ud800")
@example("ft::::")
@example("9999x9999b")
@example("٣b")
@example("İ" * 256)
@example("qwen-" + "a-" * 125)
def test_no_name_makes_it_raise(name: str) -> None:
    assert kind_of(name) in Kind


@given(NAMES, st.data())
def test_case_and_blanks_around_do_not_matter(name: str, data: st.DataObject) -> None:
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    mixed = "".join(letter.upper() if up else letter.lower() for letter, up in zip(name, upper, strict=True))
    assert kind_of(f" {mixed}\n") is kind_of(name)


@given(
    NAMES.filter(lambda name: not name.startswith("ft:")),
    st.sampled_from(["openrouter/", "a/b/", "accounts/x/models/"]),
)
def test_a_path_before_the_name_does_not_matter(name: str, path: str) -> None:
    assert kind_of(path + name) is kind_of(name)
