"""Which of the nearest prompts asks the same as this one, if any: tiers, guards, verifier. Pure.

Decides nothing about serving beyond "equal after normalising": that is the bound's. Nothing here calls an embedder
for a prompt; the candidates come with their cosines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter, mul
from typing import TYPE_CHECKING, NamedTuple

from .features import Meanings, asked, features, signs
from .guards import VETOES, conflicts
from .reading import Reading, normal
from .risk import Signs
from .verifier import Forest

if TYPE_CHECKING:
    from .embedders.contract import Judge


class Judged(NamedTuple):
    """One candidate, judged. `signs` and `score` are None when a guard forbids it."""

    place: int
    equal: bool  # after normalising
    signs: Signs | None  # what the bound weighs: the score first
    spoke: tuple[str, ...]  # the guards that see a contradiction

    @property
    def score(self) -> float | None:
        """Log odds, as the trees have it, that both ask the same."""
        return None if self.signs is None else self.signs[0]


def judged(
    text: str,
    reading: Reading | None,
    stored: Sequence[tuple[str, Reading | None, float]],
    meanings: Meanings,
    trees: Forest,
) -> list[Judged]:
    """Every candidate (prompt, reading, cosine) in its place. A prompt without a reading can only be equal."""
    found: list[Judged] = []
    rows: dict[int, list[float]] = {}
    equal = reading.equal if reading else normal(text)
    ready = asked(reading, meanings) if reading and stored else None
    for place, (prompt, other, cosine) in enumerate(stored):
        if (other.equal if other else normal(prompt)) == equal and equal:
            found.append(Judged(place, True, None, ()))
        elif reading is None or ready is None or other is None:
            found.append(Judged(place, False, None, ("length",)))
        else:
            spoke = conflicts(other, reading)
            found.append(Judged(place, False, None, spoke))
            # Hopeless ones are scored too: without the labels of low scores the bound learns a flatter line, and serves less.
            if VETOES.isdisjoint(spoke):
                rows[place] = features(other, ready, cosine, meanings, spoke)
    for (place, row), score in zip(rows.items(), trees.scores([*rows.values()]), strict=True):
        found[place] = Judged(place, False, signs(score, row), found[place].spoke)
    return found


def nearness(asked: str, prompts: Sequence[str], judge: Judge) -> list[float]:
    """The judge's own cosines, where another embedder has found the candidates. Prompts without a vector have 0."""
    first, *others = judge.embed([asked, *prompts])
    return [sum(map(mul, first, other)) for other in others]


def best(candidates: Sequence[Judged], odds: Callable[[Signs], float] = itemgetter(0)) -> Judged | None:
    """The one that is equal, else the one with the best odds (the bound's, or the score); None when all are forbidden."""
    equal = next((one for one in candidates if one.equal), None)
    if equal is not None:
        return equal
    ranked = [(odds(one.signs), -one.place, one) for one in candidates if one.signs is not None]
    return max(ranked)[2] if ranked else None
