"""pytest plugin: runs the openai / anthropic SDK's own tests with other client classes, and counts who sent what.

Loaded with `-p upstream_plugin` by `runner.py`, inside the suite's own pytest. Its settings are in the environment:

UPSTREAM_PACKAGE  openai | anthropic
UPSTREAM_DROPIN   import path of the module that has the replacing classes (empty: the SDK's own)
UPSTREAM_PIPELINE `module:function` whose calls are counted too (empty: none)
UPSTREAM_OUT      file for the outcomes, written by the controlling process

How the classes are swapped: a class in the drop-in that has the name of a class in the SDK's namespace replaces it.
While test modules are imported, every module of the SDK shows the replacement, so `from openai import OpenAI`,
`openai.Client` and `from openai._client import OpenAI` in a test all get it. When collection is over, the SDK's own
modules get their classes back (all but the public namespace), because a real drop-in does not change what the
SDK's code sees: `anthropic._client._is_base_client()` must go on telling the drop-in from the original.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PACKAGE = os.environ["UPSTREAM_PACKAGE"]
DROPIN = os.environ.get("UPSTREAM_DROPIN", "")
PIPELINE = os.environ.get("UPSTREAM_PIPELINE", "")
OUT = os.environ["UPSTREAM_OUT"]

_PLATFORMS = {
    "openai": ["Azure{}", "Bedrock{}"],
    "anthropic": ["{}Bedrock", "{}BedrockMantle", "{}Vertex", "{}Foundry", "{}AWS", "{}GoogleCloud"],
}
_HTTP = [
    "DefaultHttpxClient",
    "DefaultAsyncHttpxClient",
    "DefaultHttpx2Client",
    "DefaultAsyncHttpx2Client",
    "DefaultAioHttpClient",
]


def _names() -> list[str]:
    """Every public class of a client, in any version of the SDK."""
    base = {"openai": "OpenAI", "anthropic": "Anthropic"}[PACKAGE]
    sync = [base, *(platform.format(base) for platform in _PLATFORMS[PACKAGE])]
    return [*sync, *(f"Async{name}" for name in sync), "Client", "AsyncClient", *_HTTP]


# ------------------------------------------------------------------------------- the swap
_swapped: dict[int, tuple[Any, Any]] = {}  # id(original) -> (original, replacement)
_back: dict[int, tuple[Any, Any]] = {}


def _rebind(modules: list[types.ModuleType], table: dict[int, tuple[Any, Any]]) -> None:
    for module in modules:
        for name, value in list(vars(module).items()):
            if id(value) in table and not name.startswith("__"):
                setattr(module, name, table[id(value)][1])


def _sdk_modules() -> list[types.ModuleType]:
    return [m for n, m in list(sys.modules.items()) if m is not None and n.partition(".")[0] == PACKAGE]


def _test_modules(root: str) -> list[types.ModuleType]:
    loaded = [module for module in list(sys.modules.values()) if isinstance(module, types.ModuleType)]
    return [m for m in loaded if str(getattr(m, "__file__", None) or "").startswith(root + os.sep)]


def _swap() -> None:
    sdk = importlib.import_module(PACKAGE)
    dropin = importlib.import_module(DROPIN)
    for name in _names():
        original, replacement = getattr(sdk, name, None), getattr(dropin, name, None)
        if original is None or replacement is None or original is replacement or id(original) in _swapped:
            continue
        _swapped[id(original)] = (original, replacement)
        _back[id(replacement)] = (replacement, original)
    if not _swapped:
        raise pytest.UsageError(f"{DROPIN} has none of the client classes of {PACKAGE}")
    _rebind(_sdk_modules(), _swapped)


# ------------------------------------------------------------------------------- who sent what
_made: Counter[str] = Counter()  # so far, in this process
_COUNTED = ("sent", "asked", "hooked", "piped")


def _count(owner: Any, name: str, kind: str) -> None:
    """Counts the calls of `owner.name`, which stays what it is otherwise."""
    inner: Callable[..., Any] = vars(owner)[name]
    if getattr(inner, "counted", None):
        return

    @functools.wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        _made[kind] += 1
        return inner(*args, **kwargs)

    call.counted = kind  # type: ignore[attr-defined]
    setattr(owner, name, call)


def _count_ours() -> None:
    """Where our calls are counted: the send hooks our classes override, and the pipeline if one is named."""
    for _, replacement in _swapped.values():
        for hook in ("_send_request", "_attempt_request"):
            owner = next((cls for cls in replacement.__mro__ if hook in vars(cls)), None)
            if owner is not None and owner.__module__.partition(".")[0] != PACKAGE:
                _count(owner, hook, "hooked")
    if PIPELINE:
        module, _, function = PIPELINE.partition(":")
        _count(importlib.import_module(module), function, "piped")


def _count_sends() -> None:
    """What is asked of SDK clients, and every request of the loaded HTTP families (anthropic's tests alias one)."""
    base = importlib.import_module(f"{PACKAGE}._base_client")
    for client in (base.SyncAPIClient, base.AsyncAPIClient):
        _count(client, "request", "asked")
    for family in ("httpx2", "httpx"):
        module = sys.modules.get(family)
        for client in ("Client", "AsyncClient") if module else ():
            _count(getattr(module, client), "send", "sent")


if DROPIN:
    _swap()
    _count_ours()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if not DROPIN:
        return
    _rebind([m for m in _sdk_modules() if m.__name__ != PACKAGE], _back)
    _rebind(_test_modules(str(session.config.rootpath)), _swapped)
    _count_sends()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    before = _made.copy()
    yield
    item.user_properties.append(("upstream", [_made[kind] - before[kind] for kind in _COUNTED]))


# ------------------------------------------------------------------------------- outcomes
_outcomes: dict[str, list[Any]] = {}  # id -> the fields of compare.Outcome, in order


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        _outcomes[report.nodeid] = ["error", 0.0, str(report.longreprtext)[-4000:]]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    result = _result(report)
    if result is None:
        return
    why = str(report.longreprtext)[-4000:] if result in ("failed", "error") else ""
    made = dict(report.user_properties).get("upstream", [0] * len(_COUNTED))
    _, seconds, *_ = _outcomes.get(report.nodeid, ["", 0.0])
    _outcomes[report.nodeid] = [result, round(report.duration + seconds, 3), why, *made]


def _result(report: pytest.TestReport) -> str | None:
    """The outcome a phase decides; None when it decides none (a set-up or tear-down that went well)."""
    if report.when == "call":
        if hasattr(report, "wasxfail"):
            return "xfailed" if report.skipped else "xpassed"
        return str(report.outcome)
    if report.failed:
        return "error"
    return "skipped" if report.skipped and report.when == "setup" else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    renamed = {ours.__name__: sdk.__name__ for sdk, ours in _swapped.values() if ours.__name__ != sdk.__name__}
    with open(OUT, "w") as file:
        json.dump({"renamed": renamed, "outcomes": _outcomes}, file)
