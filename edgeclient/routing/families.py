"""Which family a model's name belongs to, and what that family is called elsewhere. Pure, but for reading one file once.

The names are data (`data/families.json`, with sources and date). Nothing is guessed: a name with several meanings is
reported with them, and what the file does not say of a model is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from .catalogue import Kind, bare, data


class Likeness(Enum):
    """How alike the weights behind two names are, by what the names say. From the closest to the farthest."""

    SAME_WEIGHTS = "same weights"
    SAME_FAMILY = "same family"  # another build (quantised), or the name does not say which build
    SUBSTITUTE = "substitute"  # another revision or model, sold in its place


_ORDER = list(Likeness)


@dataclass(frozen=True, slots=True)
class Name:
    """A model's name at one system, and what is known of it there; None: not known."""

    id: str
    likeness: Likeness  # to the published weights, or to the maker's own model
    context: int | None = None  # tokens
    tools: bool | None = None
    json_schema: bool | None = None
    vision: bool | None = None
    streaming: bool | None = None
    price: str | None = None  # key of a price table


@dataclass(frozen=True, slots=True)
class Embedding:
    """What has to be equal for vectors to be comparable, besides the weights."""

    dimension: int
    pooling: str | None


@dataclass(frozen=True, slots=True)
class Family:
    """One model under all its names."""

    name: str
    kind: Kind
    hf: str | None  # id of the published weights; None for closed ones
    names: Mapping[str, tuple[Name, ...]]  # by system; the first is the one to ask for
    embedding: Embedding | None = None
    note: str = ""

    def contexts(self) -> tuple[int, ...]:
        """The context lengths that systems state, without repetitions, smallest first."""
        return tuple(sorted({name.context for name in self.all_names() if name.context is not None}))

    def all_names(self) -> Iterator[Name]:
        for names in self.names.values():
            yield from names


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A name with several meanings: the names of the families that it may mean."""

    name: str
    meanings: tuple[str, ...]


def find(model: str) -> Family | Ambiguous | None:
    """The family of a model, in any spelling that systems use; None when nobody knows it. Never raises.

    A fine-tune (`ft:...`) belongs to none: its weights are its owner's.
    """
    whole = model.strip().lower()
    if whole.startswith("ft:"):
        return None
    index = _data().index
    return index.get(whole) or index.get(bare(whole))


def name_at(model: str, system: str) -> tuple[str, Likeness] | Ambiguous | None:
    """What to ask for at a system to get this model, and how alike it is to the one named; None where it does not run.

    The likeness of two builds is that of the farther one: two quantised builds need not be quantised alike.
    """
    family = find(model)
    if family is None or isinstance(family, Ambiguous):
        return family
    there = family.names.get(system, ())
    asked = model.strip().lower()
    name = next((name for name in there if name.id.lower() == asked), there[0] if there else None)
    return None if name is None else (name.id, likeness(model, name))


def likeness(model: str, name: Name) -> Likeness:
    """How alike the weights behind a spelling are to those behind one of its family's names."""
    asked, family = model.strip().lower(), find(model)
    if name.id.lower() == asked or not isinstance(family, Family):
        return Likeness.SAME_WEIGHTS if name.id.lower() == asked else name.likeness
    return max(_likeness_of(asked, family), name.likeness, key=_ORDER.index)


def _likeness_of(asked: str, family: Family) -> Likeness:
    """How alike the weights that a spelling names are to the family's published ones."""
    alike = [n.likeness for n in family.all_names() if n.id.lower() == asked]
    alike = alike or [n.likeness for n in family.all_names() if bare(n.id.lower()) == bare(asked)]
    return min(alike, key=_ORDER.index, default=Likeness.SAME_WEIGHTS)


def families() -> tuple[Family, ...]:
    """All families, in the order of the file."""
    return _data().families


def systems() -> tuple[str, ...]:
    """The systems whose names the file gives."""
    return _data().systems


def read() -> dict[str, Any]:
    """The file as it is; `lifecycle` reads its own part of it."""
    return data("families.json")


@dataclass(frozen=True, slots=True)
class _Data:
    systems: tuple[str, ...]
    families: tuple[Family, ...]
    index: Mapping[str, Family | Ambiguous]


@cache
def _data() -> _Data:
    said = read()
    found = tuple(map(_family, said["families"]))
    also = {entry["name"]: entry.get("also", ()) for entry in said["families"]}
    told = {one["name"]: Ambiguous(one["name"], tuple(one["meanings"])) for one in said["ambiguous"]}
    return _Data(tuple(said["systems"]), found, {**_index(found, also), **told})


def _index(found: tuple[Family, ...], also: Mapping[str, Any]) -> dict[str, Family | Ambiguous]:
    """Every spelling in lower case; one that two families share is ambiguous. Whole names come before bare ones."""
    whole: dict[str, dict[str, Family]] = {}
    short: dict[str, dict[str, Family]] = {}
    for family in found:
        spellings = [family.name, family.hf or family.name, *also[family.name], *(n.id for n in family.all_names())]
        for spelling in map(str.lower, spellings):
            whole.setdefault(spelling, {})[family.name] = family
            short.setdefault(bare(spelling), {})[family.name] = family
    return {name: _one(name, means) for name, means in {**short, **whole}.items()}


def _one(name: str, means: Mapping[str, Family]) -> Family | Ambiguous:
    return next(iter(means.values())) if len(means) == 1 else Ambiguous(name, tuple(means))


def _family(entry: Mapping[str, Any]) -> Family:
    embedding = entry.get("embedding")
    return Family(
        name=entry["name"],
        kind=Kind(entry["kind"]),
        hf=entry["hf"],
        names={system: tuple(map(_name, listed)) for system, listed in entry["ids"].items()},
        embedding=Embedding(embedding["dimension"], embedding["pooling"]) if embedding else None,
        note=entry.get("note", ""),
    )


def _name(entry: Mapping[str, Any]) -> Name:
    known = {name: value for name, value in entry.items() if name not in ("id", "alike")}
    return Name(entry["id"], Likeness(entry["alike"]), **known)
