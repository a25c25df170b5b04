"""The embedder for those who have none: words and their characters, hashed. Needs no package; pure."""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from ..lexicon import lexicon, stem

np: Any = None
try:
    import numpy as np
except ImportError:
    pass

_DIMENSIONS = 512
_LONGEST = 4000  # characters of a prompt that are embedded
_WORD = re.compile(r"\w+")


class Hashed:
    """Stems, pairs of stems and groups of four characters, each added with a sign at a place that its hash gives.

    Two prompts with much in common get a cosine near the share of it; of meaning it knows nothing.
    """

    name = "none"
    dimensions = _DIMENSIONS
    fingerprint = f"none-1-{_DIMENSIONS}"
    quick = _LONGEST
    leading = 0
    budget_s = 0.005

    @property
    def judge(self) -> Hashed:
        return self

    def embed(self, texts: Sequence[str]) -> Any:
        """A row of float32 for each text, an array where numpy is installed; of zeros for a text without words."""
        rows = [_row(text) for text in texts]
        if np is None:
            return rows
        return np.array(rows, np.float32).reshape(len(rows), _DIMENSIONS)

    def weight(self, word: str) -> float:
        """By length, for want of knowledge; numbers matter."""
        return 2.0 if word.isdigit() else min(2.5, 0.4 + 0.22 * len(word))

    def likeness(self, words: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """Nothing is alike."""
        return [[0.0] * len(others) for _ in words]


def _row(text: str) -> array[float]:
    marks: dict[str, float] = {}
    for mark, worth in _marks(text[:_LONGEST].lower()):
        marks[mark] = marks.get(mark, 0.0) + worth
    row = [0.0] * _DIMENSIONS
    for mark, worth in marks.items():
        place = zlib.crc32(mark.encode("utf-8", "surrogatepass"))
        row[place % _DIMENSIONS] += worth**0.5 if place & 0x80000000 else -(worth**0.5)
    length = sum(number * number for number in row) ** 0.5
    return array("f", [number / length for number in row] if length else row)


def _marks(text: str) -> Iterator[tuple[str, float]]:
    small = lexicon().small
    before = ""
    for word in _WORD.findall(text):
        if word in small:
            yield word, 0.15
            continue
        one = stem(word)
        yield one, 1.5
        yield f"{before} {one}", 0.3
        padded = f"<{word}>"
        for at in range(max(1, len(padded) - 3)):
            yield f"#{padded[at : at + 4]}", 0.3
        before = one
