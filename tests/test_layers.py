"""The architecture, as a table: which file may import which. Every import counts, wherever in a file it stands."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "edgeclient"

# A file may import what stands in its own group or in an earlier row; groups of one row never import one another.
# The longest name that fits a file decides: `runtime.protocol` is not `runtime`.
LAYERS: list[list[set[str]]] = [
    [{"errors", "frozen", "noting", "values"}],
    [{"settings", "surroundings"}, {"aws_tokens", "aws_signing", "aws_streams"}],
    [{"dialects"}, {"routing"}, {"pops"}, {"cache"}, {"telemetry"}, {"front"}],
    [{"runtime.protocol"}],
    [{"policies"}],
    [
        {
            "attempts",
            "cascading",
            "classifying",
            "judging",
            "keeping",
            "parting",
            "pipeline",
            "planning",
            "reading_along",
            "recalling",
            "reporting",
            "teaching",
        }
    ],
    [{"runtime", "http"}],
    [{"edge", "owning", "semantics"}],
    [{"default"}],
    [{"openai"}, {"anthropic"}, {"transports"}, {"lab"}, {"testing"}],
    [{"__init__"}],  # the public names; below it nobody imports the package itself
    [{"deploy"}],
    [{"cli"}],
]
EXCEPTIONS = {
    ("cache.policy", "os"): "urandom: the new id of an answer from the cache; it has to differ between processes",
    (
        "pops.limits",
        "datetime.datetime",
    ): "fromisoformat: reads a time that a header says; nobody is asked what time it is",
    ("routing.lifecycle", "datetime.date"): "reads and compares days that the data say; today is an argument",
}
# Files that decide and remember, but do nothing: their time and chance are arguments.
POLICIES = (
    [f"cache.{name}" for name in ("key", "policy", "controls", "tee", "sharing", "streams", "semantic", "upstream")]
    + [f"cache.stores.{name}" for name in ("wire", "breaker", "pace", "backend", "layered", "redis_names")]
    + [
        f"cache.{name}"
        for name in (
            "lexicon",
            "roles",
            "reading",
            "guards",
            "features",
            "verifier",
            "trees",
            "matcher",
            "bound",
            "risk",
            "logistic",
        )
    ]
    + [
        "cache.embedders.contract",
        "cache.embedders.none",
        "cache.index",
        "cache.agreement",
        "cache.evidence",
        "cache.lessons",
    ]
    + [
        f"pops.{name}"
        for name in (
            "rtt",
            "health",
            "selector",
            "identity",
            "server_time",
            "limits",
            "cold",
            "keeping",
            "hedging",
            "retry_budget",
            "track",
            "suiting",
            "quickness",
            "exploring",
            "affinity",
            "refusals",
            "memory",
            "wake",
            "warmth",
            "ip_versions",
        )
    ]
    + [
        "dialects",
        "routing",
        "policies",
        "classifying",
        "attempts",
        "judging",
        "keeping",
        "parting",
        "reading_along",
        "recalling",
        "reporting",
        "teaching",
        "pipeline",
    ]
)
# `uuid`, `secrets` and `datetime` hide a clock or a source of chance.
IMPURE = {"time", "socket", "os", "asyncio", "subprocess", "uuid", "secrets", "ssl", "select", "datetime"}
ALLOWED_NAMES = {"threading": {"Lock"}, "random": {"Random"}}  # of these modules, only these names


@cache
def _modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def _is_package(name: str) -> bool:
    return name == "__init__" or (ROOT / name.replace(".", "/") / "__init__.py").exists()


@cache
def _imports(name: str) -> frozenset[str]:
    """The absolute names of all that a file imports; `from x import y` gives `x.y`, and the reader decides what y is."""
    found = set()
    for node in ast.walk(_modules()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = [] if name == "__init__" else name.split(".")
                up = node.level - (1 if _is_package(name) else 0)
                base = ".".join(["edgeclient", *here[: len(here) - up], *base.split()])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(found)


def _own(name: str) -> set[str]:
    """The files of edgeclient that a file imports."""
    found = set()
    for imported in _imports(name):
        root, _, rest = imported.partition(".")
        while root == "edgeclient":
            if (rest or "__init__") in _modules():
                found.add(rest or "__init__")
                break
            rest = rest.rpartition(".")[0]
    return found - {name}


def _place(name: str) -> tuple[int, int] | None:
    """The row and the group of a file: the longest name of the table that is it or its package."""
    fits = [
        (len(entry), row, group)
        for row, groups in enumerate(LAYERS)
        for group, entries in enumerate(groups)
        for entry in entries
        if name == entry or name.startswith(f"{entry}.")
    ]
    return max(fits)[1:] if fits else None


def _may_import(name: str, other: str) -> bool:
    mine, theirs = _place(name), _place(other)
    assert mine is not None and theirs is not None, f"{name} or {other} has no place in the table"
    return mine == theirs or theirs[0] < mine[0] or (name, other) in EXCEPTIONS


@pytest.mark.parametrize("name", sorted(_modules()))
def test_imports_point_one_way(name: str) -> None:
    against = sorted(other for other in _own(name) if not _may_import(name, other))
    assert not against, f"{name} imports {against}: against the table"


def test_every_exception_is_in_use() -> None:
    unused = [pair for pair in EXCEPTIONS if pair[1] not in _own(pair[0]) | _imports(pair[0])]
    assert not unused


def test_no_file_imports_itself_in_a_circle() -> None:
    graph = {name: {other for other in _own(name) if (name, other) not in EXCEPTIONS} for name in _modules()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_the_lab_stands_alone() -> None:
    import sys

    allowed = {*sys.stdlib_module_names, "trustme", "__future__"}
    for name in (name for name in _modules() if name == "lab" or name.startswith("lab.")):
        others = {i for i in _imports(name) if i.partition(".")[0] not in allowed}
        assert all(i.startswith("edgeclient.lab") for i in others), f"{name} imports {sorted(others)}"


@pytest.mark.parametrize("name", sorted(_modules()))
def test_only_families_knows_the_http_packages(name: str) -> None:
    names = {i.partition(".")[0] for i in _imports(name)}
    names |= {n.id for n in ast.walk(_modules()[name]) if isinstance(n, ast.Name)}
    assert name == "http.families" or not names & {"httpx", "httpx2", "httpcore", "httpcore2"}


@pytest.mark.parametrize("name", [n for n in _modules() if any(n == p or n.startswith(f"{p}.") for p in POLICIES)])
def test_policies_ask_nobody_for_time_or_chance(name: str) -> None:
    asked = {i for i in _imports(name) if i.partition(".")[0] in IMPURE and (name, i) not in EXCEPTIONS}
    assert not asked, f"{name} imports {sorted(asked)}"
    for module, allowed in ALLOWED_NAMES.items():
        used = {
            node.attr
            for node in ast.walk(_modules()[name])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module
        }
        used |= {i.partition(".")[2] for i in _imports(name) if i.startswith(f"{module}.")}
        assert used <= allowed, f"{name} uses {module}.{sorted(used - allowed)}"
