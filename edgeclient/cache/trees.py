"""The verifier's trees as numpy arrays, for all candidates at once. Pure; needs numpy.

It is what `verifier.Bits` does, and gives the same sums to the last bit where Python adds plainly (before 3.12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_FIELD = np.iinfo(np.uint16).bits  # for a tree: as in `verifier`, which refuses trees with more leaves


class Arrays:
    """A row of bits for each threshold, a row of leaves for each tree."""

    def __init__(
        self,
        base: float,
        tests: Sequence[tuple[int, Sequence[float], Sequence[int]]],
        leaves: Sequence[Mapping[int, float]],
    ) -> None:
        """The same as `verifier.Bits` is made of."""
        self._base, self._count = base, len(leaves)
        self._features = np.array([feature for feature, _, _ in tests], np.intp)
        # Complex numbers, because these are sorted by the real part first: a feature, and its thresholds.
        self._thresholds = np.array(
            [complex(feature, one) for feature, thresholds, _ in tests for one in (-np.inf, *thresholds)]
        )
        self._above = np.array([self._row(bits) for _, _, above in tests for bits in (-1, *above)])
        self._leaves = np.zeros(len(leaves) * _FIELD)
        for place, values in enumerate(leaves):
            self._leaves[place * _FIELD : place * _FIELD + len(values)] = list(values.values())
        self._begins = np.arange(0, len(leaves) * _FIELD, _FIELD)
        self._place = np.zeros(1 << _FIELD, np.intp)  # of a bit
        self._place[1 << np.arange(_FIELD)] = np.arange(_FIELD)

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """The score of each row of features."""
        values = np.array(rows)
        asked = np.empty((len(rows), len(self._features)), complex)
        asked.real, asked.imag = self._features, values[:, self._features]
        above = self._above[self._thresholds.searchsorted(asked) - 1]
        left = np.bitwise_and.reduce(above, 1).view(np.uint16)[:, : self._count]
        added = np.empty((len(rows), self._count + 1))
        added[:, 0] = self._base
        added[:, 1:] = self._leaves[self._place[left & -left] + self._begins]
        # One after the other, as Python does: `sum` would add them in pairs.
        found: list[float] = np.add.accumulate(added, 1)[:, -1].tolist()
        return found

    def _row(self, bits: int) -> Any:
        """The bits of all trees, in fields that numpy takes four at a time."""
        size = -(-self._count // 4) * 8
        fields = np.frombuffer((bits & (1 << 8 * size) - 1).to_bytes(size, "little"), "<u2")
        return fields.astype(np.uint16).view(np.uint64)
