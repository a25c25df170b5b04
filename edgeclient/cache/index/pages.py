"""Questions of stored answers as bytes of a store: a page of rows, and what stands at its head. Pure.

A page is four bytes (the length of what follows, the highest first), a list in JSON, and the rows' vectors: half precision,
little-endian, one after the other. The JSON holds the version, the embedder's fingerprint, the pages before this one with
the time until which each is kept, and of each row all but its vector.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

VERSION = 1


class Row(NamedTuple):
    """The question that a stored answer was given to."""

    key: str  # of the answer's entry
    text: str
    stored_at: float
    kept_until: float
    named: str  # what the caller called the question
    tags: tuple[str, ...]
    vector: bytes  # two bytes a number


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, the oldest first. `before`: names of full pages, and until when each is kept; only a head has some."""

    rows: tuple[Row, ...] = ()
    before: tuple[tuple[str, float], ...] = ()

    @property
    def kept_until(self) -> float:
        """When nothing of it is of use any more."""
        return max([row.kept_until for row in self.rows] + [until for _, until in self.before], default=0.0)


def spelled(page: Page, fingerprint: str) -> bytes:
    """A page as bytes."""
    said = [VERSION, fingerprint, page.before, [row[:-1] for row in page.rows]]
    head = json.dumps(said, separators=(",", ":")).encode()
    return b"".join([len(head).to_bytes(4, "big"), head, *[row.vector for row in page.rows]])


def read(data: bytes, fingerprint: str, dimensions: int) -> Page:
    """The page of these bytes. ValueError for what is none, or of another version or embedder."""
    end = 4 + int.from_bytes(data[:4], "big")
    try:
        version, of, before, said = json.loads(data[4:end])
        if (version, of) != (VERSION, fingerprint):
            raise ValueError(f"a page of version {version!r} for {of!r}; this one reads {VERSION} for {fingerprint!r}")
        size = 2 * dimensions
        if len(data) - end != size * len(said):
            raise ValueError(f"{len(said)} rows with {len(data) - end} bytes of vectors")
        vectors = (data[at : at + size] for at in range(end, len(data), size))
        rows = tuple(_row(one, vector) for one, vector in zip(said, vectors, strict=True))
        return Page(rows, tuple((str(name), float(until)) for name, until in before))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"not a page ({error!r})") from error


def _row(said: Sequence[object], vector: bytes) -> Row:
    match said:
        case [str(key), str(text), int() | float() as at, int() | float() as until, str(named), list(tags)] if all(
            isinstance(tag, str) for tag in tags
        ):
            return Row(key, text, float(at), float(until), named, tuple(map(str, tags)), vector)
    raise ValueError(f"not a row: {len(said)} items")
