"""The prompts of a semantic cache, found by their vectors: within a partition, for one embedder. Pure; threads share it.

cells     numpy: exact for small partitions, near the centres that are nearest for large ones
sparse    without numpy: by the heaviest numbers of a vector

An entry is a key, its partition, a vector and a reading. What is here is no truth: whoever finds a key asks the store for
it, and removes it here when it is not there. After a start the store's entries are added again (`stored`, `restored`).
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..embedders.contract import Embedder, Refused, checked
from ..reading import Reading, packed, read, unpacked
from .kept import UNSAID, About, Kept, Places
from .stored import restored, stored

__all__ = ["UNSAID", "About", "Index", "Near", "restored", "stored"]

_BYTES = 128 * 2**20
_PARTITIONS = 4096


class Near(NamedTuple):
    """An entry near what was asked for."""

    key: str
    cosine: float
    reading: Reading


class Index:
    """Adds, removes and finds; bounded by bytes and by partitions: the oldest entries go, and the partition used last.

    A vector of another fingerprint, of another length, constant or not finite is refused: `Refused`.
    """

    def __init__(self, embedder: Embedder, *, max_bytes: int = _BYTES, partitions: int = _PARTITIONS) -> None:
        self.fingerprint, self._dimensions = embedder.fingerprint, embedder.dimensions
        self._max_bytes, self._most = max_bytes, partitions
        self._new = _places(embedder)
        self._partitions: OrderedDict[str, Places] = OrderedDict()
        self._kept: dict[str, Kept] = {}  # by key, the oldest first
        self._bytes = 0
        self._lock = threading.Lock()

    def add(
        self, key: str, partition: str, vector: Sequence[float], reading: Reading | str, fingerprint: str = "",
        about: About = UNSAID,
    ) -> None:  # fmt: skip
        """Keep an entry, in the place of an older one with its key. `fingerprint`: of a vector that was stored.

        `reading`: or the prompt, which is read when it first comes near another one.
        """
        if fingerprint and fingerprint != self.fingerprint:
            raise Refused(f"a vector of {fingerprint} where those of {self.fingerprint} are")
        said = reading if isinstance(reading, str) else packed(reading)
        kept = Kept(key, sys.intern(partition), said, about)  # one name for all entries of a partition
        checked(vector, self._dimensions)
        with self._lock:
            self._remove(key)
            places = self._partitions.get(partition)
            if places is None:
                places = self._partitions[partition] = self._new()
            self._partitions.move_to_end(partition)
            places.add(kept, vector)
            self._kept[key] = kept
            self._bytes += kept.size + places.row_bytes
            while len(places) > places.most:
                self._remove(next(iter(places)).key)
            while len(self._partitions) > self._most:
                self._drop(next(iter(self._partitions)))
            while self._bytes > self._max_bytes and self._kept:
                self._remove(next(iter(self._kept)))

    def remove(self, key: str) -> None:
        """Forget an entry, if there is one."""
        with self._lock:
            self._remove(key)

    def nearest(self, partition: str, vector: Sequence[float], most: int = 5, floor: float = 0.0) -> list[Near]:
        """The entries of a partition with the highest cosines, the nearest first; none below `floor`."""
        if len(vector) != self._dimensions:
            raise Refused(f"a vector of {len(vector)} numbers instead of {self._dimensions}")
        with self._lock:
            places = self._partitions.get(partition)
            if places is None:
                return []
            self._partitions.move_to_end(partition)
        found = places.nearest(vector, most, self._lock)
        return [
            Near(kept.key, cosine, unpacked(said) if isinstance(said := kept.said, bytes) else self._read(kept, said))
            for cosine, kept in found
            if cosine >= floor
        ]

    def _read(self, kept: Kept, prompt: str) -> Reading:
        """The reading of a prompt that nobody has read yet, and none has to read again."""
        reading = read(prompt)
        assert reading is not None  # who added it has looked at its length
        with self._lock:
            if self._kept.get(kept.key) is kept and kept.said is prompt:
                kept.said = packed(reading)
                self._bytes += len(kept.said) - len(prompt)
        return reading

    def sweep(self, partition: str, gone: Callable[[str, About], bool]) -> None:
        """Forget those of a partition that are `gone`."""
        with self._lock:
            seen = list(self._partitions.get(partition, ()))
        for kept in seen:
            if gone(kept.key, kept.about):
                self.remove(kept.key)

    def drop(self, partition: str) -> None:
        """Forget a partition."""
        with self._lock:
            if partition in self._partitions:
                self._drop(partition)

    @property
    def is_full(self) -> bool:
        """True when there is hardly room for one more."""
        return self._bytes > 0.95 * self._max_bytes

    def partitions(self) -> tuple[str, ...]:
        """Those that have entries, the one used last at the end."""
        with self._lock:
            return tuple(self._partitions)

    def clear(self) -> None:
        with self._lock:
            self._partitions.clear()
            self._kept.clear()
            self._bytes = 0

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes of memory about."""
        return len(self._kept), self._bytes

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def after_fork(self) -> None:
        """In a forked child: a lock of its own, and nothing of what the parent was in the middle of changing."""
        halfway, self._lock = self._lock.locked(), threading.Lock()
        if halfway:
            self.clear()

    def _remove(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        places = self._partitions[kept.partition]
        places.remove(kept)
        self._bytes -= kept.size + places.row_bytes
        if not len(places):
            del self._partitions[kept.partition]

    def _drop(self, partition: str) -> None:
        for kept in list(self._partitions[partition]):
            self._remove(kept.key)


def _places(embedder: Embedder) -> Any:
    """What makes the places of a partition: with numpy where it is installed."""
    try:
        from .cells import maker
    except ImportError:
        from .sparse import Sparse

        return lambda: Sparse(embedder.dimensions)
    return maker(embedder.dimensions, embedder.leading)
