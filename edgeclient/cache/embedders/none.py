"""The embedder for those who have none: words and their characters, hashed. Needs numpy and nothing else."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..lexicon import lexicon, stem

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
        """A float32 array of a row for each text; a row of zeros for a text without words."""
        rows = np.zeros((len(texts), _DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            marks: dict[str, float] = {}
            for mark, worth in _marks(text[:_LONGEST].lower()):
                marks[mark] = marks.get(mark, 0.0) + worth
            for mark, worth in marks.items():
                place = zlib.crc32(mark.encode("utf-8", "surrogatepass"))
                row[place % _DIMENSIONS] += worth**0.5 if place & 0x80000000 else -(worth**0.5)
            length = float(np.linalg.norm(row))
            if length:
                row /= length
        return rows

    def weight(self, word: str) -> float:
        """By length, for want of knowledge; numbers matter."""
        return 2.0 if word.isdigit() else min(2.5, 0.4 + 0.22 * len(word))

    def likeness(self, words: Sequence[str], others: Sequence[str]) -> list[list[float]]:
        """Nothing is alike."""
        return [[0.0] * len(others) for _ in words]


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
