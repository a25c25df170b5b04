"""The lab's model answers as both real SDKs expect, through a PoP and straight, plain and streamed."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from edgeclient.lab import Lab

MESSAGES = [{"role": "user", "content": "How far is Frankfurt?"}]


@pytest.fixture(params=["fra", "origin"])
def site(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(lab: Lab, site: str, ask_openai: Callable[..., openai.OpenAI]) -> openai.OpenAI:
    return ask_openai(lab, {**lab.urls, "origin": lab.origin_url}[site])


@pytest.fixture
def claude(lab: Lab, site: str, ask_anthropic: Callable[..., anthropic.Anthropic]) -> anthropic.Anthropic:
    return ask_anthropic(lab, {**lab.anthropic_urls, "origin": lab.origin_anthropic_url}[site])


def test_a_chat_stream_has_the_text_of_the_plain_answer(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(model="any", messages=MESSAGES)
    text = plain.choices[0].message.content
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="any", messages=MESSAGES, stream=True, stream_options=options))
    assert "How far is Frankfurt?" in text
    assert 20 <= len(text.split()) <= 40
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage


def test_chat_honours_n_and_max_tokens(client: openai.OpenAI) -> None:
    plain = client.chat.completions.create(model="any", messages=MESSAGES, n=3, max_tokens=5)
    texts = [choice.message.content for choice in plain.choices]
    streamed = ["", "", ""]
    for chunk in client.chat.completions.create(model="any", messages=MESSAGES, n=3, max_tokens=5, stream=True):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert [len(text.split()) for text in texts] == [5, 5, 5]
    assert [choice.finish_reason for choice in plain.choices] == ["length"] * 3
    assert streamed == texts


def test_a_responses_stream_has_the_text_of_the_plain_answer(client: openai.OpenAI) -> None:
    plain = client.responses.create(model="any", input="How far is Frankfurt?")
    events = list(client.responses.create(model="any", input="How far is Frankfurt?", stream=True))
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert plain.status == "completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == plain.output_text
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert events[-1].response.output_text == plain.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_sdks_own_stream_accumulators_accept_the_events(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with client.responses.stream(model="any", input="How far is Frankfurt?") as stream:
        final = stream.get_final_response()
    with client.chat.completions.stream(model="any", messages=MESSAGES) as chat:
        completion = chat.get_final_completion()
    with claude.messages.stream(model="any", max_tokens=100, messages=MESSAGES) as messages:
        message = messages.get_final_message()
    assert final.output_text == completion.choices[0].message.content == message.content[0].text != ""


def test_an_anthropic_stream_has_the_text_of_the_plain_answer(claude: anthropic.Anthropic) -> None:
    plain = claude.messages.create(model="any", max_tokens=100, messages=MESSAGES)
    events = list(claude.messages.create(model="any", max_tokens=100, messages=MESSAGES, stream=True))
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == plain.content[0].text
    assert [event.type for event in events if event.type != "content_block_delta"] == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[-2].usage.output_tokens == plain.usage.output_tokens
    assert claude.messages.count_tokens(model="any", messages=MESSAGES).input_tokens == plain.usage.input_tokens


def test_embeddings_agree_as_floats_and_base64(client: openai.OpenAI) -> None:
    inputs = ["near the sea", "near the sea", "a mountain"]
    floats = client.embeddings.create(model="any", input=inputs, encoding_format="float").data
    decoded = client.embeddings.create(model="any", input=inputs).data  # the SDK asks for base64 by itself
    assert floats[0].embedding == floats[1].embedding != floats[2].embedding
    assert decoded[2].embedding == pytest.approx(floats[2].embedding, abs=1e-6)
    assert sum(value * value for value in floats[2].embedding) == pytest.approx(1.0)
    assert len(client.embeddings.create(model="any", input="x", dimensions=32).data[0].embedding) == 32


def test_models_are_listed_for_both_apis(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    assert {model.id for model in client.models.list()} == {model.id for model in claude.models.list()} != set()


def test_bad_requests_get_the_error_of_their_api(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    with pytest.raises(openai.BadRequestError) as openai_error:
        client.chat.completions.create(model="any", messages=[])
    with pytest.raises(anthropic.BadRequestError) as anthropic_error:
        claude.post("/v1/messages", body={"model": "any", "messages": MESSAGES}, cast_to=object)
    with pytest.raises(openai.NotFoundError):
        client.post("/nowhere", body={}, cast_to=object)
    assert openai_error.value.param == "messages"
    assert "max_tokens" in str(anthropic_error.value)


def test_a_head_request_has_no_body_and_keeps_the_connection(lab: Lab, site: str, client: openai.OpenAI) -> None:
    http_client, before = client._client, lab.connections()[site]
    for _ in range(2):
        answer = http_client.head(f"{client.base_url}models", headers={"authorization": "Bearer x"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
    assert http_client.get(f"{client.base_url}models", headers={"authorization": "Bearer x"}).json()["data"]
    assert lab.connections()[site] == before + 1


def test_a_key_is_asked_for_and_json_too(client: openai.OpenAI) -> None:
    url = f"{client.base_url}chat/completions"
    http_client = client._client
    assert http_client.post(url, json={}).status_code == 401
    broken = http_client.post(url, content=b"{", headers={"authorization": "Bearer x"})
    assert broken.status_code == 400
    assert broken.json()["error"]["type"] == "invalid_request_error"


def test_answers_carry_request_ids_and_the_pops_name(
    lab: Lab, site: str, client: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    chat = client.chat.completions.with_raw_response.create(model="any", messages=MESSAGES)
    message = claude.messages.with_raw_response.create(model="any", max_tokens=9, messages=MESSAGES)
    assert chat.headers["x-request-id"].startswith("req_")
    assert message.headers["request-id"].startswith("req_")
    ray = chat.headers.get("cf-ray", "")
    assert (ray[16:] == "-FRA" and int(ray[:16], 16) > 0) if site == "fra" else not ray


def test_async_clients_stream_through_a_pop(lab: Lab) -> None:
    async def run() -> tuple[str, str]:
        verify = lab.ssl_context() or False
        http_client = openai.DefaultAsyncHttpxClient(verify=verify, trust_env=False)
        async with openai.AsyncOpenAI(base_url=lab.urls["nyc"], api_key="any", http_client=http_client) as client:
            plain = await client.chat.completions.create(model="any", messages=MESSAGES)
            stream = await client.chat.completions.create(model="any", messages=MESSAGES, stream=True)
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        return plain.choices[0].message.content, text

    plain, streamed = asyncio.run(run())
    assert plain == streamed != ""


def test_requests_are_recorded_as_sent(lab: Lab) -> None:
    body = json.dumps({"model": "any", "messages": MESSAGES}).encode()
    host, port = urlsplit(lab.urls["fra"]).hostname, urlsplit(lab.urls["fra"]).port
    lines = [
        "POST /v1/chat/completions?a=1 HTTP/1.1",
        f"Host: {host}",
        "X-Zulu: 1",
        "aUthorization: Bearer x",
        "X-Alpha: 2",
        "Connection: close",
        "Transfer-Encoding: chunked",
    ]
    head = "\r\n".join([*lines, "", ""]).encode()
    with open_socket(lab, str(host), int(port or 0)) as sock:
        sock.sendall(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
    at_pop, at_origin = lab.recorded("fra")[-1], lab.recorded("origin")[-1]
    assert at_pop["headers"] == [line.split(": ") for line in lines[1:]]
    assert at_origin["headers"] == [*(line.split(": ") for line in lines[1:5]), ["content-length", str(len(body))]]
    assert at_origin["path"] == "/v1/chat/completions?a=1"
    assert at_origin["body"] == at_pop["body"] == body.decode()


def open_socket(lab: Lab, host: str, port: int) -> socket.socket:
    sock = socket.create_connection((host, port), 20)
    context = lab.ssl_context()
    return context.wrap_socket(sock, server_hostname=host) if isinstance(context, ssl.SSLContext) else sock


def test_requests_and_probes_are_counted_apart(lab: Lab, client: openai.OpenAI, site: str) -> None:
    requests, probes = lab.requests(), lab.probes()
    client.chat.completions.create(model="any", messages=MESSAGES)
    client.models.list()
    seen = {name: (lab.requests()[name] - requests[name], lab.probes()[name] - probes[name]) for name in requests}
    assert seen == {"fra": (1, 1) if site == "fra" else (0, 0), "nyc": (0, 0), "origin": (1, 1)}


def test_a_pop_answers_its_trace_itself(lab: Lab, ask_openai: Callable[..., openai.OpenAI]) -> None:
    before = lab.probes()
    trace = ask_openai(lab, lab.urls["nyc"])._client.get(f"{lab.anthropic_urls['nyc']}/cdn-cgi/trace")
    after = lab.probes()
    assert "colo=NYC" in trace.text.splitlines()
    assert trace.headers["cf-ray"].endswith("-NYC")
    assert (after["nyc"] - before["nyc"], after["origin"] - before["origin"]) == (1, 0)
