"""A call's nine steps, from the request to the notes, with a scripted runtime: without suspending, and as a task."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from edgeclient import RouteError
from edgeclient.cache.flights import Flight
from edgeclient.classifying import classify
from edgeclient.dialects import sse
from edgeclient.noting import Attempt
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.routing.systems import Bound, System
from edgeclient.runtime.protocol import run_sync
from edgeclient.runtime.virtual import VirtualRuntime, World
from edgeclient.telemetry.events import Event
from edgeclient.values import Call, Controls, Endpoint, Failure, Outcome, Reply, Request, Route

from .scripted import (
    CHAT,
    EVENT_HEADERS,
    JSON_HEADERS,
    WALL,
    A,
    B,
    BrokenStore,
    C,
    Native,
    Run,
    Scripted,
    both_ways,
    ok,
    policies,
    request,
    says,
)

SAYS = "cache-control"


def ask(run: Run, rt: Scripted, edge: Policies, asked: Request | None = None) -> Reply:
    return run(respond(classify(asked if asked is not None else request(), edge), edge, rt))


# -- 1 classify


def test_a_call_is_classified() -> None:
    call = classify(request(stream=True), policies(A))
    assert (call.sdk, call.method, call.path, call.model) == ("openai", "POST", "/chat/completions", "gpt-4o")
    assert call.dialect is not None and call.dialect.name == "openai_chat"
    assert call.route is Route.GATEWAY and call.streamed and not call.live and len(call.key) == 32
    assert call.idempotent and not call.keeps_origin and call.retry == 0


@pytest.mark.parametrize(
    ("model", "route"),
    [("llama-3.1-8b-instruct", Route.INFERENCE), ("gpt-4o", Route.GATEWAY), ("my-deployment", Route.GATEWAY)],
)
def test_the_model_says_the_route(model: str, route: Route) -> None:
    assert classify(request(model=model), policies(A)).route is route


@pytest.mark.parametrize("said", ["inference", "gateway", "direct"])
def test_the_settings_say_it_first(said: str) -> None:
    call = classify(request(), policies(A, routes={"gpt-4o": said}))
    assert call.route.value == said and call.keeps_origin is (said == "direct")


@pytest.mark.parametrize(
    ("asked", "edge"),
    [
        (request(default_origin=False), policies(A)),
        (request(fixed=True), policies(A)),
        (request(), policies()),
        (request(path="/audio/speech"), policies(A)),
        (request(method="GET"), policies(A)),
        (replace(request(), body=b"not JSON"), policies(A)),
        (replace(request(), body=b"[]"), policies(A)),
        (replace(request(), body=b"[" * 100_000), policies(A)),
        (replace(request(), sdk="anthropic"), policies(A)),
    ],
    ids=[
        "another origin",
        "signed",
        "no endpoints",
        "speech",
        "GET",
        "no JSON",
        "a list",
        "very deep",
        "another SDK's",
    ],
)
def test_what_goes_directly(asked: Request, edge: Policies) -> None:
    assert classify(asked, edge).route is Route.DIRECT


def test_a_further_origin_is_routed_too() -> None:
    asked = request(default_origin=False, origin="https://mine.example.com/v1")
    call = classify(asked, policies(A, origins=["https://mine.example.com/v1"]))
    assert call.route is Route.GATEWAY and not call.keeps_origin
    assert classify(asked, policies(A)).keeps_origin


@pytest.mark.parametrize(
    ("asked", "edge"),
    [
        (request(), policies(A, cached=False)),
        (request(credential=""), policies(A)),
        (request("?", (SAYS, "no-store")), policies(A)),
        (request(path="/audio/speech"), policies(A)),
    ],
    ids=["cache off", "no credential", "no-store", "speech"],
)
def test_what_has_no_key(asked: Request, edge: Policies) -> None:
    assert classify(asked, edge).key == ""


def test_without_a_cache_a_caller_still_speaks_to_those_of_the_endpoints() -> None:
    asked = request("?", (SAYS, "no-cache, max-age=3, only-if-cached"))
    assert classify(asked, policies(A, cached=False)).controls == Controls(lookup=False, max_age_s=3)
    assert classify(request(), policies(A, cached=False)).controls == Controls()
    speech = request("?", (SAYS, "no-cache, only-if-cached"), path="/audio/speech")  # never in the cache here
    assert classify(speech, policies(A)).controls == Controls(lookup=False)


def test_each_route_has_keys_of_its_own() -> None:
    keys = {
        classify(request(), policies(A, routes={"gpt-4o": said})).key for said in ("inference", "gateway", "direct")
    }
    assert len(keys) == 3


def test_the_words_of_the_sdk_are_read() -> None:
    call = classify(request("?", ("x-stainless-retry-count", "2"), ("idempotency-key", "i")), policies(A, cached=False))
    assert call.retry == 2 and call.idempotent
    call = classify(request("?", ("x-stainless-retry-count", "two")), policies(A, cached=False))
    assert call.retry == 0 and not call.idempotent


@pytest.mark.parametrize(
    ("live", "stream", "expected"),
    [(False, False, False), (False, True, False), (True, False, True), (None, True, True), (None, False, False)],
)
def test_a_body_goes_out_live_when_that_was_asked(live: bool | None, stream: bool, expected: bool) -> None:
    assert classify(request(live=live, stream=stream), policies(A)).live is expected


# -- hit, miss, bypass


@both_ways
def test_a_miss_then_a_hit(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=ok(), took_s=0.5)
    first = ask(run, rt, edge)
    assert first.notes is not None
    assert (first.notes.cache, first.notes.stored, first.notes.endpoint, first.notes.attempts) == ("miss", True, "a", 1)
    assert first.notes.took_ms == pytest.approx(500)
    rt.time += 10
    second = ask(run, rt, edge)
    assert rt.sent == ["a"] and second.notes is not None and second.native is None
    said = second.notes
    assert (said.cache, said.attempts, said.endpoint, said.original_id) == ("hit", 0, "a", "chatcmpl-1")
    assert (said.age_s, said.ttl_s, said.key) == (10.0, 3590.0, first.notes.key)
    assert dict(second.headers) == {b"content-type": b"application/json", b"x-request-id": b"req_1"}
    answer = json.loads(second.body or b"")
    assert answer["choices"][0]["message"]["content"] == "Yes."
    assert answer["id"] != "chatcmpl-1" and answer["created"] == int(WALL + rt.time)
    counted = {what: number for what, number in edge.telemetry.counts().items() if number}
    assert counted == {"calls": 2, "miss": 1, "hit": 1, "attempts": 1, "stored": 1}


@both_ways
def test_a_whole_answer_serves_a_stream(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    ask(run, rt, edge)
    streamed = ask(run, rt, edge, request(stream=True, stream_options={"include_usage": True}))
    assert rt.sent == ["a"]
    assert dict(streamed.headers)[b"content-type"] == b"text/event-stream; charset=utf-8"
    chunks = sse.parsed(streamed.body or b"")
    assert chunks is not None and chunks[-1]["usage"]["total_tokens"] == 2


@both_ways
@pytest.mark.parametrize(
    "other", [{"model": "gpt-4o-mini"}, {"temperature": 0}, {"prompt": "Isn't it?"}, {"credential": "l"}]
)
def test_another_question_or_caller_is_a_miss(run: Run, other: dict[str, Any]) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    ask(run, rt, edge)
    ask(run, rt, edge, request(**other))
    assert rt.sent == ["a", "a"]


@both_ways
def test_an_answer_grows_old(run: Run) -> None:
    edge, rt = policies(A, cache={"mode": "exact", "ttl_s": 60}), run.runtime(a=ok())
    ask(run, rt, edge)
    rt.time += 60
    assert ask(run, rt, edge).notes.cache == "miss"  # type: ignore[union-attr]
    assert rt.sent == ["a", "a"]


@both_ways
def test_an_answer_does_not_live_longer_because_the_clock_went_back(run: Run) -> None:
    edge, rt = policies(A, cache={"mode": "exact", "ttl_s": 60}), run.runtime(a=ok())
    ask(run, rt, edge)
    rt.time -= 3600
    assert ask(run, rt, edge, request("Another?")).notes.cache == "miss"  # type: ignore[union-attr]
    rt.time += 3610  # the hour has come again, and the first answer is an hour old
    assert ask(run, rt, edge).notes.cache == "miss"  # type: ignore[union-attr]
    assert rt.sent == ["a", "a", "a"]


@both_ways
@pytest.mark.parametrize(
    ("said", "later_s", "cache", "sent", "then_hit"),
    [
        ("no-cache", 0, "bypass", 2, True),  # refreshed
        ("no-store", 0, "bypass", 2, True),  # the entry of before stays
        ("max-age=10", 9, "hit", 1, True),
        ("max-age=10", 11, "miss", 2, True),
        ("only-if-cached", 0, "hit", 1, True),
        ("max-age=10, only-if-cached", 11, "miss", 1, True),
    ],
)
def test_what_a_caller_says_about_the_cache(
    run: Run, said: str, later_s: float, cache: str, sent: int, then_hit: bool
) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    ask(run, rt, edge)
    rt.time += later_s
    reply = ask(run, rt, edge, request("Is it?", (SAYS, said)))
    assert reply.notes is not None and reply.notes.cache == cache
    assert len(rt.sent) == sent
    assert (ask(run, rt, edge).notes.cache == "hit") is then_hit  # type: ignore[union-attr]


@both_ways
def test_no_store_stores_nothing(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    ask(run, rt, edge, request("Is it?", (SAYS, "no-store")))
    assert edge.store is not None and edge.store.usage() == (0, 0)


@both_ways
def test_no_cache_brings_a_newer_answer(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=[ok(id="chatcmpl-1"), ok(id="chatcmpl-2")])
    ask(run, rt, edge)
    ask(run, rt, edge, request("Is it?", (SAYS, "no-cache")))
    assert ask(run, rt, edge).notes.original_id == "chatcmpl-2"  # type: ignore[union-attr]


@both_ways
def test_only_if_cached_is_never_sent(run: Run) -> None:
    edge, rt = policies(A), run.runtime()
    reply = ask(run, rt, edge, request("Is it?", (SAYS, "only-if-cached")))
    assert rt.sent == [] and reply.status == 504 and reply.header(b"x-should-retry") == "false"
    assert "error" in json.loads(reply.body or b"") and reply.notes is not None and reply.notes.cache == "miss"
    assert edge.flights.join(reply.notes.key)[1]  # its flight has landed
    assert [event.status for event in edge.telemetry.events()] == [504]


@both_ways
@pytest.mark.parametrize("answer", [says(400), says(201), ok(choices=[]), ok(object="x")])
def test_what_may_not_be_stored_is_not(run: Run, answer: Reply) -> None:
    edge, rt = policies(A), run.runtime(a=answer)
    for _ in range(2):
        reply = ask(run, rt, edge)
        assert reply is answer and reply.notes is not None and not reply.notes.stored
    assert rt.sent == ["a", "a"]


@both_ways
def test_without_a_cache_the_notes_say_so(run: Run) -> None:
    edge, rt = policies(A, cached=False), run.runtime(a=ok())
    for _ in range(2):
        assert ask(run, rt, edge).notes.cache == "off"  # type: ignore[union-attr]
    assert rt.sent == ["a", "a"]


# -- what breaks beside a call never fails it


@both_ways
def test_a_broken_store_is_counted_and_stepped_over(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge, rt = policies(A, store=BrokenStore()), run.runtime(a=ok())
    for _ in range(3):
        reply = ask(run, rt, edge)
        assert reply.status == 200 and reply.notes is not None
        assert reply.notes.cache == "miss" and not reply.notes.stored
    assert edge.telemetry.mishaps() == {"cache load": 3, "cache lease": 3, "cache save": 3}
    assert len(caplog.records) == 3


@both_ways
def test_a_broken_hook_is_counted_and_stepped_over(run: Run) -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    edge, rt = policies(A, hooks=[broken]), run.runtime(a=ok())
    assert [ask(run, rt, edge).status for _ in range(2)] == [200, 200]
    assert edge.telemetry.mishaps() == {"hook": 2}


# -- 2, 6 and 7: where it goes


@both_ways
def test_a_call_fails_over_and_says_so(run: Run) -> None:
    edge = policies(A, B)
    rt = run.runtime(a=Failure.REFUSED, b=says(503), origin=ok())
    notes = ask(run, rt, edge).notes
    assert notes is not None and (notes.route, notes.endpoint, notes.attempts) == ("gateway", "origin", 3)
    assert notes.tried == (
        Attempt("a", "connection_refused"),
        Attempt("b", "status", 503),
        Attempt("origin", "ok", 200),
    )


@both_ways
def test_a_failed_call_raises_the_native_error_and_is_told(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=Failure.REFUSED, origin=Failure.DNS)
    with pytest.raises(Native) as raised:
        ask(run, rt, edge)
    assert raised.value.args == ("origin", Failure.DNS)
    (event,) = edge.telemetry.events()
    assert (event.status, event.error, event.notes.attempts) == (0, "Native", 2)


SMALL = Endpoint("small", "https://small.example.com/v1", route=Route.INFERENCE)
LISTED = Endpoint("listed", "https://listed.example.com/v1", models={"gpt-4o": "gpt-4o"})
CLAUDE = Endpoint("claude", anthropic="https://claude.example.com")


@both_ways
@pytest.mark.parametrize(
    ("model", "sent"), [("gpt-4o", ["listed"]), ("gpt-4.1", ["origin"]), ("llama-3.1-8b-instruct", ["small"])]
)
def test_only_endpoints_that_serve_the_model_are_tried(run: Run, model: str, sent: list[str]) -> None:
    rt = run.runtime(small=ok(), listed=ok(), claude=ok(), origin=ok())
    ask(run, rt, policies(SMALL, CLAUDE, LISTED), request(model=model))
    assert rt.sent == sent


@both_ways
@pytest.mark.parametrize("asked", [request(default_origin=False), request(fixed=True), request(path="/audio/speech")])
def test_direct_calls_go_to_their_origin_alone_and_probe_nobody(run: Run, asked: Request) -> None:
    rt = run.runtime(origin=says(503))
    reply = ask(run, rt, policies(A, B, origin="never") if asked.fixed else policies(A, B), asked)
    assert rt.sent == ["origin"] and rt.probed == [] and reply.status == 503
    assert reply.notes is not None and reply.notes.route == "direct"


@both_ways
def test_a_call_that_a_product_cannot_serve_does_not_go_there(run: Run) -> None:
    picky = Bound(
        System("picky", "", "picky:", cannot=lambda call, options: "one answer only" if "n" in call.body else None)
    )
    only = Endpoint("only", "https://only.example.com/v1", product=picky)
    rt = run.runtime(only=ok(), a=ok(), origin=ok())
    for edge in (policies(only, A), policies(only)):
        ask(run, rt, edge, request(n=2))
        ask(run, rt, edge, request("And one?"))
    assert rt.sent == ["a", "only", "origin", "only"]
    with pytest.raises(RouteError, match=r"\(model 'gpt-4o'; only: one answer only\) and origin='never' forbids"):
        ask(run, rt, policies(only, origin="never"), request(n=2))


@both_ways
def test_origin_never_is_kept_to(run: Run) -> None:
    edge, rt = policies(SMALL, origin="never"), run.runtime(small=Failure.REFUSED)
    with pytest.raises(RouteError, match=r"model 'gpt-4o'.*add an endpoint for it, or set origin='last'"):
        ask(run, rt, edge)
    with pytest.raises(Native):
        ask(run, rt, edge, request(model="llama-3.1-8b-instruct"))
    assert rt.sent == ["small"]
    assert [event.error for event in edge.telemetry.events()] == ["RouteError", "Native"]


@both_ways
def test_three_endpoints_and_two_retries_make_five_requests(run: Run) -> None:
    edge = policies(A, B, C, cached=False)
    rt = run.runtime(a=says(503), b=says(503), c=says(503), origin=says(503))
    for retry in range(3):
        reply = ask(run, rt, edge, request("?", ("x-stainless-retry-count", str(retry))))
        assert reply.status == 503
    assert rt.sent[:3] == ["a", "b", "origin"] and len(rt.sent) == 5
    assert rt.sent[3] == "c"  # the SDK's retry begins where nothing failed yet


@both_ways
def test_the_first_call_probes_and_the_next_does_not(run: Run) -> None:
    edge, rt = policies(A, B), run.runtime(a=ok())
    ask(run, rt, edge, request("one"))
    assert rt.probed == ["a", "b"]
    ask(run, rt, edge, request("two"))
    assert rt.probed == ["a", "b"]


# -- the first call


@both_ways
def test_the_first_call_waits_for_the_first_probe_and_goes_where_that_answered(run: Run) -> None:
    edge, rt = policies(A, B, C), run.runtime(a=ok(), b=ok(), c=ok())
    rt.while_waiting = lambda _: rt.learn(B, [0.02], 0.02)
    ask(run, rt, edge)
    assert rt.waited == [0.25] and rt.sent == ["b"]
    ask(run, rt, edge, request("Another?"))
    assert rt.waited == [0.25], "from then on nobody waits"


@both_ways
def test_where_no_probe_answers_it_goes_on_after_a_quarter_of_a_second(run: Run) -> None:
    edge, rt = policies(A, B), run.runtime(a=ok(), b=ok())
    rt.while_waiting = lambda _: rt.learn(B, [], 0.02)
    ask(run, rt, edge)
    assert rt.waited == [0.25] and rt.sent == ["a"] and rt.time == 1000.25


@both_ways
def test_others_that_come_meanwhile_wait_for_the_same_probe(run: Run) -> None:
    edge, rt, other = policies(A, B), run.runtime(a=ok(), b=ok()), run.runtime(a=ok(), b=ok())
    rt.while_waiting = lambda _: None
    ask(run, rt, edge)
    other.while_waiting = lambda _: rt.learn(B, [0.02], 0.02)
    ask(run, other, edge, request("Another?"))
    assert other.probed == [] and other.sent == ["b"]


@both_ways
def test_with_nothing_to_choose_or_no_probes_nobody_waits(run: Run) -> None:
    rt = run.runtime(a=ok(), b=ok())
    ask(run, rt, policies(A))
    quiet = policies(A, B, probe=False)
    quiet.selector.looks = False
    ask(run, rt, quiet, request("Another?"))
    known = policies(A, B)
    known.selector.record(Outcome(B, rtt_s=0.02), rt.time)
    ask(run, rt, known, request("A third?"))
    assert rt.waited == []


@both_ways
def test_the_site_that_answered_is_noted(run: Run) -> None:
    edge = policies(A)
    rt = run.runtime(a=Reply(200, [*JSON_HEADERS, (b"cf-ray", b"230b030023ae2822-BOM")], ok().body, object()))
    assert ask(run, rt, edge).notes.pop == "BOM"  # type: ignore[union-attr]
    assert ask(run, rt, edge).notes.pop == "BOM"  # type: ignore[union-attr]  # of a hit too
    assert edge.selector.status(rt.time)[0].pop == "BOM"


# -- 8: bodies that go out live


STREAM = request(stream=True, live=True, stream_options={"include_usage": True})


def _live(run: Run, edge: Policies) -> tuple[Reply, bytes, Scripted]:
    """A live reply, and the stream that its reader will read."""
    source = policies(A)
    ask(run, run.runtime(a=ok()), source)
    body = ask(run, run.runtime(), source, STREAM).body
    rt = run.runtime(a=lambda call: Reply(200, EVENT_HEADERS, None, object()))
    return ask(run, rt, edge, STREAM), body or b"", rt


@both_ways
def test_a_stream_is_stored_at_its_closing_event(run: Run) -> None:
    edge = policies(A)
    reply, stream, rt = _live(run, edge)
    assert reply.tee is not None and reply.notes is not None and not reply.notes.stored
    reply.tee.feed(stream[:50])
    assert edge.store is not None and edge.store.usage() == (0, 0)
    reply.tee.feed(stream[50:])
    assert edge.store.usage()[0] == 1 and edge.telemetry.counts()["stored"] == 1
    assert ask(run, rt, edge, STREAM).notes.cache == "hit"  # type: ignore[union-attr]
    assert ask(run, rt, edge).notes.cache == "hit"  # type: ignore[union-attr]  # and for who wants it whole


@both_ways
def test_a_stream_that_breaks_is_reported_and_not_stored(run: Run) -> None:
    edge = policies(A)
    reply, stream, _ = _live(run, edge)
    assert reply.tee is not None
    reply.tee.feed(stream[:-20])
    reply.tee.end(complete=False, error=OSError())
    assert edge.selector.status(2000.0)[0].failures == 1 and edge.telemetry.counts()["broken streams"] == 1
    assert edge.store is not None and edge.store.usage() == (0, 0)


@both_ways
def test_a_stream_that_its_reader_leaves_harms_nobody(run: Run) -> None:
    edge = policies(A)
    reply, stream, _ = _live(run, edge)
    assert reply.tee is not None
    reply.tee.feed(stream[:-20])
    reply.tee.end(complete=False)
    assert edge.selector.status(2000.0)[0].failures == 0
    assert edge.store is not None and edge.store.usage() == (0, 0)


@both_ways
def test_a_store_that_breaks_at_the_end_of_a_stream_is_counted(run: Run) -> None:
    edge = policies(A, store=BrokenStore())
    reply, stream, _ = _live(run, edge)
    assert reply.tee is not None
    reply.tee.feed(stream)
    assert edge.telemetry.mishaps() == {"cache load": 1, "cache save": 1}


@both_ways
def test_an_encoded_stream_is_stored_decoded(run: Run) -> None:
    edge = policies(A)
    reply, stream, rt = _live(run, edge)
    reply.decode = lambda body: body[::-1]
    assert reply.tee is not None
    reply.tee.feed(stream[::-1])
    reply.tee.end(complete=True)
    assert ask(run, rt, edge).notes.cache == "hit"  # type: ignore[union-attr]


# -- 4: flights


class Slow:
    """A network whose answers take 3 s: what each endpoint says, as a function of how often it was asked."""

    def __init__(self, *answers: Reply | Failure) -> None:
        self.answers, self.asked = answers, 0

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        self.asked += 1
        said = self.answers[min(self.asked, len(self.answers)) - 1]
        return 3.0, said if isinstance(said, Failure) else replace(said)

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        return 0.02


def _together(edge: Policies, network: Slow, *starts: float, asked: Request | None = None) -> list[tuple[float, str]]:
    """The same call at these times: when each was answered, and what its cache note or its error was."""
    world, ended = World(), []
    rt = VirtualRuntime(world, network)

    async def one() -> None:
        try:
            reply = await respond(classify(asked or request(), edge), edge, rt)
        except Exception as error:
            ended.append((world.now, type(error).__name__))
        else:
            assert reply.notes is not None
            ended.append((world.now, reply.notes.cache + (" collapsed" if reply.notes.collapsed else "")))

    for start in starts:
        world.at(start, one())
    world.run()
    return ended


def test_the_same_calls_at_once_send_one_request() -> None:
    network = Slow(ok())
    assert _together(policies(), network, 0, 1, 2) == [(3.0, "miss"), (3.0, "hit collapsed"), (3.0, "hit collapsed")]
    assert network.asked == 1


def test_when_the_leader_fails_the_followers_go_at_once() -> None:
    network = Slow(Failure.TERMINATED, ok())
    ended = _together(policies(), network, 0, 1, 2)
    assert ended == [(3.0, "Lost"), (6.0, "miss"), (6.0, "miss")] and network.asked == 3


@pytest.mark.parametrize("answer", [says(400), ok(choices=[])])
def test_when_the_answer_is_not_storable_the_followers_go_at_once(answer: Reply) -> None:
    network = Slow(answer)
    assert _together(policies(), network, 0, 1, 2) == [(3.0, "miss"), (6.0, "miss"), (6.0, "miss")]


def test_a_follower_does_not_wait_forever() -> None:
    network = Slow(ok())
    ended = _together(policies(flight_wait_s=0.5), network, 0, 1)
    assert ended == [(3.0, "miss"), (4.5, "miss")] and network.asked == 2


def test_a_broken_store_does_not_hold_the_followers() -> None:
    ended = _together(policies(store=BrokenStore()), Slow(ok()), 0, 1)
    assert ended == [(3.0, "miss"), (6.0, "miss")]


_LIVE = request(stream=True, live=True)
_EVENTS = Reply(200, EVENT_HEADERS, None, object())


@pytest.mark.parametrize(
    "asked",
    [
        request("?", (SAYS, "no-cache")),
        request(credential=""),
        request(live=True),
        request("?", (SAYS, "no-cache"), stream=True, live=True),
        request("?", (SAYS, "no-store"), stream=True, live=True),
        request(credential="", stream=True, live=True),
    ],
)
def test_who_flies_alone(asked: Request) -> None:
    network = Slow(_EVENTS if asked.live else ok())
    assert [at for at, _ in _together(policies(), network, 0, 1, asked=asked)] == [3.0, 4.0]
    assert network.asked == 2


def test_streams_that_are_the_same_are_one_request_from_its_head_on() -> None:
    network, edge = Slow(_EVENTS), policies()
    ended = _together(edge, network, 0, 1, 2, asked=_LIVE)
    assert ended == [(3.0, "miss"), (3.0, "miss collapsed"), (3.0, "miss collapsed")]
    assert network.asked == 1 and edge.telemetry.counts()["attempts"] == 1


def test_streams_with_the_cache_off_are_requests_of_their_own() -> None:
    network, edge = Slow(_EVENTS), policies(cached=False)
    assert [at for at, _ in _together(edge, network, 0, 1, asked=_LIVE)] == [3.0, 4.0]


@pytest.mark.parametrize(
    "answer",
    [
        Reply(400, EVENT_HEADERS, b"{}", object()),
        Reply(200, JSON_HEADERS, None, object()),
        Reply(200, [*EVENT_HEADERS, (b"content-encoding", b"zstd")], None, object()),
    ],
)
def test_when_a_head_is_not_a_streams_the_followers_go_at_once(answer: Reply) -> None:
    network = Slow(answer)
    assert [at for at, _ in _together(policies(), network, 0, 1, 2, asked=_LIVE)] == [3.0, 6.0, 6.0]
    assert network.asked == 3


def test_when_the_leader_of_a_stream_fails_the_followers_go_at_once() -> None:
    network = Slow(Failure.TERMINATED, _EVENTS)
    ended = _together(policies(), network, 0, 1, 2, asked=_LIVE)
    assert [at for at, _ in ended] == [3.0, 6.0, 6.0] and ended[0][1] == "Lost"


def test_a_follower_waits_for_the_head_so_long_and_no_longer() -> None:
    network = Slow(_EVENTS)
    assert _together(policies(flight_wait_s=0.5), network, 0, 1, asked=_LIVE) == [(3.0, "miss"), (4.5, "miss")]


def test_a_stream_that_its_leader_has_read_is_answered_by_the_cache() -> None:
    """The follower came when the leader waited for its last part."""
    edge, stream = policies(A), replayed()
    rt = Run(False).runtime(a=lambda call: replace(_EVENTS))
    call = classify(_LIVE, edge)
    reply = Run(False)(respond(call, edge, rt))
    led = edge.streams.under_way()[0]
    assert reply.shared is led and reply.tee is not None
    led.pulling = True

    def last_part(waiting: Flight) -> None:
        assert reply.tee is not None
        reply.tee.feed(stream)
        led.pulling = False
        led.begin()

    rt.while_waiting = last_part
    along = Run(False)(respond(call, edge, rt))
    assert along.notes is not None
    assert (along.notes.cache, along.notes.collapsed, rt.sent) == ("hit", True, ["a"])


def replayed() -> bytes:
    call = classify(_LIVE, policies())
    assert call.dialect is not None
    return call.dialect.replay(CHAT, call.body)


@both_ways
def test_a_flight_lands_however_the_call_ends(run: Run) -> None:
    edge = policies(A)
    call = classify(request(), edge)
    for answer in (Failure.TERMINATED, KeyError("a bug"), says(503), ok(choices=[]), ok()):
        rt = run.runtime(a=answer, origin=Failure.REFUSED)
        try:
            run(respond(call, edge, rt))
        except (Native, KeyError):
            pass
        flight, leading = edge.flights.join(call.key)
        assert leading, answer
        edge.flights.land(flight, stored=False)


@both_ways
def test_a_follower_whose_entry_is_gone_goes_alone(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    call = classify(request(), edge)
    flight, _ = edge.flights.join(call.key)
    rt.while_waiting = lambda waiting: edge.flights.land(flight, stored=True)  # and its entry was pushed out
    assert run(respond(call, edge, rt)).notes.cache == "miss"  # type: ignore[union-attr]
    assert rt.sent == ["a"] and rt.waited == [10.0]


def test_a_cancelled_leader_releases_its_followers() -> None:
    edge = policies(A)
    call = classify(request(), edge)

    class Endless(Scripted):
        async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
            return await asyncio.Future()

    async def scenario() -> None:
        leader = asyncio.create_task(respond(call, edge, Endless(suspends=True)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        flight, leading = edge.flights.join(call.key)
        assert not leading and flight.landed is None
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        assert flight.landed is False
        assert edge.flights.join(call.key)[1]

    asyncio.run(scenario())
    assert [event.error for event in edge.telemetry.events()] == ["CancelledError"]


# -- how it runs


def test_a_sync_runtime_that_suspends_is_found_out() -> None:
    edge = policies(A)
    with pytest.raises(RuntimeError, match="a sync runtime suspended"):
        run_sync(respond(classify(request(), edge), edge, Scripted(suspends=True, a=ok())))


def test_what_a_sync_call_raises_comes_through() -> None:
    async def steps() -> None:
        raise LookupError("as it is")

    with pytest.raises(LookupError, match="as it is"):
        run_sync(steps())


def test_a_suspended_call_is_closed() -> None:
    closed = []

    async def steps() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    running = steps()  # kept, so that the garbage collector does not close it
    with pytest.raises(RuntimeError):
        run_sync(running)
    assert closed == [True]


# -- which way


@both_ways
@pytest.mark.parametrize(
    ("route", "sent"),
    [("inference", ["small"]), ("gateway", ["gateway"]), ("direct", ["origin"]), ("GATEWAY ", ["gateway"])],
)
def test_a_call_says_its_route_itself(run: Run, route: str, sent: list[str]) -> None:
    inference = replace(SMALL, models=None, route=Route.INFERENCE)
    gateway = Endpoint("gateway", "https://gateway.example.com/v1", route=Route.GATEWAY)
    rt = run.runtime(small=ok(), gateway=ok(), origin=ok())
    ask(run, rt, policies(inference, gateway), request("Which way?", ("edge-route", route)))
    assert rt.sent == sent


@both_ways
def test_an_odd_route_is_counted_and_the_settings_decide(run: Run) -> None:
    edge, rt = policies(A), run.runtime(a=ok())
    ask(run, rt, edge, request("Which way?", ("edge-route", "sideways")))
    assert rt.sent == ["a"] and edge.telemetry.mishaps() == {"Edge-Route": 1}


@both_ways
def test_patterns_decide_where_no_name_does(run: Run) -> None:
    said = {"gpt-*": "direct", "gpt-4o": "gateway", "*-mini": "gateway"}
    for model, sent in [("gpt-4o", "a"), ("gpt-4o-mini", "origin"), ("o5-mini", "a")]:
        rt = run.runtime(a=ok(), origin=ok())
        ask(run, rt, policies(A, routes=said), request(model=model))
        assert rt.sent == [sent], model


@both_ways
def test_a_residency_is_a_hard_limit(run: Run) -> None:
    eu, us = replace(A, region="EU"), replace(B, region="us")
    seen = replace(request(), residency="eu")
    rt = run.runtime(a=Failure.REFUSED, b=ok(), origin=ok())
    ask(run, rt, policies(us, eu), seen)
    assert rt.sent == ["a", "origin"], "the origin is that of the client, which was made for the region"
    rt = run.runtime(a=ok(), b=ok(), origin=ok())
    ask(run, rt, policies(us), seen)
    assert rt.sent == ["origin"]
