"""What every embedder promises, and the check of what it gives. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from ..features import Meanings


class Embedder(Meanings, Protocol):
    """Makes vectors of prompts. One suite checks every implementation (`tests/cache/test_embedders.py`):

    - the same text gives the same vector, in every process and in any company;
    - vectors have `dimensions` numbers and length 1; a row of zeros, which `checked` refuses, says that there was nothing;
    - `fingerprint` changes whenever vectors do: those of different fingerprints are never compared.
    """

    name: str
    dimensions: int
    fingerprint: str

    def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of a row for each text; a row of zeros for a text that has nothing to embed."""


class Refused(ValueError):
    """A vector that says nothing: of the wrong length, not finite, or constant."""


def checked(vector: Sequence[float], dimensions: int) -> Sequence[float]:
    """The vector, if it can be compared; else raises `Refused`."""
    if len(vector) != dimensions:
        raise Refused(f"a vector of {len(vector)} numbers instead of {dimensions}")
    values = [float(value) for value in vector]
    if not all(map(math.isfinite, values)):
        raise Refused("a vector with numbers that are not finite")
    if max(values) - min(values) < 1e-9:
        raise Refused("a constant vector")
    return vector
