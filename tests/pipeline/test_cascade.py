"""Cascades through the pipeline: whom a call is sent to, whose answer it gets, and what is stored of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.classifying import classify
from edgeclient.dialects.texts import SCHEMAS
from edgeclient.dialects.usage import TOKENS
from edgeclient.noting import Attempt, Notes, Used
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.runtime.protocol import AttemptFailed
from edgeclient.settings import Cascade
from edgeclient.values import Call, Endpoint, Failure, Outcome, Reply, Request, Route

from .scripted import Native, Run, Scripted, both_ways, ok, policies, request, says

SMALL = "llama-3.1-8b-instruct"
POP = Endpoint("pop", "https://pop.example.com/v1", route=Route.INFERENCE)
POP2 = Endpoint("pop2", "https://pop2.example.com/v1", route=Route.INFERENCE)
GATE = Endpoint("gate", "https://gate.example.com/v1", route=Route.GATEWAY)


def text(said: str | None, *more: str, **message: Any) -> Reply:
    """An answer of these choices."""
    choices = [
        {"index": n, "message": {"role": "assistant", "content": one, **message}, "finish_reason": "stop"}
        for n, one in enumerate((said, *more))
    ]
    return ok(choices=choices, model="as-the-provider-says")


def edge_with(*endpoints: Endpoint, **checks: Any) -> Policies:
    settings = checks.pop("settings", {})
    store = checks.pop("store", None)
    return policies(
        *(endpoints or (POP, GATE)), cascade={"gpt-4o": Cascade(SMALL, **(checks or {"min_chars": 3}))}, store=store,
        **settings,
    )  # fmt: skip


def ask(run: Run, edge: Policies, pop: Any, asked: Request | None = None, **more: Any) -> tuple[Reply, Notes, Scripted]:
    rt = run.runtime(**{"pop": pop, "pop2": pop, "gate": lambda call: ok(), "origin": lambda call: ok(), **more})
    reply = run(respond(classify(asked or request(), edge), edge, rt))
    assert reply.notes is not None
    return reply, reply.notes, rt


@both_ways
def test_a_good_answer_of_the_small_model_is_handed_back(run: Run) -> None:
    asked: list[Call] = []

    def pop(call: Call) -> Reply:
        asked.append(call)
        return text("good enough")

    reply, notes, rt = ask(run, edge_with(), pop)
    assert rt.sent == ["pop"] and json.loads(reply.body or b"")["model"] == "as-the-provider-says"
    assert (notes.cascade, notes.model, notes.asked_model, notes.route) == ("first", SMALL, "gpt-4o", "inference")
    assert notes.tried == (Attempt("pop", "ok", 200, SMALL),) and notes.endpoint == "pop"
    (call,) = asked
    assert (call.model, call.body["model"], call.stands_in) == (SMALL, SMALL, True)


@both_ways
def test_a_bad_answer_leaves_the_call_to_the_model_asked_for(run: Run) -> None:
    asked: list[Call] = []

    def gate(call: Call) -> Reply:
        asked.append(call)
        return ok()

    edge = edge_with(min_chars=100)
    first = text("short")
    reply, notes, rt = ask(run, edge, first, gate=gate)
    assert rt.sent == ["pop", "gate"] and rt.closed == [first]
    assert json.loads(reply.body or b"")["model"] == "gpt-4o"
    assert (notes.cascade, notes.model, notes.asked_model, notes.route) == ("second", "gpt-4o", "", "gateway")
    assert notes.tried == (Attempt("pop", "ok", 200, SMALL), Attempt("gate", "ok", 200)) and notes.endpoint == "gate"
    (call,) = asked
    assert (call.model, call.body["model"], call.stands_in) == ("gpt-4o", "gpt-4o", False)
    (event,) = edge.telemetry.events()
    assert event.model == "gpt-4o" and edge.telemetry.mishaps() == {}
    counts = edge.telemetry.counts()
    assert (counts["calls"], counts["attempts"], counts["failovers"]) == (1, 2, 0)


@both_ways
def test_each_models_first_attempt_is_learned_from(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[tuple[str, str]] = []
    edge = edge_with(min_chars=100)

    def record(outcome: Outcome, now: float) -> None:
        learned.append((outcome.endpoint.name, outcome.call.model if outcome.call is not None else ""))

    monkeypatch.setattr(type(edge.selector), "record", lambda self, outcome, now: record(outcome, now))
    ask(run, edge, text("short"))
    assert learned == [("pop", SMALL), ("gate", "gpt-4o")]


LONG: dict[str, Any] = {"min_chars": 3}
JUDGED: list[tuple[dict[str, Any], Any, str]] = [
    ({"min_chars": 4}, text("four"), "first"),
    ({"min_chars": 5}, text("four"), "second"),
    ({"max_chars": 4}, text("four"), "first"),
    ({"max_chars": 3}, text("four"), "second"),
    ({"matches": r"\bfour\b"}, text("it is four."), "first"),
    ({"matches": "^four$"}, text("it is four."), "second"),
    ({"json": True}, text('{"a": [1]}'), "first"),
    ({"json": True}, text('```{"a": 1}```'), "second"),
    ({"json": True}, text("[" * 100_000), "second"),
    ({"json": True}, text('{"a": NaN}'), "second"),
    ({"check": str.isupper}, text("LOUD"), "first"),
    ({"check": str.isupper}, text("quiet"), "second"),
    ({"min_chars": 2, "matches": "^a"}, text("b" * 9), "second"),
    (LONG, text("first choice", "second choice"), "first"),
    (LONG, text("first choice", "no"), "second"),
    (LONG, text(""), "second"),
    (LONG, text(None, tool_calls=[{"id": "1"}]), "second"),
    (LONG, text("I can't.", refusal="I can't."), "second"),
    (LONG, ok(choices=[{"index": 0, "message": {"role": "a", "content": "cut off"}, "finish_reason": "length"}]), "second"),
    (LONG, ok(choices=[]), "second"),
    (LONG, ok(choices=None), "second"),
    (LONG, says(400), "second"),
    (LONG, says(401), "second"),
    (LONG, says(418, body=ok().body or b""), "second"),
    (LONG, says(404), "second"),
    (LONG, says(429), "second"),
    (LONG, says(503), "second"),
    (LONG, says(200, body=b"<html>"), "second"),
    (LONG, says(200, body=b"{broken}"), "second"),
    (LONG, Failure.REFUSED, "second"),
    (LONG, Failure.READ_TIMEOUT, "second"),
    (LONG, Failure.TERMINATED, "second"),
]  # fmt: skip


@both_ways
@pytest.mark.parametrize(("checks", "answer", "expected"), JUDGED, ids=[f"{n}" for n in range(len(JUDGED))])
def test_what_passes(run: Run, checks: dict[str, Any], answer: Any, expected: str) -> None:
    edge = edge_with(**checks)
    reply, notes, rt = ask(run, edge, answer)
    assert reply.status == 200 and notes.cascade == expected and not edge.telemetry.mishaps()
    assert rt.sent == (["pop"] if expected == "first" else ["pop", "gate"])


# -- what a call asks for: a schema; what an answer tells: how sure the model was

PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WANTS = {"response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}}}
ELSEWHERE = {
    "response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "https://x.example/s.json"}}}
}


@both_ways
@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        (WANTS, '{"city": "Paris"}', "first"),
        (WANTS, '{"city": 1}', "second"),
        (WANTS, '{"town": "Paris"}', "second"),
        (WANTS, "Paris", "second"),
        (WANTS, '{"city": NaN}', "second"),
        ({}, '{"city": "Paris"}', ""),  # there is nothing to check it against
        ({"response_format": {"type": "json_object"}}, "{}", ""),
    ],
)
def test_the_schema_of_the_call_decides(run: Run, asked: dict[str, Any], answer: str, expected: str) -> None:
    _, notes, rt = ask(run, edge_with(schema=True), text(answer), request(**asked))
    assert notes.cascade == expected and rt.sent == (
        ["pop"] if expected == "first" else ["pop", "gate"][not expected :]
    )


@both_ways
def test_a_call_that_asks_for_a_schema_goes_straight_where_nobody_checks_it(run: Run) -> None:
    _, notes, rt = ask(run, edge_with(json=True), text('{"city": "Paris"}'), request(**WANTS))
    assert rt.sent == ["gate"] and notes.cascade == ""
    _, notes, _ = ask(run, edge_with(schema=True, min_chars=3), text("no schema, so the other checks"), request())
    assert notes.cascade == "first"


@both_ways
def test_a_schema_that_lies_elsewhere_is_not_fetched(run: Run) -> None:
    edge = edge_with(schema=True)
    _, notes, _ = ask(run, edge, text('{"city": "Paris"}'), request(**ELSEWHERE))
    assert notes.cascade == "second" and edge.telemetry.mishaps() == {"cascade check": 1}


def told(said: str, *logprobs: float | None) -> Reply:
    """An answer with the log probabilities of its tokens; None: without any."""
    answer = json.loads(text(said).body or b"")
    tokens = [{"token": "x", "logprob": value, "top_logprobs": []} for value in logprobs]
    answer["choices"][0]["logprobs"] = None if None in logprobs else {"content": tokens}
    return ok(**answer)


@both_ways
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (told("sure", -0.1, -0.3), "first"),
        (told("at the threshold", -0.4, -0.6), "first"),
        (told("unsure", -0.1, -1.5), "second"),
        (told("says nothing", None), "second"),
        (told("says no number", float("nan")), "second"),
        (told("no tokens"), "second"),
        (told("not as it should be", "low"), "second"),  # type: ignore[arg-type]
    ],
)
def test_how_sure_the_model_was_decides(run: Run, answer: Reply, expected: str) -> None:
    asked: list[Call] = []

    def pop(call: Call) -> Reply:
        asked.append(call)
        return answer

    edge = edge_with(min_logprob=-0.5)
    reply, notes, _ = ask(run, edge, pop)
    assert notes.cascade == expected and not edge.telemetry.mishaps()
    assert asked[0].body["logprobs"] is True and (expected == "second" or reply is answer)
    assert not notes.stored or expected == "second"  # the answer holds what the call did not ask for


@both_ways
def test_where_no_api_tells_how_sure_a_model_is_the_call_goes_straight(run: Run) -> None:
    edge = policies(POP, GATE, cascade={"claude-sonnet-5": Cascade(SMALL, min_logprob=-0.5)})
    asked = replace(request(model="claude-sonnet-5", max_tokens=9, path="/v1/messages"), sdk="anthropic")
    assert classify(asked, edge).first_model == ""


# -- what it cost, and how long it may take


@both_ways
def test_the_notes_tell_what_each_model_used(run: Run) -> None:
    prices = {SMALL: {"input_per_mtok": 1.0, "output_per_mtok": 10.0}}
    first = ok(usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120})
    second = ok(usage={"prompt_tokens": 101, "completion_tokens": 30, "total_tokens": 131})
    edge = edge_with(min_chars=100, settings={"models": prices})
    _, notes, _ = ask(run, edge, first, gate=second)
    assert notes.used == (Used(SMALL, 100, 20, cost=0.0003), Used("gpt-4o", 101, 30))
    _, notes, _ = ask(run, edge_with(min_chars=1), first)
    assert notes.used == (Used(SMALL, 100, 20),)
    assert notes.as_dict()["used"] == ({"model": SMALL, "input_tokens": 100, "output_tokens": 20, "cost": None},)


@both_ways
@pytest.mark.parametrize(
    "small",
    [
        Failure.REFUSED,
        says(503),
        ok(usage=None),
        ok(usage={"prompt_tokens": "many"}),
        ok(usage={"prompt_tokens": 10**400, "completion_tokens": float("inf")}),
    ],
)
def test_who_says_nothing_of_tokens_is_not_in_it(run: Run, small: Any) -> None:
    _, notes, _ = ask(run, edge_with(min_chars=100), small)
    assert [used.model for used in notes.used] == ["gpt-4o"]


def test_tokens_from_a_prompt_cache_are_counted_by_either_api() -> None:
    used = {"input_tokens": 5, "cache_read_input_tokens": 90, "cache_creation_input_tokens": None, "output_tokens": 3}
    assert TOKENS["anthropic_messages"]({"usage": used}) == (95, 3)


def test_a_schema_is_found_in_either_api() -> None:
    wanted = {"type": "json_schema", "schema": PLACE}
    assert SCHEMAS["anthropic_messages"]({"output_config": {"format": wanted}}) == PLACE
    assert SCHEMAS["anthropic_messages"]({"output_format": wanted}) == PLACE
    for body in ({}, {"output_config": {}}, {"output_config": {"format": {"type": "text"}}}, {"output_format": None}):
        assert SCHEMAS["anthropic_messages"](body) is None
    assert SCHEMAS["openai_chat"]({"response_format": {"type": "text"}}) is None


@both_ways
def test_the_small_model_has_its_own_time(run: Run) -> None:
    asked: list[Call] = []

    def late(call: Call) -> Reply:
        asked.append(call)
        raise AttemptFailed(Failure.READ_TIMEOUT, Native("pop"))

    _, notes, rt = ask(run, edge_with(min_chars=1, within_s=2.5), late)
    assert notes.cascade == "second" and [call.silent_s for call in asked] == [2.5]
    assert [attempt.outcome for attempt in notes.tried] == ["connection_read_timeout", "ok"]
    edge = edge_with(POP, POP2, GATE, min_chars=1, within_s=2.5)
    _, notes, rt = ask(run, edge, Failure.CONNECT_TIMEOUT, took_s=3.0)
    assert len(rt.sent) == 2 and rt.sent[1] == "gate"  # no time is left for a second connection


@both_ways
def test_a_check_that_raises_has_failed_and_is_counted(run: Run) -> None:
    def check(said: str) -> bool:
        raise LookupError(said)

    edge = edge_with(check=check)
    _, notes, _ = ask(run, edge, text("anything"))
    assert notes.cascade == "second" and edge.telemetry.mishaps() == {"cascade check": 1}


@both_ways
def test_what_no_attempt_failed_by_is_counted_too(run: Run) -> None:
    edge = edge_with()
    _, notes, rt = ask(run, edge, ValueError("a bug in a hook of the HTTP client"))
    assert notes.cascade == "second" and rt.sent == ["pop", "gate"] and edge.telemetry.mishaps() == {"cascade": 1}


@both_ways
def test_a_cancelled_call_ends(run: Run) -> None:
    rt = run.runtime(pop=KeyboardInterrupt())
    edge = edge_with()
    with pytest.raises(KeyboardInterrupt):
        run(respond(classify(request(), edge), edge, rt))
    assert rt.sent == ["pop"]


@both_ways
def test_when_both_fail_the_error_is_that_of_the_model_asked_for(run: Run) -> None:
    edge = edge_with(settings={"origin": "never"})
    rt = run.runtime(pop=says(500), gate=Failure.TERMINATED)
    with pytest.raises(Native) as raised:
        run(respond(classify(request(), edge), edge, rt))
    assert raised.value.args[0] == "gate"
    (event,) = edge.telemetry.events()
    assert event.model == "gpt-4o" and event.notes.cascade == "second"
    assert [attempt.endpoint for attempt in event.notes.tried] == ["pop", "gate"]


@both_ways
def test_the_small_model_gets_one_request_and_the_other_all_of_its_own(run: Run) -> None:
    """One that was refused never arrived: it is no request, and the next endpoint is asked."""
    edge = edge_with(POP, POP2, GATE)
    _, _, rt = ask(run, edge, says(503), gate=says(503))
    assert [name for name in rt.sent if name.startswith("pop")] in (["pop"], ["pop2"])
    assert rt.sent[1:] == ["gate", "origin"]
    refused = edge_with(POP, POP2, GATE)
    _, _, rt = ask(run, refused, Failure.REFUSED)
    assert sorted(rt.sent[:2]) == ["pop", "pop2"] and rt.sent[2:] == ["gate"]
    assert refused.telemetry.counts()["failovers"] == 1
    assert None not in rt.connect_s[:2]  # none of the two is waited for as if it were the last


@both_ways
def test_the_clients_own_origin_is_never_asked_for_the_small_model(run: Run) -> None:
    edge = edge_with(POP, settings={"origin": "candidate"})
    _, notes, rt = ask(run, edge, Failure.REFUSED)
    assert rt.sent == ["pop", "origin"] and notes.cascade == "second"


@both_ways
@pytest.mark.parametrize(
    "asked",
    [
        request(stream=True, live=True),
        request(live=True),
        request(tools=[{"type": "function"}]),
        request(logprobs=True),
        request("?", ("edge-route", "gateway")),
        request(model="gpt-4o-mini"),
        request(path="/responses", input="?"),
        request(path="/embeddings", input="?"),
        request(fixed=True),
        request(default_origin=False, origin="https://mine.example.com/v1"),
    ],
    ids=["stream", "live", "tools", "logprobs", "Edge-Route", "model", "responses", "embeddings", "signed", "origin"],
)
def test_these_go_straight(run: Run, asked: Request) -> None:
    edge, plain = edge_with(), policies(POP, GATE)
    call = classify(asked, edge)
    assert call == classify(asked, plain) and call.first_model == ""


@both_ways
def test_a_retry_of_the_sdk_goes_straight(run: Run) -> None:
    _, notes, rt = ask(run, edge_with(), text("never"), request("?", ("x-stainless-retry-count", "1")))
    assert rt.sent == ["gate"] and notes.cascade == "second"


@both_ways
def test_without_an_endpoint_for_the_small_model_the_other_is_asked(run: Run) -> None:
    """A client that was made for a region."""
    _, notes, rt = ask(run, edge_with(), text("never"), replace(request(), residency="eu"))
    assert rt.sent == ["origin"] and notes.cascade == "second"


@both_ways
def test_an_alias_comes_before_a_cascade(run: Run) -> None:
    edge = edge_with(settings={"aliases": {"old": "gpt-4o"}})
    _, notes, rt = ask(run, edge, text("good enough"), request(model="old"))
    assert rt.sent == ["pop"] and (notes.cascade, notes.model, notes.asked_model) == ("first", SMALL, "old")


# -- the cache


@both_ways
@pytest.mark.parametrize("passes", [True, False])
def test_an_answer_is_stored_for_the_same_cascade_only(run: Run, passes: bool) -> None:
    store = MemoryStore(2**20)
    checks: dict[str, Any] = {"min_chars": 1 if passes else 100}
    _, notes, _ = ask(run, edge_with(store=store, **checks), text("an answer"))
    assert notes.stored and notes.cascade == ("first" if passes else "second")
    _, again, rt = ask(run, edge_with(store=store, **checks), text("never"))
    assert again.cache == "hit" and again.cascade == "" and rt.sent == []
    others = [
        policies(POP, GATE, store=store),  # no cascade
        edge_with(store=store, min_chars=2),
        edge_with(store=store, matches="x", **checks),
        edge_with(store=store, json=True, **checks),
        edge_with(store=store, schema=True, **checks),
        edge_with(store=store, min_logprob=-9.0, **checks),
        policies(POP, GATE, store=store, cascade={"gpt-4o": Cascade("llama-3.2-1b", **checks)}),
    ]
    for other in others:
        _, notes, _ = ask(run, other, text("other"))
        assert notes.cache == "miss" and notes.key != again.key
    _, small, _ = ask(run, edge_with(store=store, **checks), text("own"), request(model=SMALL))
    assert small.cache == "miss"


@both_ways
def test_a_function_is_no_part_of_a_key_so_nothing_is_stored(run: Run) -> None:
    edge = edge_with(check=bool)
    for _ in range(2):
        _, notes, rt = ask(run, edge, text("an answer"))
        assert (notes.cache, notes.stored, notes.key) == ("bypass", False, "") and rt.sent == ["pop"]


@both_ways
def test_words_about_caching_hold(run: Run) -> None:
    edge = edge_with()
    ask(run, edge, text("old answer"))
    reply, notes, rt = ask(run, edge, text("new answer"), request("Is it?", ("cache-control", "no-cache")))
    assert rt.sent == ["pop"] and notes.stored and b"new answer" in (reply.body or b"")
    reply, notes, _ = ask(run, edge, text("never"))
    assert notes.cache == "hit" and b"new answer" in (reply.body or b"")
    _, notes, _ = ask(run, edge, text("unstored"), request("Is it?", ("cache-control", "no-store")))
    assert notes.cascade == "first" and not notes.stored
    reply, notes, rt = ask(run, edge, text("never"), request("Else?", ("cache-control", "only-if-cached")))
    assert reply.status == 504 and rt.sent == [] and notes.cascade == ""


@both_ways
def test_time_spent_on_the_small_model_counts(run: Run) -> None:
    """After `total_s` the model asked for is still asked, once."""
    edge = edge_with(settings={"total_s": 1.0})
    rt = run.runtime(pop=text("no"), gate=says(503), origin=ok(), took_s=2.0)
    reply = run(respond(classify(request(), edge), edge, rt))
    assert rt.sent == ["pop", "gate"] and reply.status == 503
