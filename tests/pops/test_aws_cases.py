"""The retry quota of the AWS SDKs, its published cases by description: scripts of what happens and what is then left.

Sources: botocore `tests/unit/retries/test_quota.py`, `test_standard.py` (the quota's checker) and
`tests/functional/retries/test_quota.py` (threads); smithy-python `packages/smithy-core/tests/unit/test_retries.py`.
"""

from __future__ import annotations

import random
import re
import threading

import pytest

from edgeclient.pops.retry_budget import RetryBudget
from edgeclient.values import Failure

CAPACITY, RETRY, THROTTLED = 500, 14, 5
WORD = re.compile(r"(\w+?)(?:x(\d+))?")


class Calls:
    """Plays a script. Each word is what became of one call, or of one of its attempts; `x7` says it seven times.

    first: answered at the first attempt. fails, limited: the next attempt is paid for. refused: it should have been, and
    there was too little. answered: what the last attempt had cost comes back.
    """

    def __init__(self, left: int = CAPACITY) -> None:
        self.budget, self.paid = RetryBudget(), 0
        self.budget.tokens = left

    def play(self, script: str) -> int:
        """What is left after it."""
        for word in script.split():
            found = WORD.fullmatch(word)
            assert found is not None
            for _ in range(int(found[2] or 1)):
                self._one(found[1])
        return self.budget.tokens

    def _one(self, what: str) -> None:
        if what == "first":
            self.budget.answered(0)
        elif what == "answered":
            self.budget.answered(self.paid)
        elif what == "refused":
            before = self.budget.tokens
            assert self.budget.pay(Failure.STATUS) == 0 and self.budget.tokens == before
        else:
            self.paid = self.budget.pay(Failure.THROTTLED if what == "limited" else Failure.STATUS)
            assert self.paid == (THROTTLED if what == "limited" else RETRY)


@pytest.mark.parametrize(
    ("start", "script", "left"),
    [
        (500, "", 500),
        (500, "fails", 486),
        (500, "limited", 495),
        (500, "fails answered", 500),
        (500, "limited answered", 500),
        (500, "fails first", 487),
        (500, "first", 500),
        (499, "firstx3", 500),
        (490, "fails fails answered", 476),
        (500, "fails limited answered", 486),
        (500, "limited fails answered", 495),
        (500, "failsx35 refused", 10),
        (500, "failsx35 limitedx2 refused", 0),
        (500, "limitedx100 refused", 0),
        (14, "fails refused", 0),
        (13, "refused first fails", 0),
        (0, "refused firstx13 refused first fails refused", 0),
        (0, "firstx5 limited refused", 0),
        (0, "firstx600", 500),
        (30, "failsx2 refused answered fails answered answered", 30),
    ],
)
def test_what_is_left_after_a_script(start: int, script: str, left: int) -> None:
    """smithy-python: initial state, acquire, release, nothing used gives one, drained. botocore: the same with 500."""
    assert Calls(start).play(script) == left


@pytest.mark.parametrize("left", range(20))
def test_nothing_is_taken_in_part(left: int) -> None:
    """botocore `test_quota.py`: what cannot be had in full is refused, and what there is stays."""
    budget = Calls(left).budget
    paid = budget.pay(Failure.STATUS)
    assert (paid, budget.tokens) == ((14, left - 14) if left >= 14 else (0, left))


@pytest.mark.parametrize("failure", [failure for failure in Failure if failure is not Failure.THROTTLED])
def test_a_time_out_costs_what_any_other_failure_costs(failure: Failure) -> None:
    """smithy-rs and botocore since their new figures; older ones asked twice as much for a time-out."""
    assert RetryBudget().pay(failure) == RETRY
    assert RetryBudget().pay(None) == RETRY


@pytest.mark.parametrize("given_back", [14, 20, 10_000])
def test_more_than_was_taken_does_not_fill_it_beyond_its_capacity(given_back: int) -> None:
    """botocore `test_quota.py`, smithy-python: a release is cut at the capacity, also when it is full already."""
    calls = Calls()
    calls.play("fails")
    calls.budget.answered(given_back)
    assert calls.budget.tokens == CAPACITY
    calls.budget.answered(given_back)
    assert calls.budget.tokens == CAPACITY


def test_only_the_last_attempts_price_comes_back_and_the_loss_adds_up() -> None:
    """smithy-python: what a call consumed adds up with its retries, and its success returns the last share only."""
    calls = Calls()
    assert [calls.play("fails fails answered") for _ in range(3)] == [486, 472, 458]


def test_an_outage_ends_further_attempts_and_answers_bring_them_back() -> None:
    """botocore `test_standard.py`: no quota, no retry; here over the length of an outage of one call in two."""
    budget, further = RetryBudget(), []
    for number in range(400):
        if number % 2 == 0:
            budget.answered(0)
        else:
            further.append(budget.pay(Failure.STATUS) > 0)
    assert all(further[:38]) and sum(further[100:]) == pytest.approx(100 / 14, abs=1)
    for _ in range(28):
        budget.answered(0)
    assert budget.pay(Failure.STATUS) and budget.pay(Failure.STATUS)


def test_threads_never_see_it_outside_its_bounds() -> None:
    """botocore's functional `test_quota.py`: threads take and return; the balance stays in bounds and ends where it was."""
    budget, seen, start = RetryBudget(), [], threading.Barrier(4)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        start.wait()
        for _ in range(500):
            paid = budget.pay(chance.choice([Failure.STATUS, Failure.THROTTLED]))
            seen.append(budget.tokens)
            if paid:
                budget.answered(paid)
            seen.append(budget.tokens)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(seen) >= 0 and max(seen) <= CAPACITY and budget.tokens == CAPACITY
