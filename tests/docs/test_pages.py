"""Every code block of README.md and docs/ runs, parses or names things that exist; every relative link leads somewhere."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import pages
import pytest
from pages import PAGES, ROOT, name_of

from edgeclient.lab import Lab
from edgeclient.routing import presets
from edgeclient.routing.providers import NAMES
from edgeclient.settings import SETTINGS, load

_SYSTEM_PAGES = sorted((ROOT / "docs" / "how-to" / "systems").glob("*.md"))
_FAST: dict[str, Any] = {"first_token_ms": (1.0, 2.0), "tokens_per_s": 20_000.0}


def _with(tag: str) -> list[Any]:
    return [
        pytest.param(page, id=name_of(page))
        for page in PAGES
        if any(b.tag == tag for b in pages.blocks(page.read_text("utf-8")))
    ]


def _blocks(tag: str) -> list[Any]:
    return [
        pytest.param(block.code, id=f"{name_of(page)}:{block.line}")
        for page in PAGES
        for block in pages.blocks(page.read_text("utf-8"))
        if block.tag == tag
    ]


@pytest.mark.parametrize("page", _with("python"))
def test_the_python_blocks_of_a_page_run_and_print_what_it_says(page: Path) -> None:
    text = page.read_text("utf-8")
    asked = pages.lab_of(text)
    space: dict[str, Any] = {"__name__": "__page__"}
    printed = ""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ))
        if asked is not None:
            space["lab"] = stack.enter_context(
                Lab(asked, origin_ms=1, backbone_ms=1, mode="loopback", record=True, **_FAST)
            )
        for block in pages.blocks(text):
            if block.tag == "output":
                assert pages.printed_as_said(printed, block.code), f"{name_of(page)}:{block.line}: printed {printed!r}"
            if block.tag != "python":
                continue
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(code, space)
            printed = out.getvalue()
        space.clear()
        gc.collect()  # what was left open warns now, and warnings are errors


@pytest.mark.parametrize("code", _blocks("toml"))
def test_a_toml_block_loads_as_settings(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = " ".join(presets.system(name).key for name in NAMES)  # those that nobody has to say
    for variable in (*re.findall(r"env:(\w+)", code + keys), "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "sk-dummy")
    Path("edgeclient.toml").write_text(code, "utf-8")
    load({}, presets.expand)


@pytest.mark.parametrize("code", _blocks("sh"))
def test_the_commands_of_a_shell_block_exist(code: str) -> None:
    script = (ROOT / "dev").read_text("utf-8")
    ours = set(re.findall(r"^([a-z]+)\)", script, re.MULTILINE))
    for command in re.findall(r"^(?:\$ )?\./dev ([a-z-]+)", code, re.MULTILINE):
        assert command in ours
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    known = set(re.findall(r"^## `edgeclient ([a-z]+)`$", page, re.MULTILINE))
    assert set(re.findall(r"(?:^|\s)edgeclient ([a-z]+)", code)) <= known
    for example in re.findall(r"examples/[\w.]+", code):
        assert (ROOT / example).exists()


@pytest.mark.parametrize("page", [pytest.param(p, id=name_of(p)) for p in PAGES])
def test_a_page_uses_known_tags_and_known_variables(page: Path) -> None:
    text = page.read_text("utf-8")
    odd = {block.tag for block in pages.blocks(text)} - pages.TAGS
    assert not odd, f"use one of {sorted(pages.TAGS)}"
    variables = {v.removeprefix("EDGECLIENT_").lower() for v in re.findall(r"\bEDGECLIENT_[A-Z_]*[A-Z]\b", text)}
    assert variables <= {*SETTINGS, "config", "name", "record"}


@pytest.mark.parametrize("page", [pytest.param(p, id=name_of(p)) for p in PAGES])
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = pages.prose(page.read_text("utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / unquote(path)).resolve() if path else page
        assert target.exists(), f"{link}: there is no {target}"
        if anchor:
            assert anchor in _anchors(target), f"{link}: no such heading; there are {sorted(_anchors(target))}"


def _anchors(page: Path) -> set[str]:
    """The anchors GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_index() -> None:
    seen, todo = set[Path](), [ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        text = pages.prose(page.read_text("utf-8"))
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^):\s]+)\)", text)]
        todo += [(page.parent / link).resolve() for link in links if link]
    assert not {*PAGES} - seen - {ROOT / "README.md"}


@pytest.mark.parametrize("name", NAMES)
def test_every_system_has_a_page_that_shows_how_to_write_it(name: str) -> None:
    written = re.compile(rf'["`\s({{|]{re.escape(name)}:|system = "{re.escape(name)}"')
    assert any(written.search(page.read_text("utf-8")) for page in _SYSTEM_PAGES)


def test_the_index_leads_to_every_how_to_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    found = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs" / "how-to").rglob("*.md")}
    assert not {page for page in found if f"({page})" not in index}
