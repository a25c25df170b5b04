"""Vectors as bytes of a store: half precision, little-endian, two bytes a number. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def stored(vector: Sequence[float]) -> bytes:
    """A vector of length 1 as bytes."""
    return struct.pack(f"<{len(vector)}e", *vector)


def restored(data: bytes) -> tuple[float, ...]:
    """The vector of these bytes; `Index.add` refuses what is none. ValueError for bytes that are no numbers."""
    if len(data) % 2:
        raise ValueError(f"{len(data)} bytes are not a vector")
    return struct.unpack(f"<{len(data) // 2}e", data)
