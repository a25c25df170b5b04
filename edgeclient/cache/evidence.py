"""What the semantic cache has shown on this traffic: what it served or would have, and how often that was wrong. Pure.

Only answers that were compared count as right or wrong: in shadow all of them, else those of the audit and the feedback.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_EXAMPLES = 20
_ZERO = 3.0  # with no mistake in n lookups, 95 in 100 times there are fewer than 3 in n to come (the "rule of three")
_UNSURE = 1.64  # standard deviations; one in twenty is worse


@dataclass(frozen=True, slots=True)
class Example:
    """One wrong answer, or one that would have been. Prompts are told by their hashes."""

    asked: str
    matched: str
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked up, and what became of it. Shares are of all lookups, 0..1; None: nothing was compared."""

    serving: str  # off | shadow | serve
    max_wrong_rate: float
    lookups: int  # calls that could have been answered by an entry with another prompt
    equal: int  # of these, with an entry whose prompt is equal after normalising
    chosen: int  # served, or in shadow would have been, by likeness within the budget
    compared: int  # of these, with the model's answer beside it
    wrong: int  # of these, with another answer
    saved_share: float  # (equal + chosen) / lookups
    wrong_share: float | None  # expected, of all lookups: chosen * wrong / compared / lookups
    enough: bool  # the evidence says, 95 times in 100, that the budget is kept
    missing: int  # about so many more lookups like these are needed to say so
    examples: tuple[Example, ...]  # of wrong ones, the last 20


class Evidence:
    """Counts. Its owner locks."""

    def __init__(self) -> None:
        self.lookups = self.equal = self.chosen = self.compared = self.wrong = 0
        self._examples: deque[Example] = deque(maxlen=_EXAMPLES)

    def compare(self, same: bool, example: Example) -> None:
        """An answer that was chosen, beside the model's."""
        self.compared += 1
        if not same:
            self.wrong += 1
            self._examples.append(example)

    def report(self, serving: str, budget: float) -> Report:
        lookups, compared = self.lookups, self.compared
        wrong = self.chosen * self.wrong / compared if compared else None
        needed = self._needed(budget)
        return Report(
            serving=serving,
            max_wrong_rate=budget,
            lookups=lookups,
            equal=self.equal,
            chosen=self.chosen,
            compared=compared,
            wrong=self.wrong,
            saved_share=(self.equal + self.chosen) / lookups if lookups else 0.0,
            wrong_share=None if wrong is None else wrong / lookups,
            enough=lookups >= needed,
            missing=max(0, needed - lookups),
            examples=tuple(self._examples),
        )

    def _needed(self, budget: float) -> int:
        """How many lookups it takes until the upper end of the wrong ones is within the budget, if they go on like this."""
        least = math.ceil(_ZERO / budget)
        if not self.lookups or not self.wrong or not self.compared:
            return least
        rate = self.chosen * self.wrong / self.compared / self.lookups
        if rate >= budget:
            return max(least, 2 * self.lookups)  # it has to learn first
        root = (_UNSURE * math.sqrt(rate) + math.sqrt(_UNSURE**2 * rate + 4 * (budget - rate) * _ZERO)) / (
            2 * (budget - rate)
        )
        return max(least, math.ceil(root * root))  # n with rate * n + 1.64 sqrt(rate * n) + 3 = budget * n
