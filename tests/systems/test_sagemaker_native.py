"""SageMaker's native path beyond what all systems have: signatures, AWS's framing, and how its streams break off.

The emulator checks signatures and makes frames without botocore, and AWS's own client is held against it here. moto is no
help: its sagemaker-runtime (5.2) has no response streams, checks no signature, and answers with what it was told before.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import openai
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeclient
from edgeclient.aws_streams import Unframed
from edgeclient.lab.systems.aws_native import frame, part
from edgeclient.lab.systems.sagemaker_native import SageMakerNative
from edgeclient.lab.systems.serving import Serving

from .asking import HELLO, ask
from .conftest import client_of, settled

pytestmark = pytest.mark.anyio

NATIVE = "sagemaker:eu-central-1/llama?path=native"


@pytest.fixture
def serving(credentials: None) -> Iterator[Serving]:
    with Serving(SageMakerNative("secret")) as running:
        yield running


def _edge(serving: Serving, **more: Any) -> edgeclient.Edge:
    preset = f"{NATIVE}&host={serving.url}"
    return edgeclient.Edge(**{"endpoints": [preset], "origin": "never", "probe": False, **more})


async def _read(client: Any) -> list[Any]:
    stream = await settled(client.chat.completions.create(model="llama", messages=HELLO, stream=True))
    return [c async for c in stream] if hasattr(stream, "__aiter__") else list(stream)


# -- the emulator against AWS's own client


def _aws(serving: Serving, secret: str = "secret") -> Any:
    return botocore.session.Session().create_client(
        "sagemaker-runtime",
        region_name="eu-central-1",
        endpoint_url=serving.url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
    )


@pytest.fixture
def plain(serving: Serving) -> Serving:
    """Knows the headers of AWS's own client besides."""
    serving.emulator.knows |= {"amz-sdk-invocation-id", "amz-sdk-request"}
    return serving


def test_awss_own_client_is_understood_by_the_emulator_and_understands_it(plain: Serving) -> None:
    client, body = _aws(plain), {"messages": HELLO}
    whole = client.invoke_endpoint(EndpointName="llama", ContentType="application/json", Body=json.dumps(body))
    assert json.loads(whole["Body"].read())["choices"][0]["message"]["content"]
    answer = client.invoke_endpoint_with_response_stream(
        EndpointName="llama", ContentType="application/json", Body=json.dumps({**body, "stream": True})
    )
    streamed = b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])
    assert streamed.startswith(b"data: {") and streamed.endswith(b"data: [DONE]\n\n")
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        _aws(plain, "another").invoke_endpoint(EndpointName="llama", ContentType="application/json", Body="{}")


# -- signatures


async def test_temporary_credentials_are_signed_too(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, colour: str
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session")
    async with client_of(_edge(serving), "chat", colour) as client:
        await ask(client, "chat", "llama")
    (heard,) = serving.emulator.seen
    assert heard.headers["x-amz-security-token"] == "the-session"
    assert "x-amz-security-token" in heard.headers["authorization"]
    assert "the-callers-own-key" not in str(heard.headers)


async def test_a_wrong_secret_is_the_callers_to_see(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    async with client_of(_edge(serving), "chat", "sync") as client:
        with pytest.raises(openai.PermissionDeniedError, match="InvalidSignatureException") as caught:
            await ask(client, "chat", "llama")
    assert caught.value.type == "InvalidSignatureException" and caught.value.response.elapsed.total_seconds() >= 0


# -- settings


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"url": NATIVE, "key": "env:MINE"}, "no key goes to .*its requests are signed; remove key"),
        ("sagemaker:eu-central-1/llama?path=nativ", "path is 'nativ'; give 'openai' or 'native'"),
        ("sagemaker:eu-central-1/llama?variant=blue", "variant is for the native path; say path=native"),
    ],
)
def test_what_cannot_be_meant_is_refused(credentials: None, said: Any, why: str) -> None:
    with pytest.raises(edgeclient.SettingsError, match=why):
        edgeclient.Edge(endpoints=[said], probe=False)


def test_without_botocore_the_edge_says_what_to_install(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("botocore"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(edgeclient.SettingsError, match=r"pip install 'edgeclient\[aws\]'"):
        edgeclient.Edge(endpoints=[NATIVE], probe=False)
    edgeclient.Edge(endpoints=["sagemaker:eu-central-1/llama"], probe=False)  # the other path needs none


def test_without_credentials_the_edge_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(edgeclient.SettingsError, match="botocore found none; set AWS_ACCESS_KEY_ID"):
        edgeclient.Edge(endpoints=[NATIVE], probe=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    with pytest.raises(edgeclient.SettingsError, match="Partial credentials"):
        edgeclient.Edge(endpoints=[NATIVE], probe=False)


async def test_a_body_beyond_the_limit_is_not_sent(serving: Serving) -> None:
    long = [{"role": "user", "content": "x" * 6_291_456}]
    async with client_of(_edge(serving), "chat", "sync") as client:
        with pytest.raises(edgeclient.RouteError, match="it takes 6291456 bytes at the most"):
            client.chat.completions.create(model="llama", messages=long)
    assert not serving.emulator.seen


# -- streams


@pytest.mark.parametrize("form", ["events", "lines"])
async def test_a_stream_is_kept_and_told_again(serving: Serving, colour: str, form: str) -> None:
    serving.emulator.streams = form
    edge = _edge(serving, cache="exact")
    async with client_of(edge, "chat", colour) as client:
        first, again = await _read(client), await _read(client)
    texts = ["".join(c.choices[0].delta.content or "" for c in each if c.choices) for each in (first, again)]
    assert texts[0] and texts[0] == texts[1]
    assert len(serving.emulator.seen) == 1 and [e.notes.cache for e in edge.events()] == ["miss", "hit"]


async def test_a_stream_that_the_model_breaks_off_fails_as_openai_says_it(serving: Serving, colour: str) -> None:
    serving.emulator.ends = "failed"
    edge = _edge(serving, cache="exact")
    async with client_of(edge, "chat", colour) as client:
        with pytest.raises(openai.APIError, match="the model went away") as caught:
            await _read(client)
    assert caught.value.code == "StreamBroken" and caught.value.type == "ModelStreamError"
    assert edge.status().endpoints[0].state != "ready" or edge.status().endpoints[0].failures


@pytest.mark.parametrize(("how", "why"), [("cut", "ended within a frame"), ("whole", "a whole completion")])
async def test_a_stream_that_is_none_fails_as_a_broken_connection(
    serving: Serving, colour: str, how: str, why: str
) -> None:
    if how == "cut":
        serving.emulator.ends = how
    else:
        serving.emulator.streams = how
    async with client_of(_edge(serving), "chat", colour) as client:
        with pytest.raises(Exception) as caught:  # today's SDK wraps what the HTTP library raises
            await _read(client)
    error = caught.value.__cause__ or caught.value if isinstance(caught.value, openai.OpenAIError) else caught.value
    assert type(error).__name__ == "RemoteProtocolError" and why in str(error)


async def test_an_http_client_gets_events(serving: Serving) -> None:
    """Above a transport nobody asked for a stream: the body is read before it is handed over."""
    body = {"model": "llama", "messages": HELLO, "stream": True}
    with _edge(serving).http_client() as client:
        answer = client.post("https://api.openai.com/v1/chat/completions", json=body)
    assert answer.headers["content-type"] == "text/event-stream" and answer.text.endswith("data: [DONE]\n\n")


async def test_a_broken_stream_fails_an_http_client_as_a_broken_connection(serving: Serving) -> None:
    serving.emulator.ends = "cut"
    body = {"model": "llama", "messages": HELLO, "stream": True}
    with _edge(serving).http_client() as client, pytest.raises(Exception, match="ended within a frame") as caught:
        client.post("https://api.openai.com/v1/chat/completions", json=body)
    assert type(caught.value).__name__ == "RemoteProtocolError"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 60), min_size=1), st.integers(1, 40))
def test_it_does_not_matter_where_a_stream_is_cut(cuts: list[int], size: int) -> None:
    said = b'data: {"a": "\xc3\xa9"}\n\ndata: [DONE]\n\n'
    stream = b"".join(part(said[at : at + size]) for at in range(0, len(said), size))
    unframed, read, at = Unframed(), b"", 0
    while at < len(stream):
        cut = cuts[at % len(cuts)]
        read += unframed.feed(stream[at : at + cut])
        at += cut
    assert read + unframed.end() == said


def test_what_is_no_event_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="broken"):
        Unframed().feed(b"data: {}\n\n" * 4)
    flipped = bytearray(part(b"data: {}\n\n"))
    flipped[-6] ^= 1
    with pytest.raises(ValueError, match="broken"):
        Unframed().feed(bytes(flipped))


def test_frames_of_other_kinds() -> None:
    unframed = Unframed()
    assert unframed.feed(frame({":message-type": "event", ":event-type": "Other"}, b"x")) == b""
    said = unframed.feed(frame({":message-type": "error", ":error-code": "E", ":error-message": "no"}, b""))
    assert json.loads(said.strip().removeprefix(b"data: ")) == {"error": {"message": "no", "type": "E", "code": "E"}}
