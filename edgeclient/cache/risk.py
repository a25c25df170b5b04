"""The chance that a candidate is wrong, learned from answers that were compared. Pure.

One minus a logistic of the candidate's signs, shared by all entries, plus an intercept of the entry's own. The signs are its
score, and a few features that say more of one product's questions than of another's. What is believed is Bayesian, and the
risk is taken at the unfavourable end of it. Labels are a set: two processes that learned apart know the same once each took
the other's (`Label.key` says which is which, so that none counts twice).
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from .logistic import Labels, Prior, chance, fitted, inverse, odds, variance

Signs = tuple[float, ...]  # of a candidate: the score, in log odds, and what else is weighed

_AGAIN = 25  # labels after which the weights are found anew
# Standard deviations; one in six is worse. 0.8 and 1.3 were tried on the nine streams that the figures of
# docs/explanation/semantic-bound.md come from: they differ by a point of right hits, and by chance in the worst stream.
_UNSURE = 1.0
_LABELS = 2000  # the shared logistic forgets older ones
_OF_ENTRY = 16  # labels kept of one entry
_OF_CALLER = 4  # of which no more of one caller
_ENTRIES = 20_000  # with labels
_ALONE = 50.0  # labels that a caller among others may always bring: what the prior is worth
_HOPELESS = -7.0  # log odds; labels of candidates as far away as this teach nothing


COLD = Prior((-1.0, 0.5), ((0.5, 0.0), (0.0, 0.5)))  # of a score alone


class Label(NamedTuple):
    """Two answers compared. `caller` stands for a credential and is no secret: a digest."""

    at: float  # seconds since 1970
    origin: str  # the process that compared
    number: int  # its how-manieth
    signs: Signs
    entry: str
    same: bool
    caller: str

    @property
    def key(self) -> tuple[float, str, int]:
        """Its place in time, and its name."""
        return self.at, self.origin, self.number


class Risk:
    """The chance that a candidate with these signs is wrong, at the unfavourable end of what is believed."""

    def __init__(self, prior: Prior = COLD) -> None:
        self._prior = prior
        self._weights = prior.weights
        self._spread = inverse(prior.precision)
        self._labels: dict[tuple[float, str, int], Label] = {}
        self._entries: OrderedDict[str, list[Label]] = OrderedDict()
        self._new = 0

    @property
    def labels(self) -> list[Label]:
        """The newest, oldest first."""
        return list(self._labels.values())

    def of(self, signs: Signs, entry: str) -> tuple[float, float]:
        """The chance at the unfavourable end, and the expected one."""
        likely = self.odds(signs) + self._own(entry)
        return 1 - chance(likely - _UNSURE * math.sqrt(variance(self._spread, signs))), 1 - chance(likely)

    def odds(self, signs: Signs) -> float:
        """Log odds that a candidate with these signs is right, whatever its entry."""
        return odds(self._weights, signs)

    def fits(self, signs: Signs) -> bool:
        """False for signs of another number than this one weighs."""
        return len(signs) == len(self._weights) - 1

    def learn(self, label: Label) -> None:
        """The entry's answer was, or was not, the answer to a prompt that it was a candidate for."""
        if self.odds(label.signs) < _HOPELESS or label.key in self._labels:
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
        weights, self._spread = fitted(_weighed(self._labels.values()), self._prior, self._weights)
        self._weights = (weights[0], max(weights[1], 1e-3), *weights[2:])  # a higher score is never riskier

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

    def _own(self, entry: str) -> float:
        """The entry's intercept: the likeliest one, from its own labels and a standard normal prior."""
        labels = self._entries.get(entry)
        if not labels:
            return 0.0
        own, told = 0.0, [(self.odds(label.signs), label.same) for label in labels]
        for _ in range(6):
            slope, bend = -own, 1.0
            for likely, same in told:
                right = chance(likely + own)
                slope += same - right
                bend += right * (1 - right)
            own += slope / bend
        return own


def newest(labels: Iterable[Label]) -> list[Label]:
    """As many as are kept, each once, oldest first."""
    known = {label.key: label for label in labels}
    return [known[key] for key in sorted(known)[-_LABELS:]]


def _weighed(labels: Iterable[Label]) -> Labels:
    """Where there are several callers, none weighs more than all others together, or than `_ALONE` labels."""
    labels = list(labels)
    of = Counter(label.caller for label in labels)
    weight = {one: min(1.0, max(_ALONE, len(labels) - n) / n) if len(of) > 1 else 1.0 for one, n in of.items()}
    signs = zip(*[label.signs for label in labels], strict=True)
    return Labels(
        columns=[[1.0] * len(labels), *signs],
        same=[float(label.same) for label in labels],
        weight=[weight[label.caller] for label in labels],
    )


def written(label: Label) -> list[float | int | str | bool | list[float]]:
    """A label as JSON has it."""
    return [list(part) if isinstance(part, tuple) else part for part in label]


def label_of(row: object) -> Label:
    """A label from JSON. ValueError when it is none."""
    match row:
        case [int() | float() as at, str(origin), int(number), list(signs), str(entry), bool(same), str(caller)]:
            finite = all(isinstance(one, int | float) and math.isfinite(one) for one in (at, *signs))
            if finite and max(map(len, (origin, entry, caller))) <= 200:
                return Label(float(at), origin, number, tuple(map(float, signs)), entry, same, caller)
    raise ValueError(f"not a label: {str(row)[:100]}")
