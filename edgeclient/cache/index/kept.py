"""What an index keeps of an entry, and what it asks of the places that it keeps entries in. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from threading import Lock
from typing import Any, NamedTuple, Protocol

_EACH = 300  # bytes of an entry's objects: itself, its key's and its places in tables, about


class About(NamedTuple):
    """What of an entry says whether it was made invalid, besides what all of its partition have in common."""

    stored_at: float = inf
    named: str = ""
    tags: tuple[str, ...] = ()


UNSAID = About()


class Kept:
    """An entry of an index. `said`: its reading, packed, or its prompt, which nobody has read yet; `cell` and `row` say
    where its vector is."""

    __slots__ = ("about", "cell", "key", "partition", "row", "said")

    def __init__(self, key: str, partition: str, said: bytes | str, about: About = UNSAID) -> None:
        self.key, self.partition, self.said, self.about = key, partition, said, about
        self.cell: Any = None
        self.row = 0

    @property
    def size(self) -> int:
        """Bytes of memory without the vector."""
        return len(self.said) + _EACH


class Places(Protocol):
    """The vectors of one partition. All but `nearest` are called by one thread at a time."""

    row_bytes: int  # of memory for a vector
    most: float  # entries; with more of them, the first that it gives goes

    def add(self, kept: Kept, vector: Sequence[float]) -> None: ...

    def remove(self, kept: Kept) -> None: ...

    def nearest(self, vector: Sequence[float], most: int, lock: Lock) -> list[tuple[float, Kept]]:
        """The highest cosines first; holds the lock only while it reads what others may move."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Kept]: ...
