"""Vectors in cells: rows near one centre. Small partitions are looked through whole, of large ones the nearest cells.

A row is there twice: the numbers that say most, as float32, to look through many; all numbers, as int8, to compare the
best of them. A cell that is full is split in two, and rows of the cells around that are nearer to another centre now move
there (after SPFresh, Xu et al., SOSP 2023), so nothing is ever trained or built. Pure; needs numpy.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from math import inf
from threading import Lock
from typing import Any

import numpy as np

from .kept import Kept

_LEAD = 64  # numbers of a row that are looked through
_WHOLE = 10_000  # rows of a partition that is looked through whole
_SOME, _SHARE = 5000, 100  # of larger ones a search looks at so many rows, and at one of so many besides
_CELL, _CELL_OF_FEW = 384, 2048  # rows of a cell at the most: in a partition larger than that, and in one that is not
_AROUND = 12  # cells that a split sets right
_AGAIN = 128  # rows that are compared by all their numbers
_LOPSIDED = 8  # a split that gives one side less than one part of so many is made in the middle
_ROUNDS = 5


def maker(dimensions: int, leading: int) -> Callable[[], Cells]:
    """Makes places. `leading`: how many of the first numbers say most of a vector; 0 when all say as much."""
    turn = _turn(dimensions) if leading == 0 and dimensions > _LEAD else None
    return lambda: Cells(dimensions, turn)


@cache
def _turn(dimensions: int) -> Any:
    """Directions at random keep distances about, when all numbers say as much; always the same ones."""
    return np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (_LEAD, dimensions))


class Cell:
    """Rows, the first `size` of which are in use."""

    __slots__ = ("all", "kept", "lead", "scale", "size")

    def __init__(self, room: int, lead: int, dimensions: int) -> None:
        self.size = 0
        self.lead = np.empty((room, lead), np.float32)
        self.all = np.empty((room, dimensions), np.int8)
        self.scale = np.empty(room, np.float32)
        self.kept: list[Kept] = []

    def put(self, kept: Kept, lead: Any, numbers: Any, scale: Any) -> None:
        if self.size == len(self.scale):
            self.resize(self.size + max(4, self.size // 4))
        row = self.size
        self.lead[row], self.all[row], self.scale[row] = lead, numbers, scale
        self.kept.append(kept)
        kept.cell, kept.row = self, row
        self.size += 1

    def take(self, row: int) -> None:
        """The last row moves to the place of this one."""
        self.size -= 1
        last = self.kept.pop()
        if row < self.size:
            for rows in (self.lead, self.all, self.scale):
                rows[row] = rows[self.size]
            self.kept[row], last.row = last, row
        if self.size < len(self.scale) // 2:
            self.resize(self.size)

    def resize(self, room: int) -> None:
        for name in ("lead", "all", "scale"):
            rows = getattr(self, name)
            bigger = np.empty((room, *rows.shape[1:]), rows.dtype)
            bigger[: self.size] = rows[: self.size]
            setattr(self, name, bigger)


class Cells:
    """The places of one partition."""

    most = inf

    def __init__(self, dimensions: int, turn: Any) -> None:
        self._dimensions, self._turn = dimensions, turn
        self._lead = min(_LEAD, dimensions)
        self.row_bytes = 5 * self._lead + dimensions + 12  # a quarter of the room for leads is empty, about
        self._cells = [Cell(4, self._lead, dimensions)]
        self._centres = np.zeros((1, self._lead), np.float32)
        self._weights = np.zeros(1, np.float32)  # half the square of each centre's length
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Kept]:
        return (kept for cell in self._cells for kept in cell.kept)

    def add(self, kept: Kept, vector: Sequence[float]) -> None:
        numbers = np.asarray(vector, np.float32)
        lead = self._leading(numbers)
        cell = self._cells[int((self._centres @ lead - self._weights).argmax())]
        scale = np.abs(numbers).max() / 127
        cell.put(kept, lead, np.rint(numbers / scale), scale)
        self._size += 1
        if cell.size > (_CELL if self._size > _WHOLE else _CELL_OF_FEW):
            self._split(cell)

    def remove(self, kept: Kept) -> None:
        cell: Cell = kept.cell
        cell.take(kept.row)
        self._size -= 1
        if not cell.size and len(self._cells) > 1:
            place = self._cells.index(cell)
            del self._cells[place]
            self._centred(np.delete(self._centres, place, 0))

    def nearest(self, vector: Sequence[float], most: int, lock: Lock) -> list[tuple[float, Kept]]:
        numbers = np.asarray(vector, np.float32)
        lead = self._leading(numbers)
        with lock:
            seen = [(cell, cell.lead[: cell.size]) for cell in self._near(lead)]
        # Others may move rows while we look: a row is then found or missed wrongly, and compared rightly below.
        alike = [rows @ lead for _, rows in seen]
        every = np.concatenate(alike)
        least = np.partition(every, -_AGAIN)[-_AGAIN] if len(every) > _AGAIN else -np.inf
        hits = (every >= least).nonzero()[0]
        begins = [0, *accumulate(map(len, alike))]
        bounds = hits.searchsorted(begins).tolist()
        with lock:
            return _compared(
                [
                    (cell, hits[low:high] - begin)
                    for (cell, _), begin, low, high in zip(seen, begins, bounds, bounds[1:], strict=False)
                    if low < high
                ],
                numbers,
                most,
            )

    def _leading(self, numbers: Any) -> Any:
        return numbers[: self._lead] if self._turn is None else self._turn @ numbers

    def _near(self, lead: Any) -> list[Cell]:
        if self._size <= _WHOLE:
            return self._cells
        far, most = self._weights - self._centres @ lead, _SOME + self._size // _SHARE
        few = 8 + 2 * most * len(self._cells) // self._size  # so many will do, mostly, and need not be sorted with all
        chosen, rows = [], 0
        for place in _smallest(far, few):
            chosen.append(self._cells[place])
            rows += chosen[-1].size
            if rows >= most:
                break
        return chosen

    def _split(self, cell: Cell) -> None:
        rows = cell.lead[: cell.size]
        right, halves = _halves(rows)
        place = self._cells.index(cell)
        parts = []
        for side in (np.flatnonzero(~right), np.flatnonzero(right)):
            part = Cell(len(side) + len(side) // 8, self._lead, self._dimensions)
            for name in ("lead", "all", "scale"):
                getattr(part, name)[: len(side)] = getattr(cell, name)[side]
            part.size, part.kept = len(side), [cell.kept[row] for row in side.tolist()]
            for row, kept in enumerate(part.kept):
                kept.cell, kept.row = part, row
            parts.append(part)
        self._cells[place] = parts[0]
        self._cells.append(parts[1])
        centres = np.vstack([self._centres, halves[1:]])
        centres[place] = halves[0]
        self._centred(centres)
        self._settle(np.argsort(self._weights - self._centres @ centres[place])[:_AROUND])

    def _settle(self, places: Any) -> None:
        """Move the rows of some cells to the nearest of their centres, and the centres to the middle of their rows."""
        cells = [self._cells[place] for place in places.tolist()]
        centres, weights = self._centres[places], self._weights[places]
        for mine, cell in enumerate(cells):
            best = (cell.lead[: cell.size] @ centres.T - weights).argmax(1)
            for row in np.flatnonzero(best != mine)[::-1].tolist():
                kept, other = cell.kept[row], cells[best[row]]
                other.put(kept, cell.lead[row], cell.all[row], cell.scale[row])
                cell.take(row)
        for place, cell in zip(places.tolist(), cells, strict=True):
            if cell.size:
                self._centres[place] = cell.lead[: cell.size].mean(0)
        self._centred(self._centres)

    def _centred(self, centres: Any) -> None:
        self._centres = centres
        self._weights = (centres * centres).sum(1) / 2


def _compared(found: list[tuple[Cell, Any]], numbers: Any, most: int) -> list[tuple[float, Kept]]:
    """The best of some rows, by all their numbers."""
    found = [(cell, rows if rows[-1] < cell.size else rows[rows < cell.size]) for cell, rows in found]
    if not found:
        return []
    cosines = np.concatenate([cell.all.take(rows, 0) for cell, rows in found]).astype(np.float32) @ numbers
    cosines *= np.concatenate([cell.scale.take(rows) for cell, rows in found])
    ends = list(accumulate(len(rows) for _, rows in found))
    best = []
    for at in (-cosines).argsort()[:most].tolist():
        place = bisect_right(ends, at)
        cell, rows = found[place]
        best.append((max(-1.0, min(1.0, float(cosines[at]))), cell.kept[rows[at - ends[place]]]))
    return best


def _smallest(numbers: Any, few: int) -> Iterator[int]:
    """The places of the smallest numbers, in their order: some first, and all others for who goes on."""
    if few < len(numbers):
        some = numbers.argpartition(few)[:few]
        yield from some[numbers[some].argsort()].tolist()
        yield from numbers.argsort()[few:].tolist()
    else:
        yield from numbers.argsort().tolist()


def _halves(rows: Any) -> tuple[Any, Any]:
    """Which rows go to the right of two, and the two centres: two means, or halves where these are lopsided."""
    one = rows[((rows - rows[0]) ** 2).sum(1).argmax()]
    centres = np.stack([one, rows[((rows - one) ** 2).sum(1).argmax()]])
    right = np.zeros(len(rows), bool)
    for _ in range(_ROUNDS):
        along = rows @ (centres[1] - centres[0])
        right = along > ((centres[1] ** 2).sum() - (centres[0] ** 2).sum()) / 2
        if min(right.sum(), len(rows) - right.sum()) < len(rows) // _LOPSIDED:
            right = np.argsort(np.argsort(along, kind="stable")) >= len(rows) // 2
        centres = np.stack([rows[~right].mean(0), rows[right].mean(0)])
    return right, centres
