"""The budget of further attempts: the published cases of the AWS SDKs' quota by description, and its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.retry_budget import RetryBudget
from edgeclient.values import Failure


def spent(budget: RetryBudget, failure: Failure) -> int:
    """How many further attempts can be paid at once."""
    count = 0
    while budget.pay(failure):
        count += 1
    return count


def test_thirty_five_at_once_and_then_none() -> None:
    budget = RetryBudget()
    assert budget.tokens == 500
    assert spent(budget, Failure.STATUS) == 35 and budget.tokens == 10


def test_a_throttled_one_is_cheaper() -> None:
    budget = RetryBudget()
    assert spent(budget, Failure.THROTTLED) == 100 and budget.tokens == 0


def test_an_answer_gives_back_what_its_attempt_cost() -> None:
    budget = RetryBudget()
    paid = budget.pay(Failure.STATUS)
    assert (paid, budget.tokens) == (14, 486)
    budget.answered(paid)
    assert budget.tokens == 500


def test_a_failed_further_attempt_keeps_what_it_cost_and_the_next_one_pays_again() -> None:
    budget = RetryBudget()
    budget.pay(Failure.STATUS)
    second = budget.pay(Failure.THROTTLED)
    budget.answered(second)
    assert budget.tokens == 486


def test_fourteen_first_answers_buy_one_more() -> None:
    budget = RetryBudget()
    budget.tokens = 0
    for _ in range(13):
        budget.answered(0)
    assert not budget.pay(Failure.STATUS)
    budget.answered(0)
    assert budget.pay(Failure.STATUS) and budget.tokens == 0


def test_it_never_holds_more_than_its_capacity() -> None:
    budget = RetryBudget()
    budget.answered(0)
    assert budget.tokens == 500


@given(st.lists(st.sampled_from(["first", "again", "lost", "throttled"]), max_size=400))
def test_never_more_than_the_budget(calls: list[str]) -> None:
    budget, further, first = RetryBudget(), 0, 0
    for call in calls:
        if call == "first":
            budget.answered(0)
            first += 1
            continue
        paid = budget.pay(Failure.THROTTLED if call == "throttled" else Failure.STATUS)
        further += bool(paid) and call == "lost"
        if call == "again" and paid:
            budget.answered(paid)
        assert 0 <= budget.tokens <= 500
    assert further <= (500 + first) // 14
