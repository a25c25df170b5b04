"""The systems under test: how each is named, emulated and asked, and what its documented failures have to lead to.

Each system has its file in `of/`, with a dictionary `CASES`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from edgeclient.lab.systems.emulator import Emulator

SECRET = "secret-of-the-endpoint"


def own(key: str | None) -> dict[str, str]:
    """The fields of an endpoint with that key."""
    return {} if key is None else {"key": key}


@dataclass(frozen=True)
class Case:
    """One system, or one way to use it. `outcomes`: failure of the emulator -> outcome of the attempt; "ok" is an answer."""

    preset: str  # without the host
    emulator: type[Emulator]
    models: Mapping[str, str]  # capability (or "" for all others) -> the model to ask for
    outcomes: Mapping[str, str]
    set: Mapping[str, object] = field(default_factory=dict)  # attributes of the emulator
    key: str | None = "env:ENDPOINT_KEY"  # None where requests are signed instead
    lacks: Mapping[str, str] = field(default_factory=dict)  # what this way of using it does not have, and why


def _all() -> dict[str, Case]:
    from . import of

    found: dict[str, Case] = {}
    for module in pkgutil.iter_modules(of.__path__):
        found.update(importlib.import_module(f"{of.__name__}.{module.name}").CASES)
    return found


CASES = _all()
