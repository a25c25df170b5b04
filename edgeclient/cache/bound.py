"""How often the semantic cache may be wrong, and what it may serve to keep to it. Pure.

A candidate is served while the expected wrong answers of the last `_WINDOW` lookups stay within the budget: of all
lookups and of its partition's. (After vCache, arXiv 2502.03771, which bounds each prompt; a budget over lookups serves
several times as much.) What is expected is `risk.Risk`'s to say, which learns from answers compared. When what was
thought safe turns out wrong several times running, its partition serves nothing until answers agree again.

So of the first n lookups of a process, for any n, no more than n times the budget is expected to be wrong: nobody has to
remember what was spent, and neither restarts nor many short processes gain anything.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from .logistic import Prior
from .risk import COLD, Label, Risk, Signs, label_of, newest, written

__all__ = ["COLD", "Account", "Bound", "Risk", "Verdict", "merged"]

_WINDOW = 2000  # lookups over which the budget is kept
_AGAIN = 25  # lookups after which limits are found anew
_EARLY = 100  # lookups before which a limit is the budget itself: too few to see what is asked
_TURNS = 256  # partitions of which others are told that they were closed, or opened again
_HIGHEST = 0.35  # no candidate of a higher risk is ever served
_PARTITIONS = 4096
_RUN = 4.0  # wrong answers, beyond twice what was expected, that close a partition
_VERSION = 2

Turn = tuple[float, bool]  # when a partition was closed, or opened again, last; and whether it was closed


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a candidate, and why."""

    serve: bool
    check: bool  # served all the same, but the model is to be asked, and the answers compared
    risk: float
    limit: float  # the highest risk served at this time
    closed: bool = False  # nothing is served: what was thought safe was wrong several times running


class Account:
    """The risks of the last lookups, what of them was served, and the highest risk that the budget allows."""

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._seen: deque[tuple[float, float]] = deque(maxlen=_WINDOW)  # (risk, spent)
        self._served = 0.0
        self._lookups = 0
        self._run = 0.0
        self.closed = False
        self.limit = budget

    def allows(self, risk: float, expected: float) -> bool:
        """True when a candidate of this risk can be served now within the budget.

        Nothing is granted ahead of the lookups that earn it: so what all accounts of all processes ever spend, however often
        they begin anew, stays within the budget of the lookups there were.
        """
        return (
            not self.closed and risk <= self.limit and self._served + expected <= self._budget * (len(self._seen) + 1)
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

    def compared(self, expected: float, same: bool) -> bool:
        """A label of a candidate that was thought safe. True when it closes or opens the account.

        The sum of surprises, never below nought (a CUSUM): a wrong answer adds what it was not expected to be, twice
        over, a right one takes as much away as it was doubted.
        """
        self._run = min(2 * _RUN, max(0.0, self._run + (not same) - 2 * expected))
        was = self.closed
        self.closed = self._run > 0 if was else self._run >= _RUN
        return was is not self.closed

    def turn(self, closed: bool) -> None:
        """Close, until answers agree again, or open."""
        self.closed, self._run = closed, _RUN if closed else 0.0

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

    def __init__(self, budget: float, prior: Prior = COLD, audit: float = 0.0, origin: str = "") -> None:
        """`budget` and `audit` are shares: of all lookups, and of the served ones that are checked. `origin` names this
        process among those that share what they learn."""
        self._budget = budget
        self._audit = audit
        self._origin = origin
        self._number = 0
        self._risk = Risk(prior)
        self._whole = Account(budget)
        self._parts: OrderedDict[str, Account] = OrderedDict()
        self._turns: dict[str, Turn] = {}

    def odds(self, signs: Signs) -> float:
        """Log odds that a candidate is right: by these the best of several is found."""
        return self._risk.odds(signs)

    def decide(self, signs: Signs | None, entry: str, partition: str, chance: Random) -> Verdict:
        """Decides about the best candidate of a lookup (`signs` None: there is none) and enters it in the accounts."""
        part = self._part(partition)
        risk, expected = (1.0, 1.0) if signs is None else self._risk.of(signs, entry)
        limit = min(part.limit, self._whole.limit)
        serve = part.allows(risk, expected) and self._whole.allows(risk, expected)
        for account in (part, self._whole):
            account.enter(risk, expected if serve else 0.0)
        return Verdict(serve, serve and chance.random() < self._audit, risk, limit, part.closed)

    def would(self, signs: Signs | None, entry: str, partition: str) -> tuple[float | None, float, bool]:
        """The risk of a candidate, the highest risk served now, and whether it would be. Enters nothing."""
        part = self._parts.get(partition) or Account(self._budget)
        limit = min(part.limit, self._whole.limit)
        if signs is None:
            return None, limit, False
        risk, expected = self._risk.of(signs, entry)
        return risk, limit, part.allows(risk, expected) and self._whole.allows(risk, expected)

    def learn(
        self, signs: Signs, entry: str, same: bool, *, partition: str = "", caller: str = "", now: float = 0.0
    ) -> bool:
        """A label from two answers compared; `caller` a digest of the credential that asked. True when it closes or
        opens the partition: worth a word in the log."""
        part = self._part(partition)
        risk, expected = self._risk.of(signs, entry)
        self._number += 1
        kept = tuple([round(one, 4) for one in signs])
        label = Label(round(now, 3), self._origin, self._number, kept, entry, same, caller)
        self._risk.learn(label)
        if risk > min(part.limit, self._whole.limit) or not part.compared(expected, same):
            return False
        self._turns[partition] = now, part.closed
        self._risk.fit()
        return True

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON has it: for a restart, and for other processes."""
        return _state(self._risk.labels, self._turns)

    def take(self, state: Mapping[str, Any]) -> None:
        """Learns what a state holds, and what it says was closed or opened since we heard of it.

        ValueError when it is no state; nothing was learned then. Entries know of older labels than a state holds: after
        a restart those are forgotten, and an entry is as risky as its score says.
        """
        labels, turns = _labels(state), _turns(state)
        if not all(self._risk.fits(label.signs) for label in labels):
            raise ValueError("not a state of this bound: its labels have other signs")
        self._number = max([self._number, *[label.number for label in labels if label.origin == self._origin]])
        self._risk.take(labels)
        for partition, turn in turns.items():
            if partition not in self._turns or turn > self._turns[partition]:
                self._turns[partition] = turn
                self._part(partition).turn(turn[1])

    def _part(self, partition: str) -> Account:
        part = self._parts.get(partition)
        if part is None:
            part = self._parts[partition] = Account(self._budget)
        self._parts.move_to_end(partition)
        if len(self._parts) > _PARTITIONS:
            self._parts.popitem(last=False)
        return part


def merged(states: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One state of several: the newest labels of all, each once, in whatever order they come, and of each partition the
    last turn. ValueError when one is no state."""
    states, turns = list(states), dict[str, Turn]()
    for state in states:
        for partition, turn in _turns(state).items():
            turns[partition] = max(turn, turns.get(partition, turn))
    return _state(newest(label for state in states for label in _labels(state)), turns)


def _state(labels: Iterable[Label], turns: Mapping[str, Turn]) -> dict[str, Any]:
    last = sorted(turns.items(), key=lambda one: one[1])[-_TURNS:]
    return {
        "version": _VERSION,
        "labels": [written(label) for label in labels],
        "turns": [[partition, round(at, 3), closed] for partition, (at, closed) in last],
    }


def _turns(state: Mapping[str, Any]) -> dict[str, Turn]:
    try:
        turns = {str(partition): (float(at), closed) for partition, at, closed in state.get("turns", ())}
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"not a state of the bound ({error!r})") from error
    if not all(math.isfinite(at) and isinstance(closed, bool) for at, closed in turns.values()):
        raise ValueError("not a state of the bound: its turns have no times, or say neither open nor closed")
    return turns


def _labels(state: Mapping[str, Any]) -> list[Label]:
    try:
        if state["version"] != _VERSION:
            raise ValueError(f"a state of version {state['version']!r}; this one reads {_VERSION}")
        return [label_of(row) for row in state["labels"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a state of the bound ({error!r})") from error
