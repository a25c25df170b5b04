"""Calls of both SDKs through an active edge, over real sockets: routing, failover, origin, models, and what stays away."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import socket
from typing import Any

import anthropic
import openai
import pytest
import recording
import ways
from recording import Origin
from talking import FORMS, SECRET, Net, ask
from ways import each, settled

from edgeclient import Endpoint, notes

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

SDK_ERRORS: dict[str, Any] = {"openai": openai, "anthropic": anthropic}

# -- the way to an endpoint


@pytest.mark.parametrize("form", FORMS)
async def test_calls_of_the_default_origin_go_to_the_first_endpoint(net: Net, form: str) -> None:
    client = net.client(net.edge("fra", "nyc"))
    said = await ask(client, form)
    assert said.text == "hello from fra"
    assert net.seen() == {"fra": 1}
    (request,) = net.endpoints["fra"].take()
    assert request.path == ("/v1/chat/completions" if net.sdk == "openai" else "/v1/messages")
    assert request.header("host") == f"127.0.0.1:{net.endpoints['fra'].port}"
    assert (said.notes.route, said.notes.endpoint, said.notes.attempts) == ("gateway", "fra", 1)


async def test_base_url_stays_what_it_was(net: Net) -> None:
    client = net.client(net.edge("fra"))
    before = str(client.base_url)
    await ask(client)
    assert str(client.base_url) == before and ways.DEFAULT_HOSTS[net.sdk] in before


async def test_the_request_at_an_endpoint_is_the_plain_one_but_for_its_host(net: Net) -> None:
    await ask(net.client(net.edge("fra")), extra_query={"q": "a b"}, extra_headers={"X-Mine": "1"})
    plain = net.client(SDK_ERRORS[net.sdk])
    await ask(plain, extra_query={"q": "a b"}, extra_headers={"X-Mine": "1"})
    (aimed,), (straight,) = net.endpoints["fra"].take(), net.origin.take()
    assert (aimed.method, aimed.target, aimed.body) == (straight.method, straight.target, straight.body)
    assert [h for h in aimed.headers if h[0].lower() != "host"] == [
        h for h in straight.headers if h[0].lower() != "host"
    ]


@pytest.mark.parametrize(("sdk", "family_name"), [(sdk, name) for sdk in ways.SDKS for name in ways.families(sdk)])
async def test_the_family_of_the_http_client_does_not_matter(net: Net, family_name: str) -> None:
    family = importlib.import_module(family_name)
    net.endpoints["fra"].always = recording.html()
    client = net.client(net.edge("fra", "nyc", cache="exact"), family=family)
    for form, cache in (("plain", "miss"), ("stream", "hit"), ("raw", "hit")):
        said = await ask(client, form)
        assert (said.text, said.notes.cache) == ("hello from nyc", cache)


# -- failover

_FAULTS = {
    "500": lambda: recording.status(500),
    "503": lambda: recording.status(503),
    "429": lambda: recording.status(429),
    "529": lambda: recording.status(529),
    "html": recording.html,
    "html_error": lambda: recording.says(b"<html>", "text/html", 502),
    "redirect": lambda: recording.redirect("/login", 302),
}
_OF_WHOLE_ANSWERS = {"cut_json": recording.cut_json, "empty": lambda: recording.says(b"")}
_OF_STREAMS = {"json_for_events": lambda: recording.says(b'{"error":"no"}')}
_UNCERTAIN = {"hang_up": recording.hang_up, "short": recording.short, "endless_headers": recording.endless_headers}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", _FAULTS)
async def test_a_fault_of_an_endpoint_is_answered_by_the_next(net: Net, form: str, fault: str) -> None:
    net.endpoints["fra"].always = _FAULTS[fault]()
    said = await ask(net.client(net.edge("fra", "nyc")), form)
    assert said.text == "hello from nyc"
    assert net.seen() == {"fra": 1, "nyc": 1}
    assert [(attempt.endpoint, attempt.outcome == "ok") for attempt in said.notes.tried] == [
        ("fra", False),
        ("nyc", True),
    ]


@pytest.mark.parametrize(
    ("form", "fault"),
    [*((f, n) for f in ("plain", "raw") for n in _OF_WHOLE_ANSWERS), ("stream", "json_for_events")],
)
async def test_an_answer_that_is_none_is_answered_by_the_next(net: Net, form: str, fault: str) -> None:
    net.endpoints["fra"].always = {**_OF_WHOLE_ANSWERS, **_OF_STREAMS}[fault]()
    said = await ask(net.client(net.edge("fra", "nyc")), form)
    assert said.text == "hello from nyc"
    assert net.seen() == {"fra": 1, "nyc": 1}


@pytest.mark.parametrize("form", FORMS)
async def test_a_refused_connection_is_answered_by_the_next(net: Net, form: str) -> None:
    with recording.nobody() as dead:
        edge = net.edge(Endpoint(name="dead", **net.urls(dead)), "nyc")
        said = await ask(net.client(edge), form)
    assert said.text == "hello from nyc"
    assert said.notes.tried[0].outcome == "connection_refused"


@pytest.mark.parametrize("fault", _UNCERTAIN)
async def test_after_an_uncertain_failure_only_the_sdk_tries_again(net: Net, fault: str) -> None:
    """The endpoint may have done the work: a second send could be billed twice, so it is the SDK's own decision."""
    net.endpoints["fra"].always = _UNCERTAIN[fault]()
    client = net.client(net.edge("fra", "nyc"))
    with pytest.raises(SDK_ERRORS[net.sdk].APIConnectionError):
        await ask(client)
    assert net.seen() == {"fra": 1}
    said = await ask(client.with_options(max_retries=1))
    assert said.text == "hello from nyc"


@pytest.mark.parametrize("fault", _UNCERTAIN)
async def test_an_idempotent_call_goes_on_after_an_uncertain_failure(net: Net, fault: str) -> None:
    net.endpoints["fra"].always = _UNCERTAIN[fault]()
    said = await ask(net.client(net.edge("fra", "nyc")), extra_headers={"Idempotency-Key": "k-1"})
    assert said.text == "hello from nyc"
    assert net.endpoints["nyc"].take()[0].header("idempotency-key") == "k-1"


@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_no_connection_is_left_behind(net: Net, form: str) -> None:
    """The pool has one connection: whoever keeps one makes the next call fail."""
    faults = [*_FAULTS.values(), *_OF_WHOLE_ANSWERS.values(), *_UNCERTAIN.values()]
    family = ways.own_family(net.sdk)
    client = net.client(
        net.edge("fra", "nyc", cache="exact"), http={"connections": 1}, timeout=family.Timeout(20, pool=1)
    )
    for number, fault in enumerate(faults):
        net.endpoints["fra"].always = net.endpoints["nyc"].always = fault()
        with contextlib.suppress(
            SDK_ERRORS[net.sdk].APIError, family.HTTPError
        ):  # a broken stream's own, in older SDKs
            await ask(client, form, question=f"{number}")
        assert "connection_limit_reached" not in str(
            [attempt.outcome for event in client._edge.events() for attempt in event.notes.tried]
        )
    for server in net.endpoints.values():
        server.always = None
    assert (await ask(client, form)).text.startswith("hello from")


async def test_a_4xx_is_an_answer(net: Net) -> None:
    net.endpoints["fra"].always = recording.status(400)
    with pytest.raises(SDK_ERRORS[net.sdk].BadRequestError):
        await ask(net.client(net.edge("fra", "nyc")))
    assert net.seen() == {"fra": 1}


# -- the client's own origin


@pytest.mark.parametrize("form", FORMS)
async def test_the_origin_is_the_last_resort(net: Net, form: str) -> None:
    net.endpoints["fra"].always = recording.status(500)
    net.endpoints["nyc"].always = recording.html()
    said = await ask(net.client(net.edge("fra", "nyc", key="none")), form)
    assert said.text == "hello from origin"
    assert net.seen() == {"fra": 1, "nyc": 1, "origin": 1}
    assert SECRET in str(net.origin.take()[0].headers)
    assert said.notes.endpoint == "origin"


async def test_the_last_attempt_is_kept_for_the_origin(net: Net) -> None:
    for server in net.endpoints.values():
        server.always = recording.status(500)
    said = await ask(net.client(net.edge("fra", "nyc", "bom", max_attempts=3)))
    assert said.text == "hello from origin"
    assert net.seen() == {"fra": 1, "nyc": 1, "origin": 1}


async def test_when_nothing_is_left_the_sdk_gets_the_last_answer(net: Net) -> None:
    for server in net.servers():
        server.always = recording.status(503)
    with pytest.raises(SDK_ERRORS[net.sdk].InternalServerError) as caught:
        await ask(net.client(net.edge("fra", "nyc")))
    assert caught.value.status_code == 503
    assert "said so" in str(caught.value)
    assert net.seen() == {"fra": 1, "nyc": 1, "origin": 1}


async def test_rate_limits_everywhere_are_a_rate_limit_error(net: Net) -> None:
    for server in net.servers():
        server.always = recording.status(429)
    with pytest.raises(SDK_ERRORS[net.sdk].RateLimitError):
        await ask(net.client(net.edge("fra", "nyc")), "stream")


@pytest.mark.parametrize("fault", ["500", "html", "refused", "redirect"])
async def test_never_the_origin_means_never(net: Net, fault: str) -> None:
    with recording.nobody() as dead:
        if fault == "refused":
            edge = net.edge(Endpoint(name="dead", **net.urls(dead)), origin="never")
        else:
            net.endpoints["fra"].always = _FAULTS[fault]()
            edge = net.edge("fra", origin="never")
        error = "InternalServerError" if fault == "500" else "APIConnectionError"
        with pytest.raises(getattr(SDK_ERRORS[net.sdk], error)):
            await ask(net.client(edge))
    assert "origin" not in net.seen()


async def test_a_candidate_origin_competes(net: Net) -> None:
    client = net.client(net.edge("fra", origin="candidate"))
    assert (await ask(client)).text == "hello from fra"
    net.endpoints["fra"].always = recording.html()
    assert (await ask(client)).text == "hello from origin"
    assert (await ask(client)).notes.tried[0].endpoint == "origin", "what failed is behind it now"


@pytest.mark.parametrize("endpoints", [1, 2, 3])
async def test_retries_of_the_sdk_do_not_multiply(net: Net, endpoints: int) -> None:
    """n endpoints and the origin, all failing: `max_attempts` on the first try, one on each of the SDK's two retries."""
    for server in net.servers():
        server.always = recording.status(500)
    client = net.client(net.edge(*list(net.endpoints)[:endpoints]), max_retries=2)
    with pytest.raises(SDK_ERRORS[net.sdk].InternalServerError):
        await ask(client)
    assert sum(net.seen().values()) == min(endpoints + 1, 3) + 2


async def test_a_retry_of_the_sdk_takes_what_did_not_fail(net: Net) -> None:
    for server in (net.endpoints["fra"], net.endpoints["nyc"]):
        server.always = recording.status(500)
    net.origin.always = recording.status(500)
    said = await ask(net.client(net.edge("fra", "nyc", "bom"), max_retries=2))
    assert said.text == "hello from bom"
    assert net.seen() == {"fra": 1, "nyc": 1, "origin": 1, "bom": 1}


# -- whose calls are re-routed


async def test_a_client_with_its_own_base_url_keeps_it(net: Net) -> None:
    client = net.direct(net.edge("fra", cache="exact"), net.origin)
    assert [(await ask(client)).notes.cache for _ in range(2)] == ["miss", "hit"]
    assert net.seen() == {"origin": 1}


async def test_a_named_origin_is_re_routed_too(net: Net) -> None:
    edge = net.edge("fra", origins=[net.base(net.origin)])
    client = net.direct(edge, net.origin)
    assert (await ask(client)).text == "hello from fra"
    net.endpoints["fra"].always = recording.status(500)
    assert (await ask(client)).text == "hello from origin"
    assert (await ask(net.direct(edge, net.endpoints["bom"]))).text == "hello from bom"


async def test_an_own_base_url_is_not_shut_out_by_never(net: Net) -> None:
    """`origin="never"` is about the calls that go to endpoints; a base URL that was chosen is where its calls go."""
    client = net.direct(net.edge("fra", origin="never"), net.endpoints["bom"])
    assert (await ask(client)).text == "hello from bom"


async def test_failures_of_an_own_base_url_are_the_sdks_to_retry(net: Net) -> None:
    net.origin.fail(recording.status(500), recording.hang_up())
    client = net.direct(net.edge("fra"), net.origin, max_retries=2)
    said = await ask(client)
    assert (said.text, net.seen()) == ("hello from origin", {"origin": 3})
    assert [request.header("x-stainless-retry-count") for request in net.origin.take()] == ["0", "1", "2"]


# -- models and routes


@pytest.mark.parametrize("form", FORMS)
async def test_a_mapped_model_is_renamed_in_the_body(net: Net, form: str) -> None:
    edge = net.edge(net.endpoint("fra", models={"big": "vendor/big-1"}))
    said = await ask(net.client(edge), form, question="grüße 🌍", model="big")
    (request,) = net.endpoints["fra"].take()
    body = json.loads(request.body)
    assert body["model"] == "vendor/big-1" and body["messages"][0]["content"] == "grüße 🌍"
    assert int(request.header("content-length") or 0) == len(request.body)
    assert said.text == "hello from fra"


async def test_the_origin_gets_the_name_that_was_asked_for(net: Net) -> None:
    net.endpoints["fra"].always = recording.status(500)
    await ask(net.client(net.edge(net.endpoint("fra", models={"big": "vendor/big-1"}))), model="big")
    assert b'"model":"big"' in net.origin.take()[0].body.replace(b'": "', b'":"')


async def test_an_endpoint_serves_the_models_it_lists(net: Net) -> None:
    edge = net.edge(net.endpoint("fra", models=["one"]), net.endpoint("nyc", models=["two"]))
    client = net.client(edge)
    answers = [(await ask(client, model=model)).text for model in ("one", "two", "three")]
    assert answers == ["hello from fra", "hello from nyc", "hello from origin"]


async def test_small_models_go_to_inference_and_others_to_a_gateway(net: Net) -> None:
    edge = net.edge(net.endpoint("fra", route="inference"), net.endpoint("nyc", route="gateway"))
    client = net.client(edge)
    small, large = await ask(client, model="llama-3.1-8b-instruct"), await ask(client, model="gpt-4o")
    assert (small.notes.route, small.text) == ("inference", "hello from fra")
    assert (large.notes.route, large.text) == ("gateway", "hello from nyc")


async def test_a_route_rule_comes_before_the_catalogue(net: Net) -> None:
    edge = net.edge(
        net.endpoint("fra", route="inference"),
        net.endpoint("nyc", route="gateway"),
        routes={"gpt-4o": "inference", "private": "direct"},
        origin="never",
    )
    client = net.client(edge)
    assert (await ask(client, model="gpt-4o")).text == "hello from fra"
    said = await ask(client, model="private")
    assert (said.text, said.notes.route) == ("hello from origin", "direct")


async def test_an_endpoint_that_does_not_speak_the_api_gets_nothing(net: Net) -> None:
    server = net.endpoints["fra"]
    other = {"anthropic": server.url} if net.sdk == "openai" else {"url": server.v1}
    said = await ask(net.client(net.edge(Endpoint(name="other", **other))))
    assert (said.text, net.seen()) == ("hello from origin", {"origin": 1})


# -- what is none of ours


@pytest.mark.parametrize("sdk", ["openai"])
async def test_unknown_apis_of_openai_go_straight_to_the_origin(net: Net) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    await settled(client.files.create(file=("a.txt", b"abc"), purpose="batch"))
    await settled(client.audio.speech.create(model="tts-1", voice="alloy", input="hi"))
    assert [model.id async for model in each(client.models.list())] == ["m-1", "m-2"]
    assert len([batch async for batch in each(client.batches.list(limit=2))]) == 3
    assert net.seen() == {"origin": 5}
    assert not edge_counts(client).get("miss")


@pytest.mark.parametrize("sdk", ["anthropic"])
async def test_unknown_apis_of_anthropic_go_straight_to_the_origin(net: Net) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    await settled(client.beta.files.upload(file=("a.txt", b"abc", "text/plain")))
    await settled(client.messages.batches.create(requests=[]))
    assert len([model async for model in each(client.models.list())]) == 3
    assert net.seen() == {"origin": 4}


def edge_counts(client: Any) -> dict[str, int]:
    counts: dict[str, int] = client._edge.status().counts
    return counts


async def test_a_redirect_of_the_origin_is_followed_as_ever(net: Net) -> None:
    net.origin.fail(recording.redirect(f"{net.endpoints['bom'].url}/v1/chat/completions/v1/messages", 307))
    net.endpoints["bom"].always = recording.says(b"{}")
    client = net.client(net.edge("fra"), http={"follow_redirects": True})
    await settled(client.post("/x", cast_to=object, body={}))
    assert net.seen() == {"origin": 1, "bom": 1}


async def test_an_absolute_url_of_another_host_is_not_re_routed(net: Net) -> None:
    client = net.client(net.edge("fra"))
    path = "/v1/chat/completions" if net.sdk == "openai" else "/v1/messages"
    answer = await settled(
        client.post(
            net.endpoints["bom"].url + path, cast_to=object, body={"model": "m", "messages": [], "max_tokens": 1}
        )
    )
    assert answer["model"] == "m" and net.seen() == {"bom": 1}


# -- notes


@pytest.mark.parametrize("form", FORMS)
async def test_notes_are_on_answers_of_every_form(net: Net, form: str) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    first, second = await ask(client, form), await ask(client, form)
    assert (first.notes.cache, first.notes.attempts, first.notes.endpoint) == ("miss", 1, "fra")
    assert (second.notes.cache, second.notes.attempts, second.notes.endpoint) == ("hit", 0, "fra")
    assert first.notes.key == second.notes.key != ""
    assert second.notes.age_s >= 0 and second.notes.ttl_s > 0
    assert first.notes.took_ms > 0


@pytest.mark.parametrize("form", ["raw", "streaming"])
async def test_the_headers_say_it_too(net: Net, form: str) -> None:
    net.endpoints["fra"].always = recording.status(503)
    net.endpoints["nyc"].extra_headers = [("server-timing", "cfL4;dur=2"), ("cache-status", "pop; fwd=miss")]
    client = net.client(net.edge("fra", "nyc", cache="exact"))
    miss = (await ask(client, form)).answer.headers
    assert miss["cache-status"].startswith("pop; fwd=miss, edgeclient; fwd=miss")
    failed, answered = miss["proxy-status"].split(", ")
    assert failed.startswith('edgeclient; next-hop="fra"; received-status=503')
    assert answered == 'edgeclient; next-hop="nyc"; received-status=200'
    assert miss["server-timing"].startswith("cfL4;dur=2, edge;dur=")
    hit = (await ask(client, form)).answer.headers
    assert hit["cache-status"].startswith("edgeclient; hit; ttl=") and "proxy-status" not in hit


async def test_notes_of_pages_helpers_and_native_answers(net: Net) -> None:
    client = net.client(net.edge("fra"))
    page = await settled(client.models.list())
    assert (notes(page).route, notes(page).endpoint) == ("direct", "origin")
    if net.sdk == "openai":
        manager = client.chat.completions.stream(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    else:
        manager = client.messages.stream(
            model="claude-test", messages=[{"role": "user", "content": "hi"}], max_tokens=9
        )
    async with ways.entered(manager) as stream:
        assert notes(stream).endpoint == "fra"
        async for _ in each(stream):
            pass
    native = await settled(client.get("/v1/models", cast_to=ways.own_family(net.sdk).Response))
    assert notes(native).endpoint == "origin"


async def test_notes_are_none_for_what_did_not_pass_an_edge(net: Net) -> None:
    assert (await ask(net.client(SDK_ERRORS[net.sdk]))).notes is None
    assert notes("text") is None and notes(None) is None


async def test_the_round_trip_time_is_noted_where_the_kernel_tells(net: Net) -> None:
    said = await ask(net.client(net.edge("fra")))
    assert (said.notes.rtt_ms is not None) is hasattr(socket, "TCP_INFO")


async def test_probes_send_no_request(net: Net) -> None:
    """With probing on, a round runs beside the first call; it only connects."""
    edge = net.edge("fra", "nyc", probe=True)
    await ask(net.client(edge))
    assert [status.state for status in edge.probe()] == ["ready", "ready"]
    assert sum(net.seen().values()) == 1


async def test_events_and_counts_tell_of_every_call(net: Net) -> None:
    net.endpoints["fra"].always = recording.status(500)
    events: list[Any] = []
    edge = net.edge("fra", "nyc", cache="exact", hooks=[events.append])
    client = net.client(edge)
    await ask(client)
    await ask(client)
    assert [event.notes.cache for event in events] == ["miss", "hit"] == [e.notes.cache for e in edge.events()]
    counts = edge.status().counts
    assert (counts["calls"], counts["attempts"], counts["failovers"], counts["stored"]) == (2, 2, 1, 1)


async def test_a_hook_that_raises_costs_nothing(net: Net, caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Any) -> None:
        raise ValueError("a user's mistake")

    edge = net.edge("fra", hooks=[broken])
    assert (await ask(net.client(edge))).text == "hello from fra"
    assert edge.status().mishaps == {"hook": 1}


def test_an_origin_of_these_tests_keeps_bytes(origin: Origin) -> None:
    """The recorder itself: what goes in is what was seen."""
    sent = b"POST /v1/x?q=1 HTTP/1.1\r\nHost: h\r\nX-CaSe: 1\r\nContent-Length: 3\r\n\r\nabc"
    with socket.create_connection(("127.0.0.1", origin.port)) as sock:
        sock.sendall(sent)
        assert sock.recv(15) == b"HTTP/1.1 404 Be"
    (seen,) = origin.take()
    assert seen.raw == sent and seen.headers[1] == ("X-CaSe", "1") and seen.path == "/v1/x"


# -- errors whose body says more than their status


@pytest.mark.parametrize("form", FORMS)
async def test_a_pop_where_the_provider_serves_nobody_is_left_for_another(net: Net, form: str) -> None:
    body = b'{"error":{"code":"unsupported_country_region_territory","message":"not supported"}}'
    net.endpoints["fra"].always = recording.says(body, code=403)
    edge = net.edge("fra", "nyc")
    client = net.client(edge)
    said = await ask(client, form)
    assert said.text == "hello from nyc"
    assert [(a.endpoint, a.outcome) for a in said.notes.tried] == [("fra", "http_request_denied"), ("nyc", "ok")]
    assert (await ask(client, form)).text == "hello from nyc"
    assert net.seen() == {"fra": 1, "nyc": 2}
    assert edge.status().endpoints[0].state == "ready"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
async def test_other_errors_are_the_sdks_own_with_their_body(net: Net, form: str, code: int) -> None:
    net.endpoints["fra"].always = recording.status(code)
    with pytest.raises(SDK_ERRORS[net.sdk].APIStatusError, match="said so") as caught:
        await ask(net.client(net.edge("fra", "nyc")), form)
    assert caught.value.status_code == code and caught.value.response.json()["error"]["code"] == "some_code"
    assert net.seen() == {"fra": 1}


async def test_a_clients_data_residency_is_a_hard_limit(net: Net) -> None:
    """openai 3.50 and later: `data_residency` gives a client another origin, and says where its data may be."""
    if net.sdk != "openai" or "data_residency" not in inspect.signature(openai.OpenAI).parameters:
        return
    net.others["eu.api.openai.com"] = net.origin
    endpoints = [net.endpoint("nyc", region="us"), net.endpoint("fra", region="eu")]
    edge = net.edge(*endpoints, origins=["https://eu.api.openai.com/v1"])
    assert (await ask(net.client(edge, data_residency="eu"))).text == "hello from fra"
    net.endpoints["fra"].always = recording.status(503)
    assert (await ask(net.client(edge, data_residency="eu"))).text == "hello from origin"
    assert net.endpoints["nyc"].seen == []
    unnamed = net.edge(*endpoints)
    assert (await ask(net.client(unnamed, data_residency="eu"))).text == "hello from origin"


@pytest.mark.parametrize("form", FORMS)
async def test_a_call_says_its_route_and_the_word_goes_no_further(net: Net, form: str) -> None:
    edge = net.edge(net.endpoint("fra", route="inference"), net.endpoint("nyc", route="gateway"))
    said = await ask(net.client(edge), form, extra_headers={"Edge-Route": "inference"})
    assert said.text == "hello from fra" and said.notes.route == "inference"
    assert all(name.lower() != "edge-route" for name, _ in net.endpoints["fra"].seen[-1].headers)
    assert (await ask(net.client(edge), form, extra_headers={"Edge-Route": "direct"})).text == "hello from origin"
    assert all(name.lower() != "edge-route" for name, _ in net.origin.seen[-1].headers)
