"""What answers when nobody does: an entry that ended a short while ago, for those who take it (RFC 5861, section 4)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from edgeclient.classifying import classify
from edgeclient.dialects import sse
from edgeclient.errors import RouteError
from edgeclient.noting import Notes, headers
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.values import Failure, Reply, Request

from .scripted import A, B, BrokenStore, Native, Run, Scripted, both_ways, ok, policies, request, says

SAYS = "cache-control"


def asked(*said: str, **body: Any) -> Request:
    return request("Is it?", *[(SAYS, words) for words in said], **body)


def ask(run: Run, rt: Scripted, edge: Policies, what: Request | None = None) -> Reply:
    return run(respond(classify(what if what is not None else asked(), edge), edge, rt))


def stocked(run: Run, *said: str, stale_if_error_s: float = 0.0, **more: Any) -> tuple[Policies, Scripted]:
    """An edge with an endpoint, and an entry that lives for 60 seconds. From now on the endpoint and the origin refuse."""
    cache = {"mode": "exact", "ttl_s": 60, "stale_if_error_s": stale_if_error_s}
    edge = policies(A, cache=cache, **more)
    rt = run.runtime(a=[ok(), Failure.REFUSED], origin=Failure.REFUSED)
    ask(run, rt, edge, asked(*said))
    return edge, rt


def noted(reply: Reply) -> Notes:
    assert reply.notes is not None
    return reply.notes


@both_ways
def test_a_stale_answer_answers_when_every_attempt_failed(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.time += 72
    reply = ask(run, rt, edge)
    notes = noted(reply)
    assert reply.status == 200 and rt.sent == ["a", "a", "origin"]
    assert (notes.cache, notes.age_s, notes.ttl_s, notes.original_id) == ("hit", 72.0, -12.0, "chatcmpl-1")
    assert notes.attempts == 2 and [one.outcome for one in notes.tried] == ["connection_refused"] * 2
    assert (b"cache-status", f'edgeclient; hit; ttl=-12; key="{notes.key}"'.encode()) in headers(notes)
    assert edge.telemetry.counts()["stale answers"] == 1
    assert [event.error for event in edge.telemetry.events()] == ["", ""]


@both_ways
@pytest.mark.parametrize(("later_s", "stale"), [(60, True), (89.9, True), (90, False)])
def test_it_answers_for_so_long_and_no_longer(run: Run, later_s: float, stale: bool) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.time += later_s
    if stale:
        assert noted(ask(run, rt, edge)).cache == "hit"
    else:
        with pytest.raises(Native):
            ask(run, rt, edge)


@both_ways
def test_nobody_gets_a_stale_answer_who_has_not_asked_for_it(run: Run) -> None:
    edge, rt = stocked(run)
    rt.time += 61
    with pytest.raises(Native):
        ask(run, rt, edge)


@both_ways
def test_a_caller_says_it_for_one_call(run: Run) -> None:
    """The entry is kept for as long as the call that stored it said."""
    edge, rt = stocked(run, "stale-if-error=30")
    rt.time += 72
    with pytest.raises(Native):
        ask(run, rt, edge)
    assert noted(ask(run, rt, edge, asked("stale-if-error=30"))).ttl_s == -12.0
    with pytest.raises(Native):
        ask(run, rt, edge, asked("stale-if-error=11"))


@both_ways
@pytest.mark.parametrize(
    "words", ["stale-if-error=0", "no-cache", "no-store", "max-age=10", "no-cache, stale-if-error=99"]
)
def test_a_caller_may_want_none(run: Run, words: str) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.time += 72
    with pytest.raises(Native):
        ask(run, rt, edge, asked(words))


@both_ways
def test_ask_anew_or_else_what_there_is(run: Run) -> None:
    edge, rt = stocked(run)
    rt.time += 20
    notes = noted(ask(run, rt, edge, asked("max-age=0, stale-if-error=30")))
    assert rt.sent == ["a", "a", "origin"] and (notes.cache, notes.age_s, notes.ttl_s) == ("hit", 20.0, -20.0)


BROKEN = [
    Failure.REFUSED, Failure.CONNECT_TIMEOUT, Failure.TLS, Failure.DNS, Failure.CONNECT, Failure.POOL, Failure.TERMINATED,
    Failure.UNACKNOWLEDGED, Failure.READ_TIMEOUT, Failure.PROTOCOL,
]  # fmt: skip


@both_ways
@pytest.mark.parametrize("failure", [*BROKEN, 500, 502, 503, 504, 529], ids=str)
def test_what_counts_as_an_error(run: Run, failure: Failure | int) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    said = says(failure) if isinstance(failure, int) else failure
    rt.answers = {"a": [said], "origin": [said]}
    rt.time += 72
    reply = ask(run, rt, edge)
    assert reply.status == 200 and noted(reply).cache == "hit"
    assert said in rt.closed or not isinstance(said, Reply)  # the 503 that nobody will read


@both_ways
def test_the_page_of_a_captive_portal_is_an_error(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.answers["a"] = [Reply(200, [(b"content-type", b"text/html")], b"<html>", object())]
    rt.time += 72
    assert noted(ask(run, rt, edge)).cache == "hit"


@both_ways
@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_what_a_provider_says_is_no_error_of_this_kind(run: Run, status: int) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.answers["origin"] = [says(status)]
    rt.time += 72
    reply = ask(run, rt, edge)
    assert reply.status == status and noted(reply).cache == "miss"


@both_ways
def test_one_that_was_throttled_among_those_that_failed_is_no_outage(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.answers = {"a": [says(429)], "origin": [says(503)]}
    rt.time += 72
    assert ask(run, rt, edge).status == 503


@both_ways
def test_a_missing_key_is_no_outage(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.answers = {"a": [Failure.NO_KEY], "origin": [Failure.REFUSED]}
    rt.time += 72
    with pytest.raises(Native):
        ask(run, rt, edge)


@both_ways
@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), ValueError("a hook of the user's")])
def test_a_call_that_is_cancelled_after_a_failure_stays_cancelled(run: Run, error: BaseException) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.answers["origin"] = [error]
    rt.time += 72
    with pytest.raises(type(error)):
        ask(run, rt, edge)


@both_ways
def test_where_nothing_may_be_tried_nothing_stale_is_given(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.time += 72
    other = replace(B, models={"another": "another"})
    lost = policies(other, cache={"mode": "exact", "stale_if_error_s": 30}, origin="never", store=edge.store)
    with pytest.raises(RouteError):
        ask(run, rt, lost)


@both_ways
def test_a_stream_is_spelled_out_of_a_stale_answer(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    live = says(503)
    live.body = None
    rt.answers["origin"] = [live]
    rt.time += 72
    reply = ask(run, rt, edge, asked(stream=True, stream_options={"include_usage": True}))
    assert noted(reply).ttl_s == -12.0 and live in rt.closed
    assert reply.body is not None and list(sse.events(reply.body))


@both_ways
@pytest.mark.parametrize(("stale_if_error_s", "looks"), [(30, 2), (0, 1)])
def test_a_store_that_fails_leaves_the_error_as_it_is(run: Run, stale_if_error_s: float, looks: int) -> None:
    """It is asked for a stale answer only when one is wanted: a slow store does not make an outage slower."""
    edge = policies(A, store=BrokenStore(), cache={"mode": "exact", "stale_if_error_s": stale_if_error_s})
    with pytest.raises(Native):
        ask(run, run.runtime(a=Failure.REFUSED, origin=Failure.REFUSED), edge)
    assert edge.telemetry.mishaps()["cache load"] == looks


@both_ways
def test_the_next_answer_is_fresh_again(run: Run) -> None:
    edge, rt = stocked(run, stale_if_error_s=30)
    rt.time += 72
    assert noted(ask(run, rt, edge)).ttl_s == -12.0
    rt.answers["origin"] = [ok(id="chatcmpl-2")]
    assert noted(ask(run, rt, edge)).cache == "miss"
    assert noted(ask(run, rt, edge)).original_id == "chatcmpl-2"
