"""The pieces in which the texts of a streamed answer came, and the texts cut into them again. Pure.

The parts are the texts of an answer in its order: its choices, its blocks, the contents of its messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..values import Piece


def fit(texts: Sequence[str], pieces: Sequence[Piece]) -> bool:
    """True when the pieces are exactly these texts."""
    left = [len(text) for text in texts]
    for part, characters, _ in pieces:
        if not 0 <= part < len(left) or characters <= 0:
            return False
        left[part] -= characters
    return not any(left)


def cut(texts: Sequence[str], pieces: Sequence[Piece]) -> Iterator[tuple[float, int, str]]:
    """The seconds to wait before each piece, its part and its text; of no pieces each text is one."""
    begun = [0] * len(texts)
    for part, characters, gap_s in pieces or [(n, len(text), 0.0) for n, text in enumerate(texts)]:
        start = begun[part]
        begun[part] = start + characters
        yield gap_s, part, texts[part][start : start + characters]


def cut_apart(texts: Sequence[str], pieces: Sequence[Piece]) -> list[list[tuple[float, str]]]:
    """The same for answers whose parts come one after the other: the pieces of each part."""
    found: list[list[tuple[float, str]]] = [[] for _ in texts]
    for gap_s, part, text in cut(texts, pieces):
        found[part].append((gap_s, text))
    return found
