"""The chance that a candidate is wrong, learned from answers that were compared. Pure.

One minus a logistic of the candidate's score, shared by all entries, plus an intercept of the entry's own. Both are
Bayesian, and the risk is taken at the unfavourable end of what is believed. Labels are a set: two processes that learned
apart know the same once each took the other's (`Label.key` says which is which, so that none counts twice).
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Triple = tuple[float, float, float]  # of a symmetric matrix, two by two
Weighed = tuple[float, float, float]  # score, 1 when the answers were the same, weight

_AGAIN = 25  # labels after which the weights are found anew
# Standard deviations; one in ten is worse. Chosen by hand, like `bound._BRAKE`, on the nine streams that the figures of
# docs/explanation/semantic-bound.md come from: nothing was held out. 1.64 costs right hits there, and keeps no bound better.
_UNSURE = 1.3
_LABELS = 2000  # the shared logistic forgets older ones
_OF_ENTRY = 16  # labels kept of one entry
_OF_CALLER = 4  # of which no more of one caller
_ENTRIES = 20_000  # with labels
_ALONE = 50.0  # labels that a caller among others may always bring: what the prior is worth
_HOPELESS = -7.0  # log odds; labels of candidates as far away as this teach nothing


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of log odds = intercept + slope * score before any label: a mean and a precision matrix."""

    intercept: float
    slope: float
    precision: Triple  # of intercept, of both, of slope


COLD = Prior(-1.0, 0.5, (0.5, 0.0, 0.5))


class Label(NamedTuple):
    """Two answers compared. `caller` stands for a credential and is no secret: a digest."""

    at: float  # seconds since 1970
    origin: str  # the process that compared
    number: int  # its how-manieth
    score: float
    entry: str
    same: bool
    caller: str

    @property
    def key(self) -> tuple[float, str, int]:
        """Its place in time, and its name."""
        return self.at, self.origin, self.number


class Risk:
    """The chance that a candidate with this score is wrong, at the unfavourable end of what is believed."""

    def __init__(self, prior: Prior = COLD) -> None:
        self._prior = prior
        self._weights = (prior.intercept, prior.slope)
        self._spread = _inverse(prior.precision)
        self._labels: dict[tuple[float, str, int], Label] = {}
        self._entries: OrderedDict[str, list[Label]] = OrderedDict()
        self._new = 0

    @property
    def labels(self) -> list[Label]:
        """The newest, oldest first."""
        return list(self._labels.values())

    def of(self, score: float, entry: str) -> tuple[float, float]:
        """The chance at the unfavourable end, and the expected one."""
        a, b, c = self._spread
        spread = math.sqrt(max(0.0, a + 2 * score * b + score * score * c))
        odds = self._odds(score) + self._own(entry)
        return 1 - _chance(odds - _UNSURE * spread), 1 - _chance(odds)

    def learn(self, label: Label) -> None:
        """The entry's answer was, or was not, the answer to a prompt that it was a candidate for."""
        if self._odds(label.score) < _HOPELESS or label.key in self._labels:
            return
        self._labels[label.key] = label
        if len(self._labels) > _LABELS:
            del self._labels[next(iter(self._labels))]
        self._note(label)
        self._new += 1
        if self._new >= _AGAIN:
            self.fit()

    def take(self, labels: Iterable[Label]) -> None:
        """Learns what others learned: afterwards it knows the newest of both. In any order, and as often as one likes."""
        fresh = {label.key: label for label in labels if label.key not in self._labels}
        if not fresh:
            return
        for key in sorted(fresh):
            self._note(fresh[key])
        self._labels = {label.key: label for label in newest([*self._labels.values(), *fresh.values()])}
        self.fit()

    def fit(self) -> None:
        """Finds the shared weights anew."""
        self._new = 0
        self._weights, self._spread = _fitted(_weighed(self._labels.values()), self._prior, self._weights)

    def _note(self, label: Label) -> None:
        """Among the entry's own, the newest of each caller and of all."""
        own = self._entries.setdefault(label.entry, [])
        self._entries.move_to_end(label.entry)
        own.append(label)
        own.sort(key=lambda one: one.key)
        of_caller = [one for one in own if one.caller == label.caller]
        if label.caller and len(of_caller) > _OF_CALLER:
            own.remove(of_caller[0])
        del own[:-_OF_ENTRY]
        if len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)

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
            for label in labels:
                chance = _chance(self._odds(label.score) + own)
                slope += label.same - chance
                bend += chance * (1 - chance)
            own += slope / bend
        return own


def newest(labels: Iterable[Label]) -> list[Label]:
    """As many as are kept, each once, oldest first."""
    known = {label.key: label for label in labels}
    return [known[key] for key in sorted(known)[-_LABELS:]]


def _weighed(labels: Iterable[Label]) -> list[Weighed]:
    """Where there are several callers, none weighs more than all others together, or than `_ALONE` labels."""
    labels = list(labels)
    of = Counter(label.caller for label in labels)
    weight = {one: min(1.0, max(_ALONE, len(labels) - n) / n) if len(of) > 1 else 1.0 for one, n in of.items()}
    return [(label.score, float(label.same), weight[label.caller]) for label in labels]


def _chance(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


def _inverse(matrix: Triple) -> Triple:
    a, b, c = matrix
    size = a * c - b * b
    return c / size, -b / size, a / size


def _fitted(
    labels: Sequence[Weighed], prior: Prior, weights: tuple[float, float]
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
    labels: Sequence[Weighed], prior: Prior, weights: tuple[float, float]
) -> tuple[float, tuple[float, float], Triple]:
    """Minus the log posterior, and the way and the curvature down from it."""
    w0, w1 = weights
    p00, p01, p11 = prior.precision
    off0, off1 = w0 - prior.intercept, w1 - prior.slope
    g0, g1 = -(p00 * off0 + p01 * off1), -(p01 * off0 + p11 * off1)
    loss = -0.5 * (g0 * off0 + g1 * off1)
    h00, h01, h11 = p00, p01, p11
    for score, same, weight in labels:
        chance = _chance(w0 + w1 * score)
        loss -= weight * math.log(chance if same else 1 - chance)
        error, bend = weight * (same - chance), weight * chance * (1 - chance)
        g0, g1 = g0 + error, g1 + error * score
        h00, h01, h11 = h00 + bend, h01 + bend * score, h11 + bend * score * score
    return loss, (g0, g1), (h00, h01, h11)


def written(label: Label) -> list[float | int | str | bool]:
    """A label as JSON has it."""
    return list(label)


def label_of(row: object) -> Label:
    """A label from JSON. ValueError when it is none."""
    match row:
        case [
            int() | float() as at,
            str(origin),
            int(number),
            int() | float() as score,
            str(entry),
            bool(same),
            str(caller),
        ]:
            if math.isfinite(at) and math.isfinite(score) and max(map(len, (origin, entry, caller))) <= 200:
                return Label(float(at), origin, number, float(score), entry, same, caller)
    raise ValueError(f"not a label: {str(row)[:100]}")
