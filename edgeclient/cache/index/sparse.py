"""Vectors without numpy, by their heaviest numbers: two that share many of these are compared, some dozens a search. Pure.

Made for the vectors of `embedders.none`, whose heaviest numbers are the words that a prompt is about.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nlargest
from operator import mul
from threading import Lock

from .kept import Kept

_HEAVY = 12  # numbers that an entry is found by
_AGAIN = 48  # entries that are compared by all their numbers
_LISTED = 2000  # entries by one number that are counted, the newest
_MOST = 10_000  # entries of a partition


class Sparse:
    """The places of one partition, the oldest entry first."""

    most = _MOST

    def __init__(self, dimensions: int) -> None:
        self.row_bytes = dimensions + _HEAVY * 100 + 100
        self._rows: dict[Kept, tuple[array[int], float]] = {}
        self._by: dict[int, dict[Kept, None]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._rows)

    def add(self, kept: Kept, vector: Sequence[float]) -> None:
        scale = max(map(abs, vector)) / 127
        row = array("b", [round(number / scale) for number in vector])
        self._rows[kept] = row, scale
        for mark in _heavy(row):
            self._by.setdefault(mark, {})[kept] = None

    def remove(self, kept: Kept) -> None:
        row, _ = self._rows.pop(kept)
        for mark in _heavy(row):
            listed = self._by[mark]
            del listed[kept]
            if not listed:
                del self._by[mark]

    def nearest(self, vector: Sequence[float], most: int, lock: Lock) -> list[tuple[float, Kept]]:
        numbers = [float(number) for number in vector]
        scale = max(map(abs, numbers)) / 127
        marks = _heavy([round(number / scale) for number in numbers])
        shared: Counter[Kept] = Counter()
        with lock:
            for mark in marks:
                listed = self._by.get(mark, {})
                shared.update(kept for kept, _ in zip(reversed(listed), range(_LISTED), strict=False))
            near = [(kept, self._rows[kept]) for kept, _ in shared.most_common(_AGAIN)]
        found = [(max(-1.0, min(1.0, sum(map(mul, row, numbers)) * scale)), kept) for kept, (row, scale) in near]
        return nlargest(most, found, key=lambda one: one[0])


def _heavy(row: Sequence[int]) -> list[int]:
    """The places of the heaviest numbers, from 1 on, with their signs."""
    places = nlargest(_HEAVY, range(len(row)), key=lambda place: (abs(row[place]), place))
    return [place + 1 if row[place] > 0 else -place - 1 for place in places if row[place]]
