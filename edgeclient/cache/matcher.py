"""Which of the nearest prompts asks the same as this one, if any: tiers, guards, verifier. Pure.

Decides nothing about serving beyond "equal after normalising": that is the bound's. Nothing here calls an embedder
for a prompt; the candidates come with their cosines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING

from .features import Meanings, asked, features
from .guards import VETOES, conflicts
from .reading import Reading, normal
from .verifier import Forest

if TYPE_CHECKING:
    from .embedders.contract import Judge


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate, judged. `score` is None when a guard forbids it."""

    place: int
    equal: bool  # after normalising
    score: float | None
    spoke: tuple[str, ...]  # the guards that see a contradiction


def judged(
    text: str,
    reading: Reading | None,
    stored: Sequence[tuple[str, Reading | None, float]],
    meanings: Meanings,
    trees: Forest,
) -> list[Judged]:
    """Every candidate (prompt, reading, cosine) in its place. A prompt without a reading can only be equal."""
    found = []
    equal = reading.equal if reading else normal(text)
    ready = asked(reading, meanings) if reading and stored else None
    for place, (prompt, other, cosine) in enumerate(stored):
        if (other.equal if other else normal(prompt)) == equal and equal:
            found.append(Judged(place, True, None, ()))
        elif reading is None or ready is None or other is None:
            found.append(Judged(place, False, None, ("length",)))
        else:
            spoke = conflicts(other, reading)
            # Hopeless ones are scored too: without the labels of low scores the bound learns a flatter line, and serves less.
            vetoed = not VETOES.isdisjoint(spoke)
            score = None if vetoed else trees.score(features(other, ready, cosine, meanings, spoke))
            found.append(Judged(place, False, score, spoke))
    return found


def nearness(asked: str, prompts: Sequence[str], judge: Judge) -> list[float]:
    """The judge's own cosines, where another embedder has found the candidates. Prompts without a vector have 0."""
    first, *others = judge.embed([asked, *prompts])
    return [sum(map(mul, first, other)) for other in others]


def best(candidates: Sequence[Judged]) -> Judged | None:
    """The one that is equal, else the one with the best score; None when all are forbidden."""
    equal = next((one for one in candidates if one.equal), None)
    if equal is not None:
        return equal
    open_ones = [one for one in candidates if one.score is not None]
    return max(open_ones, key=lambda one: one.score or 0.0, default=None)
