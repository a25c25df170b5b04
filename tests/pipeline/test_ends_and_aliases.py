"""Models that end, aliases, and what settings and OpenAI's list say of models, through the pipeline."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from edgeclient import RouteError, SettingsError
from edgeclient.classifying import classify
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.settings import Model
from edgeclient.telemetry import events
from edgeclient.values import Reply, Request, Route

from .scripted import WALL, A, Run, Scripted, both_ways, ok, policies, request, says

OLD = "gpt-4o-2024-05-13"  # ends on 2026-10-23


@pytest.fixture(autouse=True)
def _not_yet_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a process that was told nothing yet."""
    monkeypatch.setattr(events, "_advised", {})


def on(day: str) -> float:
    """The scripted clock's time on a day: its wall clock is `WALL` later."""
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * 86400 + 3600 - WALL


def ask(run: Run, edge: Policies, day: str, asked: Request | None = None, **body: Any) -> tuple[Reply, Scripted]:
    rt = run.runtime(a=lambda call: ok(), origin=lambda call: ok())
    rt.time = on(day)
    call = classify(asked if asked is not None else request(**body), edge)
    return run(respond(call, edge, rt)), rt


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


# -- ends


@both_ways
def test_a_retired_model_is_sent_as_it_is_and_warned_of_once(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge, other = policies(A, cached=False), policies(A, cached=False)
    for one in (edge, edge, other):
        reply, rt = ask(run, one, "2026-11-24", model=OLD)
        assert reply.status == 200 and rt.sent == ["a"]
        assert reply.notes is not None and (reply.notes.model, reply.notes.asked_model) == (OLD, "")
    (said,) = warnings(caplog)
    assert caplog.records[0].name == "edgeclient"
    for part in (OLD, "was retired at openai on 2026-10-23", "gpt-5.6-sol", "source: dev.to/importstatic", "aliases="):
        assert part in said
    assert edge.telemetry.counts()["retired models"] == 2 and other.telemetry.counts()["retired models"] == 1
    assert edge.telemetry.counts()["ending models"] == 0 and not edge.telemetry.mishaps()


@both_ways
@pytest.mark.parametrize(
    ("day", "warned", "retired"),
    [("2026-09-22", 0, 0), ("2026-09-23", 1, 0), ("2026-10-22", 1, 0), ("2026-10-23", 1, 1)],
)
def test_an_end_is_said_thirty_days_before(
    run: Run, day: str, warned: int, retired: int, caplog: pytest.LogCaptureFixture
) -> None:
    edge = policies(A)
    ask(run, edge, day, model=OLD)
    counts = edge.telemetry.counts()
    assert len(warnings(caplog)) == warned
    assert (counts["ending models"], counts["retired models"]) == (warned - retired, retired)
    if warned > retired:
        assert "ends at openai on 2026-10-23, in " in warnings(caplog)[0]


@both_ways
def test_each_model_is_warned_of(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge = policies(A)
    for model in (OLD, "gpt-4o", OLD):
        ask(run, edge, "2027-02-01", model=model)
    assert len(warnings(caplog)) == 2


@both_ways
def test_raise_raises_before_anything_is_sent(run: Run) -> None:
    edge = policies(A, retired="raise")
    rt = run.runtime(a=ok())
    rt.time = on("2026-11-24")
    with pytest.raises(RouteError) as raised:
        run(respond(classify(request(model=OLD), edge), edge, rt))
    assert rt.sent == [] and edge.telemetry.counts()["retired models"] == 1
    for part in (OLD, "retired at openai on 2026-10-23", "ask for gpt-5.6-sol", "aliases={", "retired='warn'"):
        assert part in str(raised.value)
    (event,) = edge.telemetry.events()
    assert (event.model, event.error, event.notes.attempts) == (OLD, "RouteError", 0)


@both_ways
def test_raise_also_comes_before_the_cache(run: Run) -> None:
    edge = policies(A)
    ask(run, edge, "2026-10-22", model=OLD)
    strict = replace(edge, settings=replace(edge.settings, retired="raise"))
    rt = run.runtime(a=ok())
    rt.time = on("2026-10-23")
    with pytest.raises(RouteError):
        run(respond(classify(request(model=OLD), strict), strict, rt))


@both_ways
def test_raise_lets_an_ending_model_pass(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    reply, _ = ask(run, policies(A, retired="raise"), "2026-10-22", model=OLD)
    assert reply.status == 200 and len(warnings(caplog)) == 1


@both_ways
def test_ignore_says_and_counts_nothing(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge = policies(A, retired="ignore")
    reply, _ = ask(run, edge, "2026-11-24", model=OLD)
    assert reply.status == 200 and not caplog.records and not edge.telemetry.counts()["retired models"]


@both_ways
def test_a_retry_of_the_sdk_is_not_counted_again(run: Run) -> None:
    edge = policies(A)
    ask(run, edge, "2026-11-24", request("?", ("x-stainless-retry-count", "1"), model=OLD))
    assert edge.telemetry.counts()["retired models"] == 0


@both_ways
def test_the_end_at_the_clients_own_provider_counts(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """On 2026-11-24 it is over at OpenAI, and not at Azure: nobody knows which one another origin is."""
    edge = policies(A)
    ask(run, edge, "2026-11-24", request(model=OLD, default_origin=False, origin="https://mine.example.com/v1"))
    assert edge.telemetry.counts()["ending models"] == 1 and "at azure on 2026-12-09" in warnings(caplog)[0]


@both_ways
@pytest.mark.parametrize(
    "model", ["gpt-6-luna", "claude-sonnet-5", "llama-3.3-70b", "my-deployment", "", 5, None, ["x"]]
)
def test_a_model_that_lives_or_that_nobody_knows_is_not_warned_of(
    run: Run, model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reply, _ = ask(run, policies(A, retired="raise"), "2026-11-24", model=model)
    assert reply.status == 200 and not caplog.records


@both_ways
def test_a_name_of_another_system_ends_there(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A client of OpenAI's origin asks for it because an endpoint serves it."""
    edge = policies(A)
    ask(run, edge, "2026-11-24", model="@cf/meta/llama-3.1-8b-instruct")
    assert "at workers-ai on 2026-05-30" in warnings(caplog)[0] and edge.telemetry.counts()["retired models"] == 1


@both_ways
def test_a_long_running_edge_notices_the_end(run: Run) -> None:
    edge = policies(A, retired="raise")
    reply, _ = ask(run, edge, "2026-10-22", model=OLD)
    assert reply.status == 200
    with pytest.raises(RouteError):
        ask(run, edge, "2026-10-23", model=OLD)


def test_many_models_do_not_fill_the_memory() -> None:
    edge = policies(A)
    for n in range(3000):
        edge.models.state(f"model-{n}", "openai", 0.0)
    assert len(edge.models._states) <= 1024
    assert edge.models.state(OLD, "openai", on("2026-11-24") + WALL) is edge.models.state(
        OLD, "openai", on("2026-11-24") + WALL + 60
    )


# -- aliases


@both_ways
def test_an_alias_is_what_is_asked_and_it_is_told(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge = policies(A, aliases={OLD: "gpt-6-luna"}, retired="raise")
    reply, rt = ask(run, edge, "2026-11-24", model=OLD)
    assert reply.notes is not None and rt.sent == ["a"]
    assert (reply.notes.model, reply.notes.asked_model) == ("gpt-6-luna", OLD)
    assert edge.telemetry.events()[0].model == "gpt-6-luna" and not caplog.records
    hit, rt = ask(run, edge, "2026-11-24", model="gpt-6-luna")
    assert hit.notes is not None and hit.notes.cache == "hit" and hit.notes.asked_model == "" and rt.sent == []
    again, _ = ask(run, edge, "2026-11-24", model=OLD)
    assert again.notes is not None and (again.notes.cache, again.notes.asked_model) == ("hit", OLD)


def test_an_alias_comes_before_route_and_key() -> None:
    edge = policies(A, aliases={"mine": "llama-3.1-8b-instruct"}, routes={"mine": "direct"})
    call, plain = classify(request(model="mine"), edge), classify(request(model="llama-3.1-8b-instruct"), edge)
    assert (call.model, call.asked_model, call.body["model"]) == (
        "llama-3.1-8b-instruct",
        "mine",
        "llama-3.1-8b-instruct",
    )
    assert call.route is plain.route is Route.INFERENCE and call.key == plain.key and not call.keeps_origin
    assert plain.asked_model == ""


def test_an_alias_holds_where_the_pipeline_knows_no_dialect() -> None:
    edge = policies(A, aliases={OLD: "gpt-6-luna"})
    call = classify(request(path="/images/generations", model=OLD), edge)
    assert (call.dialect, call.model, call.asked_model, call.route) == (None, "gpt-6-luna", OLD, Route.DIRECT)
    for odd in (replace(request(path="/files"), body=b"--part"), request(path="/files", model="other")):
        call = classify(odd, edge)
        assert (call.model, call.asked_model) == ("", "")


def test_a_signed_request_is_not_changed() -> None:
    edge = policies(A, aliases={OLD: "gpt-6-luna"})
    call = classify(request(model=OLD, fixed=True, credential="AWS4-HMAC-SHA256 Credential=x"), edge)
    assert (call.model, call.asked_model) == (OLD, "") and edge.telemetry.mishaps() == {"alias": 1}


# -- what the settings say of a model


@pytest.mark.parametrize(
    ("said", "route"),
    [
        (Model(kind="small"), Route.INFERENCE),
        (Model(kind="foundation"), Route.GATEWAY),
        (Model(family="@cf/meta/llama-3.1-8b-instruct-fp8"), Route.INFERENCE),
        (Model(family="claude-sonnet-5.5"), Route.GATEWAY),
        (Model(kind="small", family="claude-sonnet-5.5"), Route.INFERENCE),
        (Model(), Route.GATEWAY),
    ],
)
def test_the_kind_of_an_own_model(said: Model, route: Route) -> None:
    assert classify(request(model="my-model"), policies(A, models={"my-model": said})).route is route


def test_settings_come_before_the_catalogue() -> None:
    edge = policies(A, models={"llama-3.1-8b": Model(kind="foundation"), "gpt-4o": Model(family="gpt-oss-20b")})
    assert classify(request(model="llama-3.1-8b"), edge).route is Route.GATEWAY
    assert classify(request(model="gpt-4o"), edge).route is Route.INFERENCE
    family = edge.models.family_of("gpt-4o")
    assert family is not None and family.name == "gpt-oss-20b"


@both_ways
def test_an_own_end_comes_first(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    models = {
        OLD: Model(ends=date(2028, 1, 1)),
        "my-model": Model(ends=date(2026, 11, 1), replacement="my-new-model"),
    }
    edge = policies(A, models=models)
    ask(run, edge, "2026-11-24", model=OLD)
    assert not caplog.records
    ask(run, edge, "2026-11-24", model="my-model")
    (said,) = warnings(caplog)
    assert "my-model was retired by settings on 2026-11-01 (source: your settings); ask for my-new-model" in said


@pytest.mark.parametrize(
    ("family", "says"), [("nonsense", "which is no family"), ("qwen3", "say which: qwen3-8b, qwen3-30b-a3b, qwen3-32b")]
)
def test_a_family_that_nobody_knows_is_refused(family: str, says: str) -> None:
    with pytest.raises(SettingsError, match=rf"models\.mine\.family is '{family}'.*{says}"):
        policies(A, models={"mine": Model(family=family)})


# -- OpenAI's list of models


def listing(run: Run, edge: Policies, answer: bytes, path: str = "/models", **changed: Any) -> None:
    rt = run.runtime(origin=changed.pop("reply", says(200, body=answer)))
    run(respond(classify(request(path=path, method="GET", **changed), edge), edge, rt))


LISTED = json.dumps({"data": [{"id": "gpt-x", "shutdown_date": "2026-12-01"}, {"id": OLD, "shutdown_date": None}]})


@both_ways
@pytest.mark.parametrize("path", ["/models", "/models/gpt-x"])
def test_a_list_of_models_that_passes_is_heard(run: Run, path: str, caplog: pytest.LogCaptureFixture) -> None:
    edge = policies(A)
    ask(run, edge, "2026-11-24", model="gpt-x")
    assert not caplog.records
    listing(run, edge, LISTED.encode(), path)
    ask(run, edge, "2026-11-24", model="gpt-x")
    (said,) = warnings(caplog)
    assert "gpt-x ends at openai on 2026-12-01, in 7 days (source: GET /models of openai)" in said
    ask(run, edge, "2026-11-24", model=OLD)  # a list that tells nothing takes nothing away
    assert edge.telemetry.counts()["retired models"] == 1
    ask(run, policies(A), "2026-11-24", model="gpt-x")  # another edge was not told
    assert len(warnings(caplog)) == 2


@both_ways
@pytest.mark.parametrize(
    "changed",
    [
        {"default_origin": False, "origin": "https://mine.example.com/v1"},
        {"path": "/modelss"},
        {"reply": says(404, body=LISTED.encode())},
        {"reply": Reply(200, [], None, object())},
    ],
    ids=["another origin", "another path", "an error", "a live body"],
)
def test_what_is_no_list_of_the_provider_is_not_heard(run: Run, changed: dict[str, Any]) -> None:
    edge = policies(A)
    listing(run, edge, LISTED.encode(), **changed)
    assert not edge.models._told


def test_an_own_end_comes_before_a_told_one() -> None:
    edge = policies(A, models={"gpt-x": Model(ends=date(2030, 1, 1))})
    edge.models.learn("openai", LISTED.encode())
    assert [end.day for end in edge.models.ends_of("gpt-x", "openai")] == [date(2030, 1, 1)]
