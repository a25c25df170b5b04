"""Tells small open-weight models from foundation models by name. Pure, but for reading one file of the package once.

The rules are data (`data/models.json`, with sources and date). Small models can run at the PoP itself, foundation
models go through a gateway; of a name that nobody knows (a deployment, a private model) we claim nothing.
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from typing import Any

_LONGEST = 256  # characters; the longest genuine names (ARNs of inference profiles) have about 130


class Kind(Enum):
    """What a model's name says about where it can run."""

    SMALL = "small"  # open weights that a PoP can run, or that Workers AI does run there
    FOUNDATION = "foundation"  # closed, or too large for a PoP
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind of a model and, in words for a reader, the rule that decided it."""

    kind: Kind
    reason: str


def kind_of(model: str) -> Kind:
    """The kind of a model, in any spelling of the name that providers and gateways use. Never raises."""
    return verdict_on(model).kind


def verdict_on(model: str) -> Verdict:
    """The kind of a model and why. Case and surrounding blanks do not matter. Never raises."""
    if len(model) > _LONGEST:  # before the cache, which would keep it
        return Verdict(Kind.UNKNOWN, f"the name is longer than {_LONGEST} characters")
    return _verdict(model.strip().lower())


@lru_cache(maxsize=4096)
def _verdict(whole: str) -> Verdict:
    catalogue = _catalogue()
    if catalogue.workers_id.match(whole):
        return Verdict(Kind.SMALL, "an id of Workers AI, which runs its models at the PoP")
    name = bare(whole)
    if name in catalogue.workers_ai:
        return Verdict(Kind.SMALL, "Workers AI runs it at the PoP")
    return (
        _first(catalogue.before_size, name)
        or _by_size(name, catalogue.small_up_to_b)
        or _first(catalogue.after_size, name)
        or Verdict(Kind.UNKNOWN, "no rule knows this name")
    )


def bare(name: str) -> str:
    """A lower-case name without the provider, region and account that gateways put before it."""
    if name.startswith("ft:"):  # OpenAI's fine-tunes: ft:model:organisation:suffix:id
        name = name.split(":")[1]
    for prefix in _catalogue().prefixes:
        name = prefix.sub("", name, count=1)
    return name


# 8b, 0.6b, 2p5b (Fireworks), 8x7b, 300m, 1t. Not a3b (active parameters), 4bit, 128k, nor 1m (a context length).
_SIZE = re.compile(r"(?<![a-z0-9.])(?:([0-9]{1,3})x)?([0-9]{1,4}(?:[.p][0-9]{1,3})?)(b|t|(?<=[0-9]{2})m)(?![a-z0-9])")
_BILLIONS = {"b": 1.0, "t": 1000.0, "m": 0.001}


def _by_size(name: str, small_up_to_b: float) -> Verdict | None:
    sizes = [
        float(experts or 1) * float(number.replace("p", ".")) * _BILLIONS[unit]
        for experts, number, unit in _SIZE.findall(name)
    ]
    if not sizes:
        return None
    size = max(sizes)
    if size <= small_up_to_b:
        return Verdict(Kind.SMALL, f"{size:g} billion parameters by its name: small up to {small_up_to_b:g}")
    return Verdict(Kind.FOUNDATION, f"{size:g} billion parameters by its name: too large for a PoP")


class _Rule:
    """A pattern, compiled when it is first tried: all of them at once would take longer than a call's whole way through."""

    __slots__ = ("_match", "_text", "verdict")

    def __init__(self, text: str, verdict: Verdict) -> None:
        self._text, self.verdict = text, verdict
        self._match: Callable[[str], object] | None = None

    def fits(self, name: str) -> bool:
        match = self._match
        if match is None:
            match = self._match = re.compile(self._text).match
        return match(name) is not None


def _first(rules: Iterable[_Rule], name: str) -> Verdict | None:
    return next((rule.verdict for rule in rules if rule.fits(name)), None)


@dataclass(frozen=True, slots=True)
class _Catalogue:
    prefixes: tuple[re.Pattern[str], ...]
    workers_id: re.Pattern[str]
    workers_ai: frozenset[str]
    small_up_to_b: float
    before_size: tuple[_Rule, ...]
    after_size: tuple[_Rule, ...]


def data(name: str) -> dict[str, Any]:
    """One file of this package's data."""
    text = pkgutil.get_data(__package__, f"data/{name}")  # importlib.resources takes 2 ms for its first file
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def _catalogue() -> _Catalogue:
    read = data("models.json")
    return _Catalogue(
        prefixes=tuple(re.compile(f"^{prefix}") for prefix in read["prefixes"]),
        workers_id=re.compile(read["workers_id"]),
        workers_ai=frozenset(read["workers_ai"]),
        small_up_to_b=float(read["small_up_to_b"]),
        before_size=tuple(map(_rule, read["before_size"])),
        after_size=tuple(map(_rule, read["after_size"])),
    )


def _rule(read: dict[str, str]) -> _Rule:
    return _Rule(read["name"], Verdict(Kind(read["kind"]), read["reason"]))
