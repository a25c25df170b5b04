"""Ends and aliases through the real SDKs, sync and async: what is sent, what is raised, and what a plain client knows."""

from __future__ import annotations

import json
import logging
from typing import Any

import anthropic
import openai
import pytest
import ways
from recording import Origin, says
from talking import CLIENTS, FORMS, Net, ask
from ways import settled

from edgeclient import AsyncEdgeTransport, EdgeTransport, RouteError, notes
from edgeclient.lab import Lab
from edgeclient.telemetry import events

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),  # anthropic's own
]

SDK_ERRORS: dict[str, Any] = {"openai": openai.OpenAIError, "anthropic": anthropic.AnthropicError}
OLD = {"openai": "gpt-4o-2024-05-13", "anthropic": "claude-sonnet-4-20250514"}  # retired in 2026
NEW = {"openai": "gpt-6-luna", "anthropic": "claude-sonnet-5-5"}


@pytest.fixture(autouse=True)
def _not_yet_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_advised", {})


def body(server: Origin) -> Any:
    (request,) = server.take()
    assert int(request.header("content-length")) == len(request.body)
    return json.loads(request.body)


@pytest.mark.parametrize("form", FORMS)
async def test_a_retired_model_is_sent_as_it_is(net: Net, form: str, caplog: pytest.LogCaptureFixture) -> None:
    client = net.client(net.edge("fra"))
    for _ in range(2):
        said = await ask(client, form, model=OLD[net.sdk])
        assert said.notes.model == OLD[net.sdk] and body(net.endpoints["fra"])["model"] == OLD[net.sdk]
    warned = [record for record in caplog.records if record.name == "edgeclient"]
    assert len(warned) == 1 and f"{OLD[net.sdk]} was retired at {net.sdk} on 2026-" in warned[0].getMessage()


@pytest.mark.parametrize("form", FORMS)
async def test_raise_is_an_error_of_the_sdk_and_is_not_retried(net: Net, form: str) -> None:
    edge = net.edge("fra", retired="raise")
    with pytest.raises(RouteError, match="was retired at") as raised:
        await ask(net.client(edge, max_retries=2), form, model=OLD[net.sdk])
    assert isinstance(raised.value, SDK_ERRORS[net.sdk]) and net.seen() == {}
    assert edge.status().counts["retired models"] == 1


async def test_raise_alone_makes_an_edge_active(net: Net) -> None:
    edge = net.edge(retired="raise")
    with pytest.raises(RouteError):
        await ask(net.client(edge), model=OLD[net.sdk])
    assert (await ask(net.client(edge), model=NEW[net.sdk])).text == "hello from origin"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["endpoint", "origin", "a base URL of its own"])
async def test_an_alias_changes_the_body_wherever_it_goes(net: Net, form: str, where: str) -> None:
    edge = net.edge(*(["fra"] if where == "endpoint" else []), aliases={OLD[net.sdk]: NEW[net.sdk]}, retired="raise")
    server = net.endpoints["fra"] if where == "endpoint" else net.origin
    client = net.direct(edge, server) if where.startswith("a base") else net.client(edge)
    said = await ask(client, form, model=OLD[net.sdk], extra_body={"mine": 0.5})
    assert (said.notes.model, said.notes.asked_model) == (NEW[net.sdk], OLD[net.sdk])
    sent = body(server)
    assert (sent["model"], sent["mine"]) == (NEW[net.sdk], 0.5) and net.seen() == {}
    other = await ask(client, form, model="another-model")
    assert (other.notes.asked_model, body(server)["model"]) == ("", "another-model")


async def test_an_aliased_request_is_the_plain_one_but_for_its_model(net: Net) -> None:
    await ask(net.client(net.edge(aliases={OLD[net.sdk]: NEW[net.sdk]})), model=OLD[net.sdk])
    await ask(net.client({"openai": openai, "anthropic": anthropic}[net.sdk]), model=NEW[net.sdk])
    ours, plain = net.origin.take()
    assert (ours.method, ours.target, json.loads(ours.body)) == (plain.method, plain.target, json.loads(plain.body))
    assert sorted(h for h in ours.headers if h[0].lower() != "content-length") == sorted(
        h for h in plain.headers if h[0].lower() != "content-length"
    )


async def test_an_alias_holds_for_callers_of_a_transport(net: Net) -> None:
    family = ways.own_family(net.sdk)
    inner = ways.loopback_transport(family, net.way.is_async, {ways.DEFAULT_HOSTS[net.sdk]: net.origin})
    edge = net.edge("fra", aliases={OLD[net.sdk]: NEW[net.sdk]})
    wrapped = (AsyncEdgeTransport if net.way.is_async else EdgeTransport)(inner, edge=edge)
    client = net.way.keep(net.way.cls_of_family(family)(transport=wrapped))
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[net.sdk]
    asked = {"model": OLD[net.sdk], "max_tokens": 5, "messages": [{"role": "user", "content": "Is it?"}]}
    answer = await settled(client.post(f"https://{ways.DEFAULT_HOSTS[net.sdk]}{path}", json=asked))
    assert answer.status_code == 200 and answer.extensions["edgeclient"].asked_model == OLD[net.sdk]
    assert body(net.endpoints["fra"]) == {**asked, "model": NEW[net.sdk]}


async def test_an_alias_fails_over_and_is_cached_under_its_new_name(net: Net) -> None:
    net.endpoints["fra"].always = says(b"<html>", "text/html", 502)
    client = net.client(net.edge("fra", "nyc", cache="exact", aliases={OLD[net.sdk]: NEW[net.sdk]}))
    said = await ask(client, model=OLD[net.sdk])
    assert said.text == "hello from nyc" and body(net.endpoints["nyc"])["model"] == NEW[net.sdk]
    assert (await ask(client, model=NEW[net.sdk])).notes.cache == "hit"


async def test_an_alias_comes_before_the_name_at_an_endpoint(net: Net) -> None:
    fra = net.endpoint("fra", models={NEW[net.sdk]: "its-name-there"})
    said = await ask(net.client(net.edge(fra, aliases={OLD[net.sdk]: NEW[net.sdk]})), model=OLD[net.sdk])
    assert body(net.endpoints["fra"])["model"] == "its-name-there" and said.notes.model == NEW[net.sdk]


async def test_without_settings_nothing_is_said_and_nothing_changed(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    import edgeclient

    for edge in (edgeclient, net.edge(), net.edge(retired="warn")):
        said = await ask(net.client(edge), model=OLD[net.sdk])
        assert said.notes is None and body(net.origin)["model"] == OLD[net.sdk]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("sdk", ["openai"])
async def test_openais_list_of_models_is_heard_and_not_changed(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    listed = {"object": "list", "data": [{"id": "gpt-x", "object": "model", "created": 1, "owned_by": "o"}]}
    listed["data"][0]["shutdown_date"] = "2020-01-01"  # type: ignore[index]
    answer = json.dumps(listed).encode()
    net.origin.always = says(answer, "application/json")
    client = net.client(net.edge("fra", notes=True))
    page = await settled(client.models.list())
    raw = await settled(client.models.with_raw_response.list())
    assert [model.id for model in page.data] == ["gpt-x"] and raw.content == answer
    assert notes(raw) is not None and net.seen() == {"origin": 2}
    await ask(client, model="gpt-x")
    assert "gpt-x was retired at openai on 2020-01-01 (source: GET /models of openai)" in caplog.text


@pytest.mark.parametrize("form", FORMS)
async def test_the_labs_origin_answers_as_the_other_model(net: Net, form: str) -> None:
    """The lab's model says in its answer which name it was asked for."""
    options: dict[str, Any] = {"origin_ms": 1, "first_token_ms": (1.0, 2.0), "tokens_per_s": 20_000.0}
    with Lab({"fra": 1}, mode="loopback", **options) as lab:
        base = lab.origin_url if net.sdk == "openai" else lab.origin_url.removesuffix("/v1")
        edge = net.edge(aliases={OLD[net.sdk]: NEW[net.sdk]}, retired="raise")
        client = net.way.keep(net.way.cls(edge, CLIENTS[net.sdk])(api_key="any", base_url=base, max_retries=0))
        said = await ask(client, form, model=OLD[net.sdk])
        assert said.text and (said.notes.model, said.notes.asked_model) == (NEW[net.sdk], OLD[net.sdk])
        assert lab.requests() == {"fra": 0, "origin": 1}
        if form == "plain":
            assert said.answer.model == NEW[net.sdk]
