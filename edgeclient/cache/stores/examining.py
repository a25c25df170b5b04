"""What kind each thing in a store is: an answer, an expired one, or something that no call will ever get. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from . import wire
from .backend import Form

_SHOWN = 3


class Kind(Enum):
    """What a thing in a store is, in the words that the command prints, and whether it is ours to remove."""

    GOOD = "good", False
    EXPIRED = "expired", False
    DAMAGED = "damaged", True
    FOREIGN = "foreign", True
    IN_CLEAR = "in clear", True
    NEWER = "newer", False
    UNREADABLE = "unreadable", False

    def __init__(self, word: str, removable: bool) -> None:
        self.word, self.removable = word, removable

    @property
    def is_well(self) -> bool:
        return self in (Kind.GOOD, Kind.EXPIRED)


@dataclass
class Found:
    """The contents of a store, counted. `keys` has those that may be removed; none of them says anything of a prompt."""

    counts: Counter[Kind] = field(default_factory=Counter)
    size: int = 0
    shown: dict[Kind, list[str]] = field(default_factory=dict)
    removable: list[str] = field(default_factory=list)

    @property
    def entries(self) -> int:
        return sum(self.counts.values())

    @property
    def is_well(self) -> bool:
        return all(kind.is_well for kind in self.counts)


def examine(things: Iterable[tuple[str, bytes]], form: Form, now: float, found: Found) -> None:
    """Count each of them into `found`, which is right up to where `things` broke off, if it raises."""
    for key, data in things:
        kind = _kind(key, data, form, now)
        found.counts[kind] += 1
        found.size += len(data)
        if not kind.is_well and len(shown := found.shown.setdefault(kind, [])) < _SHOWN:
            shown.append(key if _is_digest(key) else "(no key of ours)")
        if kind.removable:
            found.removable.append(key)


def _kind(key: str, data: bytes, form: Form, now: float) -> Kind:
    try:
        return Kind.GOOD if now < form.decode(key, data).kept_until else Kind.EXPIRED
    except wire.Foreign:
        return Kind.FOREIGN
    except wire.Damaged:
        return Kind.DAMAGED
    except wire.Newer:
        return Kind.NEWER
    except wire.InClear:
        return Kind.IN_CLEAR
    except wire.Unreadable:
        return Kind.UNREADABLE


def _is_digest(key: str) -> bool:
    return len(key) == 32 and not set(key) - set("0123456789abcdef")
