"""How often the semantic cache may be wrong, and what it may serve to keep to it. Learned from answers compared. Pure.

The risk of a candidate is one minus a logistic of its score, shared by all entries, plus an intercept of the entry's
own; both are Bayesian, and the risk is taken at the unfavourable end of what is believed. A candidate is served while
the expected wrong answers of the last `_WINDOW` lookups stay within the budget: of all lookups and of its partition's.
(After vCache, arXiv 2502.03771, which bounds each prompt; a budget over lookups serves several times as much.)
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

Triple = tuple[float, float, float]  # of a symmetric matrix, two by two

_WINDOW = 2000  # lookups over which the budget is kept
_AGAIN = 25  # lookups or labels after which limits or weights are found anew
_EARLY = 100  # lookups before which a limit is the budget itself: too few to see what is asked
_BRAKE = 1.5  # times the budget; what is expected to be wrong in the window may pass the budget no further than this
_HIGHEST = 0.35  # no candidate of a higher risk is ever served
_UNSURE = 1.64  # standard deviations; one in twenty is worse
_LABELS = 2000  # the shared logistic forgets older ones
_OF_ENTRY = 16  # labels kept of one entry
_ENTRIES = 20_000  # with labels
_PARTITIONS = 4096
_HOPELESS = -7.0  # log odds; labels of candidates as far away as this teach nothing


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of log odds = intercept + slope * score before any label: a mean and a precision matrix."""

    intercept: float
    slope: float
    precision: Triple  # of intercept, of both, of slope


COLD = Prior(-1.0, 0.5, (0.5, 0.0, 0.5))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a candidate, and why."""

    serve: bool
    check: bool  # served all the same, but the model is to be asked, and the answers compared
    risk: float
    limit: float  # the highest risk served at this time


class Risk:
    """The chance that a candidate with this score is wrong, at the unfavourable end of what is believed."""

    def __init__(self, prior: Prior = COLD) -> None:
        self._prior = prior
        self._weights = (prior.intercept, prior.slope)
        self._spread = _inverse(prior.precision)
        self._labels: deque[tuple[float, float]] = deque(maxlen=_LABELS)
        self._entries: OrderedDict[str, list[tuple[float, float]]] = OrderedDict()
        self._new = 0

    def of(self, score: float, entry: str) -> tuple[float, float]:
        """The chance at the unfavourable end, and the expected one."""
        a, b, c = self._spread
        spread = math.sqrt(max(0.0, a + 2 * score * b + score * score * c))
        odds = self._odds(score) + self._own(entry)
        return 1 - _chance(odds - _UNSURE * spread), 1 - _chance(odds)

    def learn(self, score: float, entry: str, same: bool) -> None:
        """A label: the entry's answer was, or was not, the answer to a prompt that it was a candidate for."""
        if self._odds(score) < _HOPELESS:
            return
        self._labels.append((score, float(same)))
        own = self._entries.setdefault(entry, [])
        self._entries.move_to_end(entry)
        own.append((score, float(same)))
        del own[:-_OF_ENTRY]
        if len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)
        self._new += 1
        if self._new >= _AGAIN:
            self._new = 0
            self._weights, self._spread = _fitted(self._labels, self._prior, self._weights)

    def _odds(self, score: float) -> float:
        return self._weights[0] + self._weights[1] * score

    def _own(self, entry: str) -> float:
        """The entry's intercept: the likeliest one, from its own labels and a standard normal prior."""
        labels = self._entries.get(entry)
        if not labels:
            return 0.0
        own = 0.0
        for _ in range(6):
            slope, bend = -own, 1.0
            for score, same in labels:
                chance = _chance(self._odds(score) + own)
                slope += same - chance
                bend += chance * (1 - chance)
            own += slope / bend
        return own


class Account:
    """The risks of the last lookups, what of them was served, and the highest risk that the budget allows."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._seen: deque[tuple[float, float]] = deque(maxlen=_WINDOW)  # (risk, spent)
        self._served = 0.0
        self._lookups = 0
        self.limit = budget

    def allows(self, risk: float, expected: float) -> bool:
        """True when a candidate of this risk can be served now within the budget."""
        return risk <= self.limit and self._served + expected <= _BRAKE * self._budget * max(
            _EARLY, len(self._seen) + 1
        )

    def enter(self, risk: float, spent: float) -> None:
        """One lookup: `risk` 1 when there was no candidate, `spent` the expected wrong answers that it was served at."""
        if len(self._seen) == _WINDOW:
            self._served -= self._seen[0][1]
        self._seen.append((risk, spent))
        self._served += spent
        self._lookups += 1
        if self._lookups >= _EARLY and self._lookups % _AGAIN == 0:
            self.limit = self._highest()

    def _highest(self) -> float:
        """The largest limit under which the lookups seen would have cost no more than the budget."""
        risks = sorted(risk for risk, _ in self._seen)
        most = self._budget * len(risks)
        within = sum(1 for total in accumulate(risks) if total <= most)
        if within < len(risks):
            within = bisect_left(risks, risks[within])  # of many with one risk, all are served or none
        return min(risks[within - 1], _HIGHEST) if within else 0.0


class Bound:
    """Serves while the expected wrong answers stay within the budget; one object for an edge."""

    def __init__(self, budget: float, prior: Prior = COLD, audit: float = 0.0) -> None:
        """`budget` and `audit` are shares: of all lookups, and of the served ones that are checked."""
        self._budget = budget
        self._audit = audit
        self._risk = Risk(prior)
        self._whole = Account(budget)
        self._parts: OrderedDict[str, Account] = OrderedDict()

    def decide(self, score: float | None, entry: str, partition: str, chance: Random) -> Verdict:
        """Decides about the best candidate of a lookup (`score` None: there is none) and enters it in the accounts."""
        part = self._part(partition)
        risk, expected = (1.0, 1.0) if score is None else self._risk.of(score, entry)
        limit = min(part.limit, self._whole.limit)
        serve = part.allows(risk, expected) and self._whole.allows(risk, expected)
        for account in (part, self._whole):
            account.enter(risk, expected if serve else 0.0)
        return Verdict(serve, serve and chance.random() < self._audit, risk, limit)

    def would(self, score: float | None, entry: str, partition: str) -> tuple[float | None, float, bool]:
        """The risk of a candidate, the highest risk served now, and whether it would be. Enters nothing."""
        part = self._parts.get(partition) or Account(self._budget)
        limit = min(part.limit, self._whole.limit)
        if score is None:
            return None, limit, False
        risk, expected = self._risk.of(score, entry)
        return risk, limit, part.allows(risk, expected) and self._whole.allows(risk, expected)

    def learn(self, score: float, entry: str, same: bool) -> None:
        """A label from two answers compared."""
        self._risk.learn(score, entry, same)

    def _part(self, partition: str) -> Account:
        part = self._parts.setdefault(partition, Account(self._budget))
        self._parts.move_to_end(partition)
        if len(self._parts) > _PARTITIONS:
            self._parts.popitem(last=False)
        return part


def _chance(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def _inverse(matrix: Triple) -> Triple:
    a, b, c = matrix
    size = a * c - b * b
    return c / size, -b / size, a / size


def _fitted(
    labels: Sequence[tuple[float, float]], prior: Prior, weights: tuple[float, float]
) -> tuple[tuple[float, float], Triple]:
    """The likeliest weights (Newton's method from the last ones) and their covariance (Laplace's approximation)."""
    loss, slope, bend = _loss(labels, prior, weights)
    for _ in range(20):
        a, b, c = _inverse(bend)
        step = a * slope[0] + b * slope[1], b * slope[0] + c * slope[1]
        if max(map(abs, step)) < 1e-3:
            break
        for part in (1.0, 0.25, 0.05):  # where the curve is flat, a whole step jumps over the valley, and back
            nearer = weights[0] + part * step[0], weights[1] + part * step[1]
            found = _loss(labels, prior, nearer)
            if found[0] < loss:
                weights, (loss, slope, bend) = nearer, found
                break
        else:
            break
    return (weights[0], max(weights[1], 1e-3)), _inverse(bend)


def _loss(
    labels: Sequence[tuple[float, float]], prior: Prior, weights: tuple[float, float]
) -> tuple[float, tuple[float, float], Triple]:
    """Minus the log posterior, and the way and the curvature down from it."""
    w0, w1 = weights
    p00, p01, p11 = prior.precision
    off0, off1 = w0 - prior.intercept, w1 - prior.slope
    g0, g1 = -(p00 * off0 + p01 * off1), -(p01 * off0 + p11 * off1)
    loss = -0.5 * (g0 * off0 + g1 * off1)
    h00, h01, h11 = p00, p01, p11
    for score, same in labels:
        chance = _chance(w0 + w1 * score)
        loss -= math.log(chance if same else 1 - chance)
        error, bend = same - chance, chance * (1 - chance)
        g0, g1 = g0 + error, g1 + error * score
        h00, h01, h11 = h00 + bend, h01 + bend * score, h11 + bend * score * score
    return loss, (g0, g1), (h00, h01, h11)
