"""The architecture page says what the tests enforce: its table of imports is the table of `test_layers.py`."""

from __future__ import annotations

import ast
import re

from pages import ROOT


def test_the_table_of_imports_is_the_enforced_one() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| (.+) \|$", text, re.MULTILINE)
    said = [[set(re.findall(r"`([\w.]+)`", group)) for group in row.split(" · ")] for row in rows]
    assert said == _enforced(), "tests/test_layers.py has changed: change the table in the page, too"


def _enforced() -> list[list[set[str]]]:
    for node in ast.parse((ROOT / "tests" / "test_layers.py").read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "LAYERS":
            assert node.value is not None
            layers: list[list[set[str]]] = ast.literal_eval(node.value)
            return layers
    raise AssertionError("tests/test_layers.py has no LAYERS")


def test_the_tests_that_the_promise_names_exist() -> None:
    text = (ROOT / "docs" / "explanation" / "never-worse.md").read_text("utf-8")
    named = set(re.findall(r"`(tests/[\w./]+)`", text))
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / path).exists()]
