"""Failover: which endpoint comes when, what an attempt costs, and what is handed back when none answers."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from edgeclient.attempts import Budget, Trace, send
from edgeclient.dialects import dialect_of
from edgeclient.judging import judge, may_resend
from edgeclient.noting import Attempt
from edgeclient.planning import able, plan
from edgeclient.pops.selector import Selector
from edgeclient.routing import presets
from edgeclient.routing.systems import Bound, System, capabilities_of
from edgeclient.values import ORIGIN, UNSENT, Call, Controls, Endpoint, Failure, Outcome, Reply, SentAgain

from .scripted import EVENT_HEADERS, A, B, C, Native, Run, Scripted, both_ways, ok, says

FOUND = dialect_of("POST", "/chat/completions")
assert FOUND is not None
CALL = Call("openai", "POST", "https://api.openai.com/v1", "/chat/completions", dialect=FOUND[1])
SENT_AND_LOST = [Failure.TERMINATED, Failure.PROTOCOL]


class Sending:
    """One pass of a call over these endpoints, and what came of it."""

    def __init__(
        self,
        run: Run,
        rt: Scripted,
        *endpoints: Endpoint,
        call: Call = CALL,
        attempts: int = 3,
        total_s: float = 1e9,
        retry_sent: SentAgain = "idempotent",
    ) -> None:
        self.rt, self.trace = rt, Trace()
        self.selector = Selector([e for e in endpoints if e is not ORIGIN], random.Random(1))
        budget = Budget(attempts, rt.time + total_s, connect_s=1.0, retry_sent=retry_sent)
        self.reply: Reply | None = None
        self.error: BaseException | None = None
        try:
            self.reply = run(send(call, endpoints, self.selector, budget, rt, self.trace))
        except Native as error:
            self.error = error

    @property
    def sent(self) -> str:
        return " ".join(self.rt.sent)


# -- the order


@both_ways
def test_the_first_that_answers_ends_it(run: Run) -> None:
    answer = ok()
    done = Sending(run, run.runtime(a=answer, b=ok()), A, B, ORIGIN)
    assert done.sent == "a" and done.reply is answer and done.rt.closed == []
    assert done.trace.endpoint is A and done.trace.tried == [Attempt("a", "ok", 200)]


@both_ways
@pytest.mark.parametrize("failure", sorted(UNSENT, key=lambda failure: failure.value))
def test_what_was_not_sent_is_free(run: Run, failure: Failure) -> None:
    endpoints = [Endpoint(str(n), "https://x") for n in range(6)]
    answers: dict[str, Any] = {e.name: failure for e in endpoints}
    done = Sending(run, run.runtime(**answers, origin=ok()), *endpoints, ORIGIN, attempts=2)
    assert done.sent == "0 1 2 3 4 5 origin" and done.reply is not None
    assert [attempt.outcome for attempt in done.trace.tried] == [failure.value] * 6 + ["ok"]


@both_ways
@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_an_answer_that_says_no_is_closed_and_the_next_one_tried(run: Run, status: int) -> None:
    no = says(status)
    done = Sending(run, run.runtime(a=no, b=ok()), A, B)
    assert done.sent == "a b" and done.rt.closed == [no] and done.reply is not None and done.reply.status == 200


@both_ways
@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 408, 409, 422])
def test_any_other_status_is_an_answer(run: Run, status: int) -> None:
    done = Sending(run, run.runtime(a=says(status), b=ok()), A, B)
    assert done.sent == "a" and done.reply is not None and done.reply.status == status


# -- the budget


@both_ways
@pytest.mark.parametrize(
    ("attempts", "sent"), [(1, "a"), (2, "a origin"), (3, "a b origin"), (4, "a b c origin"), (9, "a b c origin")]
)
def test_the_last_attempt_is_the_origins(run: Run, attempts: int, sent: str) -> None:
    done = Sending(
        run, run.runtime(a=says(503), b=says(503), c=says(503), origin=ok()), A, B, C, ORIGIN, attempts=attempts
    )
    assert done.sent == sent


@both_ways
@pytest.mark.parametrize(("attempts", "sent"), [(1, "a"), (2, "a b"), (3, "a b c"), (9, "a b c")])
def test_without_an_origin_the_budget_is_for_the_endpoints(run: Run, attempts: int, sent: str) -> None:
    done = Sending(run, run.runtime(a=says(503), b=says(503), c=says(503)), A, B, C, attempts=attempts)
    assert done.sent == sent


@both_ways
def test_nothing_is_tried_twice(run: Run) -> None:
    done = Sending(run, run.runtime(a=says(503), b=says(503)), A, B, attempts=10)
    assert done.sent == "a b"


@both_ways
@pytest.mark.parametrize(("total_s", "sent"), [(0.0, "a"), (100.0, "a b c")])
def test_no_further_attempt_starts_when_the_total_time_is_over(run: Run, total_s: float, sent: str) -> None:
    """Of an attempt that starts in time and ends late, see test_once_broken."""
    rt = run.runtime(a=says(503), b=says(503), c=ok(), took_s=5.0)
    assert Sending(run, rt, A, B, C, total_s=total_s).sent == sent


@both_ways
def test_only_while_another_is_left_is_the_connection_hurried(run: Run) -> None:
    done = Sending(run, run.runtime(a=Failure.REFUSED, b=Failure.REFUSED, origin=ok()), A, B, ORIGIN)
    assert done.rt.connect_s == [1.0, 1.0, None]
    assert Sending(run, run.runtime(origin=ok()), ORIGIN).rt.connect_s == [None]
    assert Sending(run, run.runtime(a=ok()), A, B, total_s=0.0).rt.connect_s == [None]  # no time for another one


@both_ways
@pytest.mark.parametrize("last", [Failure.REFUSED, says(503)], ids=["refused", "503"])
def test_what_the_origin_said_is_handed_back_when_ejected_endpoints_help_no_further(run: Run, last: Any) -> None:
    """The plain SDK would have it, with its Retry-After."""
    busy = says(429)
    done = Sending(run, run.runtime(origin=busy, a=last), ORIGIN, A)
    assert done.sent == "origin a" and done.reply is busy and busy not in done.rt.closed


@both_ways
def test_what_the_origin_said_is_closed_when_an_ejected_endpoint_answers(run: Run) -> None:
    busy, answer = says(429), ok()
    done = Sending(run, run.runtime(origin=busy, a=answer), ORIGIN, A)
    assert done.reply is answer and done.rt.closed == [busy]


# -- what may be sent again


@both_ways
@pytest.mark.parametrize("failure", SENT_AND_LOST)
def test_what_may_have_been_billed_goes_up_as_the_native_error(run: Run, failure: Failure) -> None:
    done = Sending(run, run.runtime(a=failure, b=ok()), A, B)
    assert done.sent == "a" and isinstance(done.error, Native) and done.error.args == ("a", failure)


@both_ways
@pytest.mark.parametrize("failure", SENT_AND_LOST)
def test_an_idempotent_call_goes_on(run: Run, failure: Failure) -> None:
    done = Sending(run, run.runtime(a=failure, b=ok()), A, B, call=replace(CALL, idempotent=True))
    assert done.sent == "a b" and done.reply is not None


@both_ways
@pytest.mark.parametrize("idempotent", [True, False])
def test_a_read_timeout_is_not_tried_elsewhere(run: Run, idempotent: bool) -> None:
    """The caller's patience is spent, and the answer may be on its way."""
    done = Sending(run, run.runtime(a=Failure.READ_TIMEOUT, b=ok()), A, B, call=replace(CALL, idempotent=idempotent))
    assert done.sent == "a" and done.error is not None and done.error.args[1] is Failure.READ_TIMEOUT


@pytest.mark.parametrize("failure", list(Failure))
@pytest.mark.parametrize("idempotent", [True, False])
def test_the_rule_of_sending_again(failure: Failure, idempotent: bool) -> None:
    free = failure in UNSENT or failure in (
        Failure.STATUS, Failure.THROTTLED, Failure.NOT_AN_ANSWER, Failure.REGION,
        Failure.QUOTA, Failure.CAPACITY, Failure.COLD, Failure.MODEL_MISSING, Failure.TOO_LONG,
    )  # fmt: skip
    expected = free or (idempotent and failure in SENT_AND_LOST)
    assert may_resend(replace(CALL, idempotent=idempotent), failure) is expected


@pytest.mark.parametrize(
    ("retry_sent", "idempotent", "again"),
    [
        ("never", False, set()),
        ("never", True, set()),
        ("idempotent", False, {Failure.UNACKNOWLEDGED}),
        ("idempotent", True, {Failure.UNACKNOWLEDGED, Failure.TERMINATED, Failure.PROTOCOL}),
        ("always", False, {Failure.UNACKNOWLEDGED, Failure.TERMINATED, Failure.PROTOCOL, Failure.READ_TIMEOUT}),
        ("always", True, {Failure.UNACKNOWLEDGED, Failure.TERMINATED, Failure.PROTOCOL, Failure.READ_TIMEOUT}),
    ],
)
def test_the_setting_of_sending_again(retry_sent: SentAgain, idempotent: bool, again: set[Failure]) -> None:
    call = replace(CALL, idempotent=idempotent)
    risky = {Failure.UNACKNOWLEDGED, Failure.TERMINATED, Failure.PROTOCOL, Failure.READ_TIMEOUT}
    allowed = {failure for failure in Failure if may_resend(call, failure, retry_sent)}
    assert allowed == (set(Failure) - risky) | again


@both_ways
def test_the_budget_says_what_is_sent_again(run: Run) -> None:
    done = Sending(run, run.runtime(a=Failure.READ_TIMEOUT, b=ok()), A, B, retry_sent="always")
    assert done.sent == "a b" and done.reply is not None
    done = Sending(run, run.runtime(a=Failure.UNACKNOWLEDGED, b=ok()), A, B, retry_sent="never")
    assert done.sent == "a" and done.error is not None


# -- what is handed back


@both_ways
def test_when_all_say_no_the_last_reply_is_handed_back_unread(run: Run) -> None:
    first, last = says(503), says(429)
    done = Sending(run, run.runtime(a=first, origin=last), A, ORIGIN)
    assert done.reply is last and done.rt.closed == [first]


@both_ways
def test_when_none_can_be_reached_the_last_native_error_is_raised(run: Run) -> None:
    done = Sending(run, run.runtime(a=Failure.DNS, origin=Failure.REFUSED), A, ORIGIN)
    assert done.error is not None and done.error.args == ("origin", Failure.REFUSED)
    assert done.error.__cause__ is None


TOO_LONG = b'{"error": {"message": "too much", "code": "context_length_exceeded"}}'
SMALL, LARGE = (
    Endpoint(name, f"https://{name}.example.com/v1", product=Bound(System("vllm", "", ""), {"context": size}))
    for name, size in (("small", "4096"), ("large", "32768"))
)
OTHER = Endpoint("other", "https://other.example.com/v1", product=Bound(System("groq", "", "")))


@both_ways
@pytest.mark.parametrize(
    ("endpoints", "sent"),
    [
        ((A, B, ORIGIN), "a"),  # sites of the same, for all that is known
        ((A, replace(B, models={"": "another"}), ORIGIN), "a b"),
        ((SMALL, LARGE, ORIGIN), "small large"),
        ((LARGE, SMALL), "large"),
        ((SMALL, replace(SMALL, name="large"), OTHER), "small other"),
        ((SMALL, A, LARGE), "small a"),
        ((OTHER, ORIGIN), "other origin"),
    ],
)
def test_a_call_that_is_too_long_goes_where_more_may_fit(run: Run, endpoints: Any, sent: str) -> None:
    names = sent.split()
    answers = {name: says(400, body=TOO_LONG) for name in names[:-1]} | {names[-1]: ok()}
    if len(names) == 1:
        answers = {names[0]: says(400, body=TOO_LONG)}
    done = Sending(run, run.runtime(**answers), *endpoints)
    assert done.sent == sent and done.reply is answers[names[-1]]
    assert done.trace.tried[0].outcome == "too_long"
    assert done.rt.closed == [answers[name] for name in names[:-1]]


@both_ways
@pytest.mark.parametrize("later", [says(404), says(400, body=TOO_LONG), says(503), Failure.REFUSED], ids=str)
def test_that_it_was_too_long_is_what_the_caller_gets(run: Run, later: Any) -> None:
    """Not that the next one does not have the model, or is down: that would not be why."""
    first = says(400, body=TOO_LONG)
    done = Sending(run, run.runtime(small=first, other=later), SMALL, OTHER)
    assert done.sent == "small other" and done.reply is first and done.trace.endpoint is SMALL
    assert done.rt.closed == ([later] if isinstance(later, Reply) else [])


@both_ways
def test_an_endpoint_that_a_call_was_too_long_for_is_well(run: Run) -> None:
    rt = run.runtime(small=says(413), large=ok())
    done = Sending(run, rt, SMALL, LARGE)
    first, second = done.selector.status(rt.time)
    assert [(s.calls, s.failures, s.state) for s in (first, second)] == [(1, 0, "ready"), (1, 0, "ready")]
    assert first.server_ms is None  # how fast it refuses says nothing about its model


@both_ways
@pytest.mark.parametrize(("answer", "learned"), [(ok(), True), (says(401), False), (says(404), False)])
def test_a_refusal_tells_no_time_of_the_model(run: Run, answer: Reply, learned: bool) -> None:
    """It is quick anywhere, and the next real answer would look slow."""
    rt = run.runtime(a=answer, took_s=0.5)
    answer.rtt_s = 0.01
    done = Sending(run, rt, A, B)
    assert (done.selector.status(rt.time)[0].server_ms is not None) is learned


def test_the_clients_own_origin_is_judged_by_its_status_alone() -> None:
    assert judge(CALL, ORIGIN, says(400, body=TOO_LONG), 0.0).failure is None
    assert judge(CALL, A, says(400, body=TOO_LONG), 0.0).failure is Failure.TOO_LONG


@both_ways
def test_what_is_no_answer_is_raised_as_a_broken_one(run: Run) -> None:
    portal = Reply(200, [(b"content-type", b"text/html")], b"<html>", object())
    done = Sending(run, run.runtime(a=portal), A)
    assert done.rt.closed == [portal]
    assert done.error is not None and done.error.args == ("broken", "a gave no answer of the API (status 200)")


@both_ways
def test_what_is_no_failure_of_the_attempt_is_not_touched(run: Run) -> None:
    rt = run.runtime(a=KeyError("a bug"), b=ok())
    with pytest.raises(KeyError, match="a bug"):
        Sending(run, rt, A, B)
    assert rt.sent == ["a"]


# -- what is learnt


@both_ways
def test_each_attempt_reports_one_outcome(run: Run) -> None:
    rt = run.runtime(a=says(429, (b"retry-after", b"7")), b=Failure.REFUSED, c=ok(), took_s=0.5)
    done = Sending(run, rt, A, B, C)
    a, b, c = done.selector.status(rt.time)
    assert [(s.calls, s.failures, s.state) for s in (a, b, c)] == [
        (0, 1, "deprioritised"),
        (0, 1, "ejected"),
        (1, 0, "ready"),
    ]
    throttled, _ = done.selector.plan([A, C], 1000.5 + 6.9)
    free, _ = done.selector.plan([A, C], 1000.5 + 7.1)
    assert throttled == (C, A) and len(free) == 2


@both_ways
def test_the_rtt_of_a_reply_is_learnt(run: Run) -> None:
    reply = ok()
    reply.rtt_s = 0.02
    assert Sending(run, run.runtime(a=reply), A).selector.status(0)[0].rtt_ms == 20.0


@both_ways
def test_server_time_is_learnt_from_first_attempts_alone(run: Run) -> None:
    """Later ones, and those of the SDK's retries, are slow by selection."""

    def told(call: Call, **answers: Any) -> tuple[float | None, ...]:
        done = Sending(run, run.runtime(**answers, took_s=0.5), A, B, call=call)
        return tuple(status.server_ms for status in done.selector.status(0))

    def answer(*headers: tuple[bytes, bytes]) -> Reply:
        return replace(ok(), rtt_s=0.1, headers=[*ok().headers, *headers])

    assert told(CALL, a=answer(), b=ok()) == (pytest.approx(400.0), None)
    assert told(CALL, a=answer((b"openai-processing-ms", b"150")), b=ok()) == (pytest.approx(250.0), None)
    assert told(CALL, a=says(503), b=answer()) == (None, None)
    assert told(replace(CALL, retry=1), a=answer(), b=ok()) == (None, None)


@both_ways
def test_an_endpoint_with_nothing_left_stands_behind_until_it_has(run: Run) -> None:
    left = [(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"9s")]
    spent = replace(ok(), headers=[*ok().headers, *left])
    done = Sending(run, run.runtime(a=spent, b=ok(), took_s=0.5), A, B)
    assert done.reply is spent
    assert done.selector.plan([A, B], 1000.5 + 8.9)[0] == (B, A)
    assert done.selector.plan([A, B], 1000.5 + 9.1)[0] == (A, B)


# -- what is no answer


PORTAL = [(b"Content-Type", b"text/html; charset=utf-8")]
PLAIN = [(b"content-type", b"text/plain")]
STREAMED = replace(CALL, streamed=True, live=True)


@pytest.mark.parametrize(
    ("call", "reply", "failure"),
    [
        (CALL, ok(), None),
        (CALL, Reply(200, PLAIN, b' {"a": 1}\n'), None),
        (CALL, Reply(200, PORTAL, b"<html>"), Failure.NOT_AN_ANSWER),
        (CALL, Reply(200, PORTAL, None), Failure.NOT_AN_ANSWER),
        (CALL, Reply(200, PLAIN, None), None),
        (CALL, Reply(200, PLAIN, b""), Failure.NOT_AN_ANSWER),
        (CALL, Reply(200, PLAIN, b'{"a": '), Failure.NOT_AN_ANSWER),
        (CALL, Reply(200, PLAIN, b"data: {}\n\n"), Failure.NOT_AN_ANSWER),
        (CALL, Reply(400, PORTAL, b"<html>"), None),
        (CALL, Reply(301, PORTAL, b""), Failure.NOT_AN_ANSWER),
        (CALL, Reply(307, [], b""), Failure.NOT_AN_ANSWER),
        (CALL, Reply(429, [], b""), Failure.THROTTLED),
        (CALL, Reply(529, [], b""), Failure.THROTTLED),
        (CALL, Reply(500, [], b""), Failure.STATUS),
        (STREAMED, Reply(200, EVENT_HEADERS, None), None),
        (STREAMED, Reply(200, [(b"content-type", b"Text/Event-Stream; charset=utf-8")], None), None),
        (STREAMED, Reply(200, [], None), None),
        (STREAMED, Reply(200, PORTAL, None), Failure.NOT_AN_ANSWER),
        (STREAMED, ok(), Failure.NOT_AN_ANSWER),
        (replace(CALL, dialect=None), Reply(200, PORTAL, b"<html>"), None),
        (replace(CALL, dialect=None), Reply(302, [], b""), None),
    ],
)
def test_what_a_pop_says_is_judged(call: Call, reply: Reply, failure: Failure | None) -> None:
    assert judge(call, A, reply, 0.0).failure is failure


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (Reply(200, PORTAL, b"<html>"), None),
        (Reply(302, [], b""), None),
        (Reply(503, [], b""), Failure.STATUS),
        (Reply(429, [], b""), Failure.THROTTLED),
    ],
)
def test_the_origin_is_judged_by_its_status_alone(reply: Reply, failure: Failure | None) -> None:
    assert judge(CALL, ORIGIN, reply, 0.0).failure is failure


# -- the plan


@pytest.mark.parametrize(
    ("origin", "candidates", "expected"),
    [
        ("last", [A, B], "a b origin"),
        ("never", [A, B], "a b"),
        ("candidate", [A, B, ORIGIN], "a b origin"),
        ("last", [], "origin"),
        ("candidate", [], "origin"),
        ("never", [], ""),
    ],
)
def test_where_the_origin_stands(origin: str, candidates: list[Endpoint], expected: str) -> None:
    planned = plan(CALL, candidates, Selector([A, B], random.Random(1)), origin, 0.0)
    assert " ".join(e.name for e in planned) == expected


def test_as_a_candidate_the_origin_is_ranked_by_its_rtt() -> None:
    selector = Selector([A, B], random.Random(1))
    for endpoint, rtt_s in ((A, 0.05), (B, 0.1), (ORIGIN, 0.02)):
        selector.record(Outcome(endpoint, rtt_s=rtt_s), 0.0)
    assert plan(CALL, [A, B, ORIGIN], selector, "candidate", 1.0) == [ORIGIN, A, B]
    assert plan(CALL, [A, B], selector, "last", 1.0) == [A, B, ORIGIN]


@pytest.mark.parametrize(
    ("origin", "expected"), [("last", "b origin a"), ("never", "b a"), ("candidate", "b origin a")]
)
def test_the_ejected_come_behind_the_origin(origin: str, expected: str) -> None:
    selector = Selector([A, B], random.Random(1))
    selector.record(Outcome(A, Failure.REFUSED), 0.0)
    candidates = [A, B, ORIGIN] if origin == "candidate" else [A, B]
    assert " ".join(e.name for e in plan(CALL, candidates, selector, origin, 1.0)) == expected


OPAQUE = replace(A, name="o", product=Bound(System("o", "", "o:", opaque_cache=True)))


@pytest.mark.parametrize(
    ("said", "origin", "candidates", "expected"),
    [
        (Controls(), "last", [OPAQUE, B], "o b origin"),
        (Controls(max_age_s=1.0), "last", [OPAQUE, B], "b origin"),
        (Controls(lookup=False), "last", [OPAQUE, B], "b origin"),
        (Controls(lookup=False, store=False), "last", [OPAQUE], "origin"),
        (Controls(lookup=False), "candidate", [OPAQUE, ORIGIN], "origin"),
        (Controls(lookup=False), "never", [OPAQUE, B], "b"),
        (Controls(lookup=False), "never", [OPAQUE], "o"),  # there is nothing else
    ],
)
def test_a_fresh_answer_is_not_asked_of_a_cache_that_cannot_be_passed_by(
    said: Controls, origin: str, candidates: list[Endpoint], expected: str
) -> None:
    selector = Selector([OPAQUE, B], random.Random(1))
    call = replace(CALL, controls=said)
    planned = plan(call, able(call, candidates, origin)[0], selector, origin, 0.0)
    assert " ".join(e.name for e in planned) == expected


def test_a_retry_of_the_sdk_begins_elsewhere() -> None:
    selector = Selector([A, B], random.Random(1))
    selector.record(Outcome(A, Failure.STATUS), 0.0)
    assert plan(CALL, [A, B], selector, "last", 1.0) == [A, B, ORIGIN]
    assert plan(replace(CALL, retry=1), [A, B], selector, "last", 1.0) == [B, ORIGIN, A]


# -- what a product cannot serve


SINGLE = System(
    "single", "one answer at a time", "single:", url="https://single", largest=1000, lacks={"responses": "no such path"},
    cannot=lambda call, options: "one answer only" if call.body.get("n", 1) != 1 else None,
)  # fmt: skip
S = Endpoint("s", "https://s.example.com/v1", product=Bound(SINGLE))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None),
        ({"body": {"n": 1}, "size": 1000}, None),
        ({"body": {"n": 2}}, "one answer only"),
        ({"size": 1001}, "1000 bytes"),
        ({"path": "/responses"}, "no responses: no such path"),
        ({"path": "/embeddings"}, None),
    ],
)
def test_a_product_says_what_it_cannot_serve(changed: dict[str, Any], why: str | None) -> None:
    left, said = able(replace(CALL, **changed), [A, S], "last")
    assert list(left) == ([A, S] if why is None else [A])
    assert list(said) == ([] if why is None else ["s"]) and (why or "") in said.get("s", "")


def test_where_all_can_the_candidates_are_the_same_sequence() -> None:
    candidates = (A, S)
    assert able(CALL, candidates, "last")[0] is candidates  # the orders are kept by it


@pytest.mark.parametrize(
    ("asked", "needs"),
    [
        ({"path": "/chat/completions"}, "chat"),
        ({"path": "/chat/completions", "streamed": True, "body": {"tools": [{}]}}, "chat stream tools"),
        ({"path": "/chat/completions", "body": {"response_format": {"type": "json_schema"}}}, "chat schema"),
        ({"path": "/chat/completions", "body": {"response_format": {"type": "text"}, "tools": []}}, "chat"),
        ({"path": "/v1/messages", "body": {"tools": [{}]}}, "messages"),
        ({"path": "/embeddings"}, "embeddings"),
        ({"path": "/responses"}, "responses"),
    ],
)
def test_what_a_call_needs(asked: dict[str, Any], needs: str) -> None:
    assert " ".join(capabilities_of(replace(CALL, **asked))) == needs


# -- refused where the PoP is

_REGIONS = [
    (
        403,
        b'{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported"}}',
    ),
    (
        400,
        b'[{"error":{"code":400,"message":"User location is not supported for the API use."}}]',
    ),
]


@both_ways
@pytest.mark.parametrize(("status", "body"), _REGIONS)
def test_what_is_refused_where_one_pop_is_goes_to_another(run: Run, status: int, body: bytes) -> None:
    call = replace(CALL, model="m")
    done = Sending(run, run.runtime(a=says(status, body=body), b=ok()), A, B, ORIGIN, call=call)
    assert done.trace.tried == [Attempt("a", "http_request_denied", status), Attempt("b", "ok", 200)]
    good, rest = done.selector.plan((A, B), done.rt.time, call=call)
    assert (good, rest) == ((B,), (A,)), "it is not asked for this model again"
    assert done.selector.plan((A, B), done.rt.time, call=replace(call, model="another"))[0] == (A, B)
    assert done.selector.plan((A, B), done.rt.time + 3600, call=call)[0] == (A, B)
    status_of_a = done.selector.status(done.rt.time)[0]
    assert (
        status_of_a.state == "ready" and status_of_a.why == "not asked for m: not there, or refused where this PoP is"
    )


@both_ways
def test_a_model_that_an_endpoint_does_not_have_is_asked_for_elsewhere_for_an_hour(run: Run) -> None:
    """Negative caching, per endpoint and model: what it has, it still gets, and nobody is ejected."""
    lacking = replace(A, product=Bound(presets.system("vllm")))
    call, missing = replace(CALL, model="m"), says(404, body=b'{"error":{"message":"The model `m` does not exist."}}')
    done = Sending(run, run.runtime(a=missing, b=ok()), lacking, B, ORIGIN, call=call)
    assert done.trace.tried == [Attempt("a", "model_missing", 404), Attempt("b", "ok", 200)]
    began = done.rt.time
    for later, model, order in (
        (1.0, "m", ((B,), (lacking,))),
        (3599.0, "m", ((B,), (lacking,))),
        (1.0, "another", ((lacking, B), ())),
        (3600.0, "m", ((lacking, B), ())),
    ):
        assert done.selector.plan((lacking, B), began + later, call=replace(call, model=model)) == order
    status_of_a = done.selector.status(began)[0]
    assert (
        status_of_a.state == "ready" and status_of_a.why == "not asked for m: not there, or refused where this PoP is"
    )


@both_ways
def test_refused_everywhere_the_refusal_is_handed_back(run: Run) -> None:
    refused = [says(*_REGIONS[0][:1], body=_REGIONS[0][1]) for _ in range(2)]
    done = Sending(run, run.runtime(a=refused[0], b=refused[1]), A, B)
    assert done.reply is refused[1] and done.rt.closed == [refused[0]]


@both_ways
@pytest.mark.parametrize(
    ("status", "body"), [(400, _REGIONS[0][1]), (403, b'{"error":{"code":"no"}}'), (403, b"x" * 5000 + _REGIONS[0][1])]
)
def test_another_refusal_is_an_answer(run: Run, status: int, body: bytes) -> None:
    done = Sending(run, run.runtime(a=says(status, body=body), b=ok()), A, B)
    assert done.rt.sent == ["a"] and done.reply is not None and done.reply.status == status
