"""Two attempts at once: who counts, what is learned, what is closed; and the budget that all further attempts share."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from edgeclient.attempts import Budget, Trace, send
from edgeclient.dialects import dialect_of
from edgeclient.pops.hedging import Hedging
from edgeclient.pops.retry_budget import RetryBudget
from edgeclient.pops.selector import Selector
from edgeclient.values import ORIGIN, Call, Endpoint, Failure, Outcome, Reply, Route

from .scripted import A, B, Native, Run, Scripted, both_ways, ok, says

FOUND = dialect_of("POST", "/chat/completions")
assert FOUND is not None
CALL = Call(
    "openai", "POST", "https://api.openai.com/v1", "/chat/completions", model="m", route=Route.INFERENCE,
    dialect=FOUND[1], idempotent=True,
)  # fmt: skip


def measured(*endpoints: Endpoint, answers: int = 20, took_s: float = 0.1) -> Selector:
    """A selector that knows all paths, and so many answers of the first."""
    selector = Selector([e for e in endpoints if e is not ORIGIN], random.Random(1))
    for number, endpoint in enumerate(e for e in endpoints if e is not ORIGIN):
        selector.probed(endpoint, [0.01 + number / 100] * 3, 1000.0, 0.0)
    for _ in range(answers):
        selector.record(Outcome(endpoints[0], None, 200, rtt_s=0.01, took_s=took_s, call=CALL), 1000.0)
    return selector


class Sent:
    """A call that was sent over these endpoints with an allowance of hedges."""

    def __init__(
        self,
        run: Run,
        rt: Scripted,
        *endpoints: Endpoint,
        call: Call = CALL,
        selector: Selector | None = None,
        **budget: Any,
    ) -> None:
        self.rt, self.trace = rt, Trace()
        self.selector = selector or measured(*endpoints)
        hedging = Hedging(0.2)
        for _ in range(10):
            hedging.fits(CALL)
        spent = Budget(3, rt.time + 1e9, 1.0, **{"hedging": hedging, **budget})
        self.reply: Reply | None = None
        self.error: BaseException | None = None
        self.before = {e.name: e for e in self.selector.status(rt.time)}
        try:
            self.reply = run(send(call, endpoints, self.selector, spent, rt, self.trace))
        except Native as error:
            self.error = error

    @property
    def tried(self) -> list[tuple[str, str]]:
        return [(attempt.endpoint, attempt.outcome) for attempt in self.trace.tried]

    def failures(self) -> dict[str, int]:
        return {e.name: e.failures for e in self.selector.status(self.rt.time)}


@both_ways
def test_the_spare_is_faster(run: Run) -> None:
    answer = ok()
    done = Sent(run, run.runtime(a=ok(), b=answer), A, B, ORIGIN)
    assert done.reply is answer and done.trace.endpoint is B
    assert done.tried == [("a", "outrun"), ("b", "ok")]
    assert done.rt.hedged_after_s == [pytest.approx(0.01 + 0.09, rel=0.2)]
    server_ms = {e.name: e.server_ms for e in done.selector.status(done.rt.time)}
    assert server_ms["b"] is None, "its time is not that of an ordinary call"


@both_ways
def test_the_first_is_faster_after_all(run: Run) -> None:
    answer = ok()
    rt = run.runtime(a=answer, b=ok())
    rt.spare_first = False
    done = Sent(run, rt, A, B, ORIGIN)
    assert done.reply is answer and done.trace.endpoint is A and done.tried == [("a", "ok"), ("b", "outrun")]


@both_ways
def test_the_spare_fails_and_the_first_is_waited_for(run: Run) -> None:
    answer, refused = ok(), says(503)
    done = Sent(run, run.runtime(a=answer, b=refused), A, B, ORIGIN)
    assert done.reply is answer and done.tried == [("a", "ok"), ("b", "status")]
    assert done.rt.closed == [refused] and done.failures() == {"a": 0, "b": 1}


@both_ways
def test_both_fail_and_the_origin_has_the_last_word(run: Run) -> None:
    one, other, answer = says(503), says(502), ok()
    done = Sent(run, run.runtime(a=one, b=other, origin=answer), A, B, ORIGIN)
    assert done.reply is answer and done.tried == [("a", "status"), ("b", "status"), ("origin", "ok")]
    assert set(map(id, done.rt.closed)) == {id(one), id(other)}


@both_ways
def test_both_are_refused_and_cost_nothing(run: Run) -> None:
    done = Sent(run, run.runtime(a=Failure.REFUSED, b=Failure.REFUSED, origin=ok()), A, B, ORIGIN)
    assert done.tried == [("a", "connection_refused"), ("b", "connection_refused"), ("origin", "ok")]


@both_ways
@pytest.mark.parametrize(
    "change",
    [{"idempotent": False}, {"route": Route.GATEWAY}, {"retry": 1}, {"model": "another"}],
    ids=str,
)
def test_others_are_not_hedged(run: Run, change: dict[str, Any]) -> None:
    done = Sent(run, run.runtime(a=ok(), b=ok()), A, B, ORIGIN, call=replace(CALL, **change))
    assert done.rt.sent == ["a"] and done.rt.hedged_after_s == []


@both_ways
def test_not_while_too_little_is_known(run: Run) -> None:
    done = Sent(run, run.runtime(a=ok(), b=ok()), A, B, ORIGIN, selector=measured(A, B, answers=19))
    assert done.rt.sent == ["a"]


@both_ways
def test_not_without_a_spare_that_is_well(run: Run) -> None:
    for failure in (Failure.REFUSED, Failure.THROTTLED):
        selector = measured(A, B)
        selector.record(Outcome(B, failure), 1000.0)
        assert Sent(run, run.runtime(a=ok(), b=ok()), A, B, selector=selector).rt.sent == ["a"]
    assert Sent(run, run.runtime(a=ok()), A, ORIGIN).rt.sent == ["a"], "the client's own origin is no spare"


@both_ways
def test_not_beyond_the_allowance(run: Run) -> None:
    done = Sent(run, run.runtime(a=ok(), b=ok()), A, B, ORIGIN, hedging=Hedging(0.2))
    assert done.rt.sent == ["a"] and done.tried == [("a", "ok")]


# -- the budget of further attempts


def empty() -> RetryBudget:
    budget = RetryBudget()
    budget.tokens = 0
    return budget


@both_ways
def test_without_budget_the_origin_is_next(run: Run) -> None:
    done = Sent(run, run.runtime(a=says(503), b=ok(), origin=ok()), A, B, ORIGIN, hedging=None, retries=empty())
    assert done.rt.sent == ["a", "origin"]


@both_ways
def test_without_budget_and_origin_the_answer_is_handed_back(run: Run) -> None:
    refused = says(503)
    done = Sent(run, run.runtime(a=refused, b=ok()), A, B, hedging=None, retries=empty())
    assert done.rt.sent == ["a"] and done.reply is refused and done.rt.closed == []


@both_ways
def test_what_was_never_sent_is_free(run: Run) -> None:
    done = Sent(run, run.runtime(a=Failure.REFUSED, b=ok()), A, B, hedging=None, retries=empty())
    assert done.rt.sent == ["a", "b"]


@both_ways
def test_a_further_attempt_that_is_answered_costs_nothing_in_the_end(run: Run) -> None:
    budget = RetryBudget()
    Sent(run, run.runtime(a=says(503), b=ok()), A, B, hedging=None, retries=budget)
    assert budget.tokens == 500
    Sent(run, run.runtime(a=says(503), b=says(503), origin=ok()), A, B, ORIGIN, hedging=None, retries=budget)
    assert budget.tokens == 500, "and neither does one that the origin answered"
    Sent(run, run.runtime(a=says(503), b=says(503)), A, B, hedging=None, retries=budget)
    assert budget.tokens == 486
