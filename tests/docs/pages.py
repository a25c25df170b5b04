"""Reads the pages of the documentation: their code blocks, and what a page asks for in comments that readers don't see.

`<!-- lab: fra=5, nyc=20 -->` gives the blocks of a page a running lab named `lab`.
A block tagged `output` says what the python block before it prints; `...` stands for anything, and a number with a decimal
point for any such number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

TAGS = frozenset({"python", "output", "toml", "sh", "text", "json"})

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
_LAB = re.compile(r"<!--\s*lab:\s*(.*?)\s*-->")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `line` is the number of its first line of code."""

    tag: str
    line: int
    code: str


def name_of(page: Path) -> str:
    """A page's path from the root, for the names of tests."""
    return page.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order. Raises ValueError for one that is never closed."""
    fence, indent, tag, begun, code = "", "", "", 0, list[str]()
    for number, line in enumerate(text.splitlines(), 1):
        found = _FENCE.match(line)
        if not fence:
            if found:
                indent, fence, tag = found[1], found[2], found[3].strip()
                begun, code = number + 1, []
        elif found and found[2].startswith(fence) and not found[3].strip():
            yield Block(tag, begun, "\n".join(code) + "\n")
            fence = ""
        else:
            code.append(line.removeprefix(indent))
    if fence:
        raise ValueError(f"the block that begins in line {begun - 1} is never closed")


def prose(text: str) -> str:
    """A page without its fenced blocks and inline code: where links are links."""
    kept, fence = [], ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[2]
        elif found and found[2].startswith(fence) and not found[3].strip():
            fence = ""
        elif not fence:
            kept.append(re.sub(r"`[^`]*`", "", line))
    return "\n".join(kept)


def lab_of(text: str) -> dict[str, float] | None:
    """The PoPs that a page asks for, name -> milliseconds; None when it asks for no lab."""
    found = _LAB.search(text)
    if found is None:
        return None
    return {name.strip(): float(ms) for name, ms in (part.split("=") for part in found[1].split(","))}


def printed_as_said(printed: str, said: str) -> bool:
    """True when what was printed is what an `output` block says."""
    pattern = re.escape(said.strip()).replace(re.escape("..."), ".*?")
    pattern = re.sub(r"\d+\\\.\d+", r"\\d+\\.\\d+", pattern)
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
