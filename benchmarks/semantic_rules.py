"""Rules by which caches answer a prompt with another's answer: ours beside what is in use and in print. Pure.

A rule has `decide(asked, candidates)` -> place or None, `observe(asked, prompt, cosine, same)` after a call that went to the
model, and `fresh()`: the same without what it learned. Candidates are (stored prompt, cosine), the nearest first.
"""

from __future__ import annotations

import math
from collections import defaultdict
from random import Random
from statistics import NormalDist
from typing import Any, Protocol

from semantic_adapter import Candidates, Matcher


class Rule(Protocol):
    def decide(self, asked: str, candidates: Candidates) -> int | None: ...

    def observe(self, asked: str, prompt: str, cosine: float, same: bool) -> None: ...

    def fresh(self) -> Any: ...


class Cosine:
    """The nearest, if its cosine is high enough. GPTCache's 0.8 is a score of 4 minus the distance, at least 0.8 of 4: with
    squared distances of unit vectors a cosine of 0.6 (derived from its package, not run); RedisVL's distance 0.1 is 0.9."""

    def __init__(self, least: float) -> None:
        self._least = least

    def decide(self, asked: str, candidates: Candidates) -> int | None:
        return 0 if candidates and candidates[0][1] >= self._least else None

    def observe(self, asked: str, prompt: str, cosine: float, same: bool) -> None:
        """It learns nothing."""

    def fresh(self) -> Cosine:
        return self


class PerPrompt:
    """The rule of vCache (arXiv 2502.03771), from the paper's description: each stored prompt has a logistic of its own.

    P(right | cosine s) = 1 / (1 + exp(-g (s - t))), t and g by maximum likelihood from the prompt's own labels. With t' the
    upper end of t at confidence 1 - e, a lower bound of the chance is (1 - e) P(s; t', g); asked is the model with the
    probability 1 - d / (1 - that), the smallest over e, so that wrong answers are at most d of the lookups of the prompt.
    """

    _SLOPES = (4.0, 8.0, 16.0, 32.0, 64.0)
    _PLACES = tuple(0.5 + 0.01 * n for n in range(51))
    _DOUBTS = tuple(0.01 * n for n in range(1, 50, 4))
    _KEPT = 64  # labels of a prompt
    _FEWEST = 4  # labels of a prompt, before which the model is asked

    def __init__(self, max_wrong: float) -> None:
        self._max_wrong = max_wrong
        self._labels: dict[str, list[tuple[float, bool]]] = defaultdict(list)
        self._fits: dict[str, tuple[float, float, float]] = {}
        self._chance = Random(0)

    def decide(self, asked: str, candidates: Candidates) -> int | None:
        if not candidates or len(self._labels[candidates[0][0]]) < self._FEWEST:
            return None
        prompt, cosine = candidates[0]
        if prompt not in self._fits:
            self._fits[prompt] = self._fitted(self._labels[prompt])
        place, slope, spread = self._fits[prompt]
        ask = min(self._asks(cosine, place, slope, spread, doubt) for doubt in self._DOUBTS)
        return 0 if self._chance.random() >= ask else None

    def _asks(self, cosine: float, place: float, slope: float, spread: float, doubt: float) -> float:
        worst = place + NormalDist().inv_cdf(1 - doubt) * spread
        right = (1 - doubt) * _logistic(slope * (cosine - worst))
        return max(0.0, 1 - self._max_wrong / max(1e-9, 1 - right))

    def _fitted(self, labels: list[tuple[float, bool]]) -> tuple[float, float, float]:
        def likelihood(place: float, slope: float) -> float:
            chances = [(_logistic(slope * (s - place)), same) for s, same in labels]
            return sum(math.log(max(1e-9, chance if same else 1 - chance)) for chance, same in chances)

        _, place, slope = max((likelihood(t, g), t, g) for t in self._PLACES for g in self._SLOPES)
        chances = [_logistic(slope * (s - place)) for s, _ in labels]
        known = slope * slope * sum(chance * (1 - chance) for chance in chances)
        return place, slope, 1 / math.sqrt(max(known, 25.0))

    def observe(self, asked: str, prompt: str, cosine: float, same: bool) -> None:
        self._labels[prompt].append((cosine, same))
        del self._labels[prompt][: -self._KEPT]
        self._fits.pop(prompt, None)

    def fresh(self) -> PerPrompt:
        return PerPrompt(self._max_wrong)


class Noisy:
    """A rule whose labels come from answers compared, and answers vary: some right ones are called wrong, few the other
    way."""

    def __init__(self, rule: Rule, missed: float, invented: float) -> None:
        self._rule, self._missed, self._invented = rule, missed, invented
        self._chance = Random(1)
        self.decide = rule.decide

    def observe(self, asked: str, prompt: str, cosine: float, same: bool) -> None:
        flipped = self._chance.random() < (self._missed if same else self._invented)
        self._rule.observe(asked, prompt, cosine, same is not flipped)

    def fresh(self) -> Noisy:
        return Noisy(self._rule.fresh(), self._missed, self._invented)


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def rules(ours: Matcher) -> dict[str, Rule]:
    """What is compared, by name; `ours` at half a per cent and at one."""
    return {
        "cosine 0.80": Cosine(0.80),
        "cosine 0.90": Cosine(0.90),
        "cosine 0.95": Cosine(0.95),
        "GPTCache-style (score 0.8: cosine 0.6)": Cosine(0.6),
        "RedisVL-style (distance 0.1)": Cosine(0.9),
        "vCache rule, 0.5 %": PerPrompt(0.005),
        "vCache rule, 1 %": PerPrompt(0.01),
        "ours, 0.5 %": ours.within(0.005),
        "ours, 1 %": ours.within(0.01),
        "ours, 0.5 %, labels 10 % / 1 % wrong": Noisy(ours.within(0.005), 0.1, 0.01),
    }
