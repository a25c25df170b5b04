"""The other way in: transports and HTTP clients of both families, bare and under the SDKs that take them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
import recording
import ways
from recording import Origin
from shapes import CHAT, MESSAGE
from talking import CLIENTS, FORMS, SECRET, Net, ask
from ways import each, entered, settled

import edgeclient
from edgeclient import AsyncEdgeTransport, EdgeTransport

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

_URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/messages",
}
_TAKEN = [pytest.param(sdk, name, id=f"{sdk}-{name}") for sdk in ways.SDKS for name in ways.families(sdk)]


@pytest.fixture(params=["httpx", "httpx2"])
def family(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


def hosts(net: Net) -> Mapping[str, Origin]:
    return {ways.DEFAULT_HOSTS[net.sdk]: net.origin, **net.others}


def around(net: Net, family: Any, edge: Any, **options: Any) -> Any:
    """A client of the family over our transport around a real one."""
    inner = ways.loopback_transport(family, net.way.is_async, hosts(net))
    wrapped = (AsyncEdgeTransport if net.way.is_async else EdgeTransport)(inner, edge=edge)
    return net.way.keep(net.way.cls_of_family(family)(transport=wrapped, **options))


def made_by(net: Net, family: Any, edge: Any, **options: Any) -> Any:
    """The client that the edge makes, over the same real transport."""
    inner = ways.loopback_transport(family, net.way.is_async, hosts(net))
    make = edge.async_http_client if net.way.is_async else edge.http_client
    return net.way.keep(make(family.__name__, transport=inner, **options))


@pytest.fixture(params=["transport", "client"])
def make(request: pytest.FixtureRequest) -> Any:
    return {"transport": around, "client": made_by}[request.param]


def question(net: Net, **more: Any) -> dict[str, Any]:
    return {
        "json": {**(CHAT if net.sdk == "openai" else MESSAGE), **more},
        "headers": {"Authorization": f"Bearer {SECRET}"},
    }


async def post(client: Any, net: Net, **more: Any) -> Any:
    return await settled(client.post(_URLS[net.sdk], **question(net, **more)))


async def test_a_bare_post_goes_to_an_endpoint_and_then_to_the_cache(net: Net, family: Any, make: Any) -> None:
    client = make(net, family, net.edge("fra", cache="exact"))
    first, second = await post(client, net), await post(client, net)
    assert type(first) is type(second) is family.Response
    assert b"hello from fra" in first.content and b"hello from fra" in second.content
    assert [edgeclient.notes(answer).cache for answer in (first, second)] == ["miss", "hit"]
    assert net.seen() == {"fra": 1}
    assert second.headers["cache-status"].startswith("edgeclient; hit")
    assert int(second.headers["content-length"]) == len(second.content)
    assert second.request.url == _URLS[net.sdk] and second.elapsed is not None


async def test_a_bare_stream_is_stored_and_streamed_again(net: Net, family: Any, make: Any) -> None:
    client = make(net, family, net.edge("fra", cache="exact"))
    texts = []
    for _ in range(2):
        asked = question(net, stream=True)
        async with entered(client.stream("POST", _URLS[net.sdk], **asked)) as answer:
            texts.append(
                "".join(
                    [part async for part in each(answer.iter_text() if not net.way.is_async else answer.aiter_text())]
                )
            )
    assert all("hello" in text and " from fra" in text for text in texts)
    assert net.seen() == {"fra": 1}


async def test_a_whole_answer_can_still_be_read_raw(net: Net, family: Any, make: Any) -> None:
    """The pipeline has read it; the client above the transport has not."""
    client = make(net, family, net.edge("fra"))
    async with entered(client.stream("POST", _URLS[net.sdk], **question(net))) as answer:
        parts = [part async for part in each(answer.aiter_raw() if net.way.is_async else answer.iter_raw())]
    assert b"hello from fra" in b"".join(parts)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fault_is_answered_by_the_next_and_at_last_by_the_origin(
    net: Net, family: Any, make: Any, stream: bool
) -> None:
    client = make(net, family, net.edge("fra", "nyc"))
    net.endpoints["fra"].always = recording.status(503)
    assert b" from nyc" in (await post(client, net, stream=stream)).content
    net.endpoints["nyc"].always = recording.html()
    answer = await post(client, net, stream=stream)
    assert b" from origin" in answer.content
    assert edgeclient.notes(answer).attempts == 3


async def test_the_native_error_comes_when_nothing_is_left(net: Net, family: Any, make: Any) -> None:
    with recording.nobody() as dead:
        edge = net.edge(edgeclient.Endpoint(name="dead", **net.urls(dead)), origin="never")
        with pytest.raises(family.ConnectError) as caught:
            await post(make(net, family, edge), net)
    assert type(caught.value) is family.ConnectError and caught.value.request is not None


async def test_no_redirect_carries_a_key_to_a_third_host(net: Net, family: Any, make: Any) -> None:
    with Origin("elsewhere") as elsewhere:
        net.others["third.example.com"] = elsewhere
        net.endpoints["fra"].always = recording.redirect("https://third.example.com/v1/messages")
        client = make(net, family, net.edge("fra"), follow_redirects=True)
        assert b"hello from origin" in (await post(client, net)).content
        assert not elsewhere.seen


async def test_other_hosts_and_other_apis_pass_by(net: Net, family: Any, make: Any) -> None:
    client = make(net, family, net.edge("fra"))
    other = await settled(client.post(net.endpoints["bom"].v1 + "/chat/completions", json=CHAT))
    models = await settled(client.get(_URLS[net.sdk].rpartition("/v1/")[0] + "/v1/models"))
    assert b"hello from bom" in other.content and models.json()["data"]
    assert net.seen() == {"origin": 1, "bom": 1}


async def test_other_hosts_are_cached(net: Net, family: Any, make: Any) -> None:
    client = make(net, family, net.edge("fra", cache="exact"))
    url = net.endpoints["bom"].url + ("/v1/chat/completions" if net.sdk == "openai" else "/v1/messages")
    answers = [await settled(client.post(url, **question(net))) for _ in range(2)]
    assert [edgeclient.notes(answer).cache for answer in answers] == ["miss", "hit"]
    assert net.seen() == {"bom": 1}


async def test_without_settings_the_transport_is_not_there(net: Net, family: Any) -> None:
    client = around(net, family, None)
    answer = await post(client, net)
    plain = await post(net.way.http_client(family, hosts(net)), net)
    assert edgeclient.notes(answer) is None
    assert answer.headers.raw == plain.headers.raw
    ours, theirs = net.origin.take()
    assert ours.raw == theirs.raw


async def test_the_default_edge_is_the_one_of_the_surroundings(
    net: Net, family: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECLIENT_ENDPOINTS", json.dumps([net.urls(net.endpoints["fra"].url)]))
    monkeypatch.setenv("EDGECLIENT_KEY", "passthrough")
    monkeypatch.setenv("EDGECLIENT_PROBE", "false")
    assert b"hello from fra" in (await post(around(net, family, None), net)).content


async def test_zipped_answers_are_read(net: Net, family: Any, make: Any) -> None:
    with Origin("zipped", zipped=True) as server:
        edge = net.edge(edgeclient.Endpoint(name="zipped", **net.urls(server.url)), cache="exact")
        client = make(net, family, edge)
        for _ in range(2):
            assert b"hello from zipped" in (await post(client, net)).content
        assert len(server.seen) == 1


@pytest.mark.parametrize(("sdk", "family_name"), _TAKEN)
@pytest.mark.parametrize("form", FORMS)
async def test_under_an_sdk_client(net: Net, family_name: str, form: str, make: Any) -> None:
    """The plain SDK's client, with our HTTP client under it."""
    edge = net.edge("fra", "nyc", cache="exact")
    net.endpoints["fra"].always = recording.status(500)
    http_client = make(net, importlib.import_module(family_name), edge, follow_redirects=True)
    kind = net.way.cls(ways.SDKS[net.sdk], CLIENTS[net.sdk])
    client = kind(api_key=SECRET, http_client=http_client, max_retries=0)
    first, second = await ask(client, form), await ask(client, form)
    assert first.text == second.text == "hello from nyc"
    assert [edge_notes.cache for edge_notes in (event.notes for event in edge.events())] == ["miss", "hit"]
    assert net.seen() == {"fra": 1, "nyc": 1}


@pytest.mark.parametrize(("sdk", "family_name"), [case for case in _TAKEN if case.values[0] == "openai"])
async def test_under_a_bare_post_of_an_sdk_client(net: Net, family_name: str, make: Any) -> None:
    http_client = make(net, importlib.import_module(family_name), net.edge("fra", cache="exact"))
    client = net.way.cls(ways.SDKS["openai"], "OpenAI")(api_key=SECRET, http_client=http_client)
    family = importlib.import_module(family_name)
    for cast_to in (object, family.Response):
        answer = await settled(client.post("/chat/completions", cast_to=cast_to, body=CHAT))
        assert "hello from fra" in (answer.text if cast_to is not object else str(answer))
    assert net.seen() == {"fra": 1}


async def test_proxies_of_the_environment_are_kept(net: Net, family: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Origin("proxy") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        edge = net.edge(cache="exact")
        make = edge.async_http_client if net.way.is_async else edge.http_client
        client = net.way.keep(make(family.__name__))
        for _ in range(2):
            answer = await settled(
                client.post("http://far.example.com/v1/chat/completions", **question(net, model="m"))
            )
            assert answer.status_code == 200
        (request,) = proxy.take()
        assert request.target == "http://far.example.com/v1/chat/completions"


async def test_a_wrong_family_is_said_so(net: Net) -> None:
    with pytest.raises(ValueError, match="'requests'"):
        net.edge("fra").http_client("requests")


async def test_closing_the_client_closes_the_transport_inside(net: Net, family: Any) -> None:
    closed: list[str] = []

    class Inner(family.AsyncBaseTransport if net.way.is_async else family.BaseTransport):  # type: ignore[misc]
        def close(self) -> None:
            closed.append("close")

        async def aclose(self) -> None:
            closed.append("close")

    edge = net.edge("fra")
    wrapped = (AsyncEdgeTransport if net.way.is_async else EdgeTransport)(Inner(), edge=edge)
    async with entered(net.way.cls_of_family(family)(transport=wrapped)):
        assert not closed
    assert closed == ["close"]
