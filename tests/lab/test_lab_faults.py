"""Each fault looks to the real openai SDK as the table in the lab's facts says, in both modes."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from edgeclient.lab import FAULTS, Lab, LabError

MESSAGES = [{"role": "user", "content": "How far is Frankfurt?"}]
AskOpenAI = Callable[..., openai.OpenAI]


def chat(client: openai.OpenAI) -> object:
    return client.chat.completions.create(model="any", messages=MESSAGES)


def stream(client: openai.OpenAI) -> list[object]:
    return list(client.chat.completions.create(model="any", messages=MESSAGES, stream=True))


# fault, options, what the SDK raises, a word in the chain of causes
RAISES = [
    ("refuse", {}, openai.APIConnectionError, "refused"),
    ("swallow", {}, openai.APITimeoutError, "Timeout"),
    ("reset", {}, openai.APIConnectionError, ""),
    ("5xx", {}, openai.InternalServerError, "503"),
    ("5xx", {"status": 529}, openai.InternalServerError, "529"),
    ("429", {"retry_after": 7}, openai.RateLimitError, "429"),
    ("cut", {"after": 40}, openai.APIConnectionError, "peer closed connection"),
    ("reset", {"after": 40}, openai.APIConnectionError, ""),
    ("hang", {}, openai.APITimeoutError, "ReadTimeout"),
    ("hang", {"after": 40}, openai.APITimeoutError, "ReadTimeout"),
    ("garbage", {}, json.JSONDecodeError, ""),
    ("wrong_length", {}, openai.APIConnectionError, "peer closed connection"),
    ("endless_headers", {}, openai.APIConnectionError, "RemoteProtocolError"),
]


@pytest.mark.parametrize(("name", "options", "error", "word"), RAISES, ids=[f"{r[0]}{r[1] or ''}" for r in RAISES])
@pytest.mark.parametrize("site", ["fra", "origin"])
def test_a_call_to_a_faulty_site_raises_until_cleared(
    lab: Lab, ask_openai: AskOpenAI, site: str, name: str, options: dict[str, int], error: type[Exception], word: str
) -> None:
    timeout = 0.4 if name in ("swallow", "hang") else 20
    url = {**lab.urls, "origin": lab.origin_url}[site]
    lab.fault(site, name, **options)
    with pytest.raises(error) as raised:
        chat(ask_openai(lab, url, timeout))
    assert word in causes(raised.value)
    lab.clear(site)
    assert chat(ask_openai(lab, url))


def causes(error: BaseException | None) -> str:
    words = []
    while error is not None:
        words.append(repr(error))
        error = error.__cause__ or error.__context__
    return " ".join(words)


def test_every_fault_is_tried() -> None:
    elsewhere = {"slow", "throttle", "captive", "tls"}
    assert {row[0] for row in RAISES} | elsewhere == set(FAULTS)


def test_slow_delays_the_answer(lab: Lab, ask_openai: AskOpenAI) -> None:
    lab.fault("fra", "slow", delay_ms=300)
    begun = time.monotonic()
    chat(ask_openai(lab, lab.urls["fra"]))
    assert time.monotonic() - begun >= 0.3


def test_throttle_succeeds_slowly(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    size = len(chat(client).model_dump_json())  # type: ignore[attr-defined]
    lab.fault("fra", "throttle", bytes_per_s=1000)
    begun = time.monotonic()
    assert "Frankfurt" in chat(client).choices[0].message.content  # type: ignore[attr-defined]
    assert time.monotonic() - begun >= size / 1000 * 0.5


def test_a_captive_portal_is_no_error_to_the_sdk(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    lab.fault("fra", "captive")
    answer = chat(client)
    assert isinstance(answer, str)
    assert "sign in" in answer
    assert stream(client) == []


def test_a_garbage_stream_ends_normally_with_nothing(lab: Lab, ask_openai: AskOpenAI) -> None:
    lab.fault("fra", "garbage")
    assert stream(ask_openai(lab, lab.urls["fra"])) == []


@pytest.mark.parametrize("name", ["cut", "reset", "hang"])
def test_a_stream_breaks_off_in_the_middle(lab: Lab, ask_openai: AskOpenAI, name: str) -> None:
    whole = len(stream(ask_openai(lab, lab.urls["fra"])))
    lab.fault("fra", name, after=2000)
    chunks = ask_openai(lab, lab.urls["fra"], 0.4 if name == "hang" else 20).chat.completions.create(
        model="any", messages=MESSAGES, stream=True
    )
    seen: list[object] = []
    with pytest.raises(Exception, match=r"(?i)closed|reset|timed? ?out|peer|connection"):
        drain(chunks, seen)
    assert 0 < len(seen) < whole


def drain(chunks: Iterable[object], seen: list[object]) -> None:
    for chunk in chunks:
        seen.append(chunk)


def test_the_tls_fault_aborts_the_handshake(lab: Lab, ask_openai: AskOpenAI) -> None:
    if lab.ca_file is None:
        with pytest.raises(LabError, match="tls=True"):
            lab.fault("fra", "tls")
        return
    lab.fault("fra", "tls")
    with pytest.raises(openai.APIConnectionError) as raised:
        chat(ask_openai(lab, lab.urls["fra"]))
    assert "ALERT_HANDSHAKE_FAILURE" in causes(raised.value)


def test_refuse_closes_open_connections_too(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    chat(client)
    before = lab.connections()["fra"]
    lab.fault("fra", "refuse")
    with pytest.raises(openai.APIConnectionError):
        chat(client)
    with pytest.raises(ConnectionRefusedError):
        dial(lab, "fra")
    assert lab.connections()["fra"] == before


@pytest.mark.parametrize("options", [{}, {"after": 10}])
def test_reset_is_a_rst(lab: Lab, options: dict[str, int]) -> None:
    if lab.ca_file is not None:
        return  # over TLS a reset may read as an end of stream: nothing to tell apart
    lab.fault("fra", "reset", **options)
    with dial(lab, "fra") as sock:
        sock.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            read_to_the_end(sock)


def read_to_the_end(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def dial(lab: Lab, site: str) -> socket.socket:
    target = urlsplit(lab.urls[site])
    sock = socket.create_connection((target.hostname, target.port), 20)
    context = lab.ssl_context()
    return context.wrap_socket(sock, server_hostname=target.hostname) if isinstance(context, ssl.SSLContext) else sock


def test_an_open_connection_comes_back_when_the_black_hole_heals(lab: Lab) -> None:
    with dial(lab, "fra") as sock:
        lab.fault("fra", "swallow")
        sock.sendall(b"GET /cdn-cgi/trace HTTP/1.1\r\nhost: x\r\n\r\n")
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        lab.clear("fra")
        sock.settimeout(20)
        assert sock.recv(15) == b"HTTP/1.1 200 OK"


def test_every_hits_each_kth_request_only(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    lab.fault("fra", "5xx", every=3)
    get, url = client._client.get, f"{client.base_url}models"
    statuses = [get(url, headers={"x-api-key": "x"}).status_code for _ in range(6)]
    assert statuses == [200, 200, 503, 200, 200, 503]


def test_a_pop_does_not_repeat_a_post_that_the_origin_reset(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    chat(client)
    before = lab.requests()["origin"]
    lab.fault("origin", "reset")
    with pytest.raises(openai.InternalServerError, match="502"):
        chat(client)
    assert lab.requests()["origin"] == before + 1


def test_probes_can_be_spared(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    trace = f"{lab.anthropic_urls['fra']}/cdn-cgi/trace"
    lab.fault("fra", "5xx")
    assert client._client.get(trace).status_code == 503
    lab.fault("fra", "5xx", spare_probes=True)
    assert client._client.get(trace).status_code == 200
    with pytest.raises(openai.InternalServerError):
        chat(client)


def test_retry_after_and_the_pops_name_come_with_an_error(lab: Lab, ask_openai: AskOpenAI) -> None:
    lab.fault("fra", "429", retry_after=7)
    with pytest.raises(openai.RateLimitError) as raised:
        chat(ask_openai(lab, lab.urls["fra"]))
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.response.headers["cf-ray"].endswith("-FRA")


def test_anthropic_errors_have_the_shape_of_anthropic(
    lab: Lab, ask_anthropic: Callable[..., anthropic.Anthropic]
) -> None:
    lab.fault("fra", "5xx", status=529)
    with pytest.raises(anthropic.APIStatusError) as raised:
        ask_anthropic(lab, lab.anthropic_urls["fra"]).messages.create(model="any", max_tokens=9, messages=MESSAGES)
    assert raised.value.body["error"]["type"] == "overloaded_error"  # type: ignore[index]


def test_a_pop_without_its_origin_answers_502(lab: Lab, ask_openai: AskOpenAI) -> None:
    client = ask_openai(lab, lab.urls["fra"])
    chat(client)
    lab.fault("origin", "refuse")
    with pytest.raises(openai.InternalServerError) as raised:
        chat(client)
    assert raised.value.status_code == 502
    assert raised.value.response.headers["cf-ray"].endswith("-FRA")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("5xxx", {}, "there is no fault '5xxx'; known: refuse, swallow"),
        ("refuse", {"every": 2}, "no option 'every'"),
        ("5xx", {"statut": 500}, "its options: every, retry_after, spare_probes, status"),
        ("5xx", {"status": 404}, "status must be at least 500"),
        ("cut", {"after": -1}, "after must be at least 0"),
        ("slow", {"every": 0}, "every must be at least 1"),
        ("slow", {"delay_ms": "1"}, "delay_ms must be a number"),
        ("slow", {"every": 1.5}, "every must be a whole number"),
    ],
)
def test_a_wrong_fault_says_what_would_be_right(lab: Lab, name: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(LabError, match=message):
        lab.fault("fra", name, **options)


def test_an_unknown_site_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match="no site 'lax'; known: fra, nyc, origin"):
        lab.fault("lax", "hang")
