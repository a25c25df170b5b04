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
    array: Any = vector
    if hasattr(array, "max"):  # an array: its own way takes a tenth of the time, and is not a number where one is none
        spread = float(array.max()) - float(array.min())
    else:
        values = list(map(float, vector))
        spread = max(values) - min(values) + 0 * sum(values)
    if not math.isfinite(spread):
        raise Refused("a vector with numbers that are not finite")
    if spread < 1e-9:
        raise Refused("a constant vector")
    return vector
