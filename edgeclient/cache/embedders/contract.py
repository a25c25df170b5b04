"""What every embedder promises, and the check of what it gives. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from ..features import Meanings


class Embedder(Protocol):
    """Makes vectors of prompts. One suite checks every implementation (`tests/cache/test_embedders.py`):

    - the same text gives the same vector, in every process and in any company;
    - vectors have `dimensions` numbers and length 1; a row of zeros, which `checked` refuses, says that there was nothing;
    - `fingerprint` changes whenever vectors do: those of different fingerprints are never compared;
    - `embed` blocks, may raise anything, and may be called by several threads at once. Calls never ask an embedder
      itself, but `Vectors`, which keeps to a time budget and never raises.
    """

    name: str
    dimensions: int
    fingerprint: str
    quick: int  # characters up to which a text takes less than a millisecond and waits for nothing; 0: no text does
    leading: int  # how many of the first numbers say most of a vector (the index looks at these first); 0: all the same
    budget_s: float  # how long a lookup waits for one that is not quick, unless the settings say something else

    def embed(self, texts: Sequence[str]) -> Any:
        """An array of a row of float32 for each text; a row of zeros for a text that has nothing to embed."""

    @property
    def judge(self) -> Judge:
        """Whose cosines and words the verifier was trained with: the embedder itself, or one that stands in for it."""


class Judge(Embedder, Meanings, Protocol):
    """An embedder that there is a forest for (`verifier.forest(judge.name)`), quick, and with knowledge of words.

    One that there is none for finds candidates, and its judge says again how near they are (`matcher.nearness`).
    """


class Refused(ValueError):
    """A vector that says nothing: of the wrong length, not finite, or constant."""


def checked(vector: Sequence[float], dimensions: int) -> Sequence[float]:
    """The vector, if it can be compared; else raises `Refused`."""
    if len(vector) != dimensions:
        raise Refused(f"a vector of {len(vector)} numbers instead of {dimensions}")
    values = vector.tolist() if hasattr(vector, "tolist") else list(map(float, vector))
    if not math.isfinite(sum(values)):
        raise Refused("a vector with numbers that are not finite")
    if max(values) - min(values) < 1e-9:
        raise Refused("a constant vector")
    return vector
