"""What a PoP of one's own promises, asked through the real SDKs of each project in its vendor's runtime."""

from __future__ import annotations

import itertools
import json
import re
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
import rigs
from rigs import KEYS, TOKENS, Pop

import edgeclient
from edgeclient import Edge, Endpoint
from edgeclient.lab import Lab

BROKEN = (openai.APIError, httpx.TransportError, httpx2.TransportError)  # SDKs differ in how they say it
_questions = itertools.count()


def fresh() -> str:
    """A question that no test has asked before."""
    return f"What is {next(_questions)} plus one?"


def ask(question: str) -> dict[str, Any]:
    return {"model": "lab-large", "messages": [{"role": "user", "content": question}]}


@pytest.fixture
def client(pop: Pop) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{pop.url}/v1", api_key=TOKENS["mobile"], max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture
def claude(pop: Pop) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=pop.url, api_key=TOKENS["mobile"], max_retries=0, timeout=20) as made:
        yield made


@pytest.fixture
def asked(lab: Lab) -> Any:
    """How many model calls the origin has had since the test began."""
    before = lab.requests()["origin"]
    return lambda: lab.requests()["origin"] - before


def chat(client: openai.OpenAI, question: str, **more: Any) -> Any:
    return client.chat.completions.with_raw_response.create(**ask(question), **more)


# -- calls pass


def test_chat(client: openai.OpenAI, asked: Any) -> None:
    answer = client.chat.completions.create(**ask(fresh()))
    assert answer.choices[0].message.content and asked() == 1


def test_messages(claude: anthropic.Anthropic, asked: Any) -> None:
    answer = claude.messages.create(**ask(fresh()), max_tokens=50)
    assert answer.content[0].type == "text" and answer.content[0].text and asked() == 1


def test_streams(client: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    chunks = list(client.chat.completions.create(**ask(fresh()), stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    with claude.messages.stream(**ask(fresh()), max_tokens=50) as stream:
        assert stream.get_final_text()


def test_embeddings_and_models(client: openai.OpenAI) -> None:
    assert client.embeddings.create(model="lab-small", input=[fresh()]).data[0].embedding
    assert client.models.list().data


def test_a_stream_keeps_its_pace(client: openai.OpenAI, lab: Lab) -> None:
    """The origin stops for ever in the middle of its answer, and the first chunks are here all the same."""
    lab.fault("origin", "hang", after=500)
    with client.chat.completions.create(**ask(fresh()), stream=True) as stream:
        assert next(iter(stream)).id


def test_the_providers_errors_pass(client: openai.OpenAI, claude: anthropic.Anthropic, asked: Any) -> None:
    for _ in range(2):  # and are not kept
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="lab-large", messages=[])
        with pytest.raises(anthropic.BadRequestError):
            claude.messages.create(model="lab-large", messages=[], max_tokens=50)
    assert asked() == 4


# -- who may ask, and with which key the provider is asked


@pytest.mark.parametrize(
    "token", ["wrong", TOKENS["mobile"].upper(), TOKENS["mobile"] + "x", TOKENS["mobile"][:-1], "."]
)
def test_a_wrong_token_is_refused_at_the_pop(pop: Pop, token: str, asked: Any, lab: Lab) -> None:
    probes = lab.probes()["origin"]
    with openai.OpenAI(base_url=f"{pop.url}/v1", api_key=token, max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError, match="does not know your token") as refused:
            stranger.chat.completions.create(**ask(fresh()))
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
    with (
        anthropic.Anthropic(base_url=pop.url, api_key=token, max_retries=0) as stranger_too,
        pytest.raises(anthropic.AuthenticationError, match="does not know your token"),
    ):
        stranger_too.messages.create(**ask(fresh()), max_tokens=50)
    assert refused.value.response.headers["www-authenticate"].startswith("Bearer")
    assert asked() == 0 and lab.probes()["origin"] == probes


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("authorization", "Bearer {}", 200),
        ("authorization", "bearer  {}", 200),
        ("x-api-key", "{}", 200),
        ("authorization", "{}", 401),
        ("authorization", "Basic {}", 401),
        ("authorization", "Bearer {} x", 401),
        ("authorization", "Bearer x{}", 401),
        ("x-api-key", "Bearer {}", 401),
        ("x-api-key", "x{}", 401),
        ("x-other", "{}", 401),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_where_a_token_may_stand(pop: Pop, path: str, header: str, value: str, status: int) -> None:
    """SDKs differ, also from version to version: Anthropic's have put the key into either header."""
    body = {**ask(fresh()), "max_tokens": 50}
    for token, expected in ((TOKENS["web"], status), (TOKENS["web"].upper(), 401)):
        answer = httpx.post(f"{pop.url}{path}", headers={header: value.format(token)}, json=body)
        assert answer.status_code == expected
        assert expected == 200 or ("type" in answer.json()) is (
            path == "/v1/messages"
        )  # each API's own form of an error


def test_the_provider_sees_its_key_and_nothing_of_the_client(
    client: openai.OpenAI, claude: anthropic.Anthropic, lab: Lab
) -> None:
    account = {"OpenAI-Organization": "org-of-the-client", "OpenAI-Project": "proj", "Cookie": "a=b"}
    client.chat.completions.create(**ask(fresh()), extra_headers=account)
    claude.messages.create(**ask(fresh()), max_tokens=50)
    to_openai, to_anthropic = lab.recorded("origin")[-2:]
    assert _headers(to_openai)["authorization"] == f"Bearer {KEYS['OPENAI_API_KEY']}"
    assert "x-api-key" not in _headers(to_openai)
    assert KEYS["ANTHROPIC_API_KEY"] in str(to_anthropic) and KEYS["OPENAI_API_KEY"] not in str(to_anthropic)
    said = str([to_openai["headers"], to_anthropic["headers"]])
    assert TOKENS["mobile"] not in said and "of-the-client" not in said and "a=b" not in said


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_anthropics_key_goes_where_the_token_was(pop: Pop, lab: Lab, header: str) -> None:
    """Anthropic takes it in either header, and its SDKs have used both."""
    bearer = "Bearer " if header == "authorization" else ""
    sent = {header: f"{bearer}{TOKENS['web']}", "anthropic-version": "2023-06-01"}
    body = {**ask(fresh()), "max_tokens": 50}
    assert httpx.post(f"{pop.url}/v1/messages", headers=sent, json=body).status_code == 200
    got = _headers(lab.recorded("origin")[-1])
    assert got[header] == bearer + KEYS["ANTHROPIC_API_KEY"]
    assert len({"authorization", "x-api-key"} & set(got)) == 1
    assert httpx.post(f"{pop.url}/v1/chat/completions", headers={header: sent[header]}, json=body).status_code == 200
    got = _headers(lab.recorded("origin")[-1])
    assert got["authorization"] == f"Bearer {KEYS['OPENAI_API_KEY']}" and "x-api-key" not in got


def _headers(recorded: dict[str, Any]) -> dict[str, str]:
    return {name.lower(): value for name, value in recorded["headers"]}


def test_other_paths_are_not_there(client: openai.OpenAI, lab: Lab) -> None:
    probes = lab.probes()["origin"]
    with pytest.raises(openai.NotFoundError):
        client.get("/../admin", cast_to=object)
    assert lab.probes()["origin"] == probes


# -- the cache


@pytest.mark.promises("caches")
def test_a_miss_then_a_hit(pop: Pop, client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    first, second = chat(client, question), chat(client, question)
    assert first.headers["cache-status"].startswith("edge-pop; fwd=miss; stored")
    assert second.headers["cache-status"].startswith("edge-pop; hit")
    assert first.parse() == second.parse() and first.content == second.content
    assert asked() == 1


@pytest.mark.promises("caches")
def test_messages_are_kept_too(pop: Pop, claude: anthropic.Anthropic, asked: Any) -> None:
    question = fresh()
    answers = [claude.messages.create(**ask(question), max_tokens=50) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2] and asked() == 1


@pytest.mark.parametrize("how", ["no-cache", "max-age=0", "No-Cache"])
@pytest.mark.promises("caches")
def test_no_cache_asks_anew_and_keeps_the_new_answer(pop: Pop, client: openai.OpenAI, asked: Any, how: str) -> None:
    question = fresh()
    chat(client, question)
    anew = chat(client, question, extra_headers={"Cache-Control": how})
    then = chat(client, question)
    assert asked() == 2 and "hit" not in anew.headers["cache-status"]
    assert then.parse().id == anew.parse().id and then.headers["cache-status"].startswith("edge-pop; hit")


@pytest.mark.promises("caches")
def test_no_store_neither_takes_nor_keeps(pop: Pop, client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    never = {"Cache-Control": "no-store"}
    chat(client, question, extra_headers=never)
    kept = chat(client, question)
    again = chat(client, question, extra_headers=never)
    assert asked() == 3 and "stored" not in again.headers["cache-status"]
    assert chat(client, question).parse().id == kept.parse().id and asked() == 3


@pytest.mark.promises("tells_age")
def test_max_age_takes_an_answer_that_is_young_enough(client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    chat(client, question)
    hit = chat(client, question, extra_headers={"Cache-Control": "max-age=60"})
    assert 0 <= int(hit.headers["age"]) <= 60 and asked() == 1


@pytest.mark.promises("caches")
def test_a_generous_max_age_is_a_hit(pop: Pop, client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    chat(client, question)
    chat(client, question, extra_headers={"Cache-Control": "max-age=100000"})
    assert asked() == 1


def test_another_token_never_gets_the_answer(pop: Pop, client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    first = chat(client, question)
    with openai.OpenAI(base_url=f"{pop.url}/v1", api_key=TOKENS["web"], max_retries=0) as other:
        second = chat(other, question)
        assert "hit" not in second.headers["cache-status"] and second.parse().id != first.parse().id
    assert asked() == 2


def test_what_changes_the_answer_is_in_the_key(
    pop: Pop, client: openai.OpenAI, claude: anthropic.Anthropic, asked: Any
) -> None:
    question = fresh()
    chat(client, question)
    chat(client, question, temperature=0.5)
    chat(client, question, extra_query={"a": "b"})
    chat(client, question, extra_headers={"OpenAI-Beta": "x"})
    claude.messages.create(**ask(question), max_tokens=50)
    claude.messages.create(**ask(question), max_tokens=50, extra_headers={"anthropic-beta": "x"})
    assert asked() == 6


def test_a_call_that_the_provider_files_is_not_kept(client: openai.OpenAI, asked: Any) -> None:
    question = fresh()
    answers = [chat(client, question, store=True) for _ in range(2)]
    assert asked() == 2 and "stored" not in answers[1].headers["cache-status"]


def test_a_long_question_is_kept_apart_from_one_with_the_same_beginning(client: openai.OpenAI, asked: Any) -> None:
    """Longer than the buffers that servers have by default: a key over part of the body would mix them up."""
    begin = fresh() + " word" * 8_000
    one, other = chat(client, f"{begin} one"), chat(client, f"{begin} other")
    assert asked() == 2 and one.parse().id != other.parse().id


@pytest.mark.promises("keeps_streams")
def test_a_complete_stream_is_kept(pop: Pop, client: openai.OpenAI, claude: anthropic.Anthropic, asked: Any) -> None:
    question = fresh()
    first, second = (list(client.chat.completions.create(**ask(question), stream=True)) for _ in range(2))
    assert [c.model_dump() for c in first] == [c.model_dump() for c in second] and asked() == 1
    for _ in range(2):
        with claude.messages.stream(**ask(question), max_tokens=50) as stream:
            assert stream.get_final_text()
    assert asked() == 2


def test_a_stream_that_was_cut_is_not_kept(client: openai.OpenAI, lab: Lab, asked: Any) -> None:
    question = fresh()
    lab.fault("origin", "cut", after=500)
    with pytest.raises(BROKEN):
        list(client.chat.completions.create(**ask(question), stream=True))
    lab.clear("origin")
    assert list(client.chat.completions.create(**ask(question), stream=True))
    assert asked() == 2


def test_an_answer_that_was_cut_is_not_kept(client: openai.OpenAI, lab: Lab, asked: Any) -> None:
    question = fresh()
    lab.fault("origin", "cut", after=100)
    with pytest.raises(openai.APIError):
        chat(client, question).parse()
    lab.clear("origin")
    assert chat(client, question).parse().id
    assert asked() == 2


@pytest.mark.parametrize("name", list(rigs.RIGS))
def test_a_page_instead_of_an_answer_is_not_kept(name: str, tmp_path: Path) -> None:
    """A sign-in page, say, with status 200."""
    said = {"content-type": "text/html"}
    with rigs.speaking(b"<html>sign in</html>", said) as (url, heard), rigs.run(name, tmp_path, url) as running:
        sent = {"authorization": f"Bearer {TOKENS['web']}"}
        for _ in range(2):
            answer = httpx.post(f"{running.url}/v1/chat/completions", json=ask("x"), headers=sent)
            assert answer.status_code == 200 and "stored" not in answer.headers["cache-status"]
    assert len(heard) == 2


@pytest.mark.parametrize("name", list(rigs.RIGS))
def test_a_stream_of_known_length_keeps_its_pace_too(name: str, tmp_path: Path) -> None:
    """The origin sends its second half when the first has arrived."""
    gate = threading.Event()
    events = b'data: {"n":1}\n\n' + b"data: [DONE]\n\n"
    with (
        rigs.speaking(events, gate=gate) as (url, _),
        rigs.run(name, tmp_path, url) as running,
        httpx.stream(
            "POST",
            f"{running.url}/v1/chat/completions",
            json={**ask("x"), "stream": True},
            headers={"authorization": f"Bearer {TOKENS['web']}"},
            timeout=20,
        ) as answer,
    ):
        pieces = answer.iter_raw()
        first = next(pieces)
        gate.set()
        assert first + b"".join(pieces) == events and len(first) < len(events)


def test_an_error_is_not_kept(client: openai.OpenAI, lab: Lab, asked: Any) -> None:
    question = fresh()
    lab.fault("origin", "5xx")
    with pytest.raises(openai.InternalServerError) as failed:
        chat(client, question)
    assert "stored" not in failed.value.response.headers["cache-status"]
    lab.clear("origin")
    assert chat(client, question).parse().id


# -- what a PoP says of itself


def test_an_origin_that_is_gone_is_a_502(client: openai.OpenAI, lab: Lab) -> None:
    lab.fault("origin", "refuse")
    with pytest.raises(openai.InternalServerError) as failed:
        chat(client, fresh())
    assert failed.value.status_code in (502, 504)


def test_health_needs_no_token_and_no_origin(pop: Pop, lab: Lab) -> None:
    probes = lab.probes()["origin"]
    with urllib.request.urlopen(f"{pop.url}/healthz", timeout=10) as response:
        assert json.load(response) == {"status": "ok"}
    assert lab.probes()["origin"] == probes


def test_answers_say_where_and_how_long(pop: Pop, client: openai.OpenAI) -> None:
    question = fresh()
    for _ in range(2):
        headers = chat(client, question).headers
        assert pop.code in (headers.get("edge-pop"), headers.get("x-amz-cf-pop"))
        assert re.search(r"\w+;dur=[\d.]+", headers["server-timing"])


@pytest.mark.parametrize("name", list(rigs.RIGS))
def test_what_the_providers_network_says_is_not_passed_on(name: str, tmp_path: Path) -> None:
    """`cf-ray` would even name a PoP that this is not; and a kept answer would repeat the rate limits of another time."""
    of_the_moment = {"cf-ray": "230b030023ae2822-SJC", "set-cookie": "a=b", "x-ratelimit-remaining-requests": "1"}
    said = {"content-type": "application/json", "x-request-id": "r", **of_the_moment}
    with rigs.speaking(b'{"id":"1"}', said) as (url, heard), rigs.run(name, tmp_path, url) as running:
        sent = {"authorization": f"Bearer {TOKENS['web']}"}
        where, question = f"{running.url}/v1/chat/completions", {"model": "m", "messages": []}
        answers = [httpx.post(where, json=question, headers=sent).headers for _ in range(2)]
    assert not [answer for answer in answers if "SJC" in answer.get("cf-ray", "") or "set-cookie" in answer]
    assert all(answer["x-request-id"] == "r" for answer in answers)
    assert len(heard) == (1 if running.caches else 2)
    assert not running.caches or "x-ratelimit-remaining-requests" not in answers[1]


# -- edgeclient knows it


def test_our_client_understands_it(pop: Pop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_TOKEN", TOKENS["web"])
    edge = Edge(endpoints=[Endpoint(f"{pop.url}/v1", name="own", key="env:EDGE_TOKEN")], origin="never", probe=False)
    question = fresh()
    with edge.OpenAI(api_key="sk-of-the-caller") as client:
        said = [edgeclient.notes(client.chat.completions.create(**ask(question))) for _ in range(2)]
    assert all(notes is not None and notes.pop == pop.code[:3] and notes.endpoint == "own" for notes in said)
    assert [notes.upstream_cache for notes in said if notes] == (["miss", "hit"] if pop.caches else ["miss", "miss"])


@pytest.mark.promises("caches")
def test_a_refresh_passes_both_caches(pop: Pop, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_TOKEN", TOKENS["web"])
    own = Endpoint(f"{pop.url}/v1", name="own", key="env:EDGE_TOKEN")
    edge = Edge(endpoints=[own], origin="never", probe=False, cache="exact")
    question = fresh()
    with edge.OpenAI(api_key="sk-of-the-caller") as client:
        said = []
        for words in ("max-age=60", "max-age=60", "no-cache", "no-store", "max-age=60"):
            answer = client.chat.completions.create(**ask(question), extra_headers={"Cache-Control": words})
            said.append((edgeclient.notes(answer).cache, asked()))  # type: ignore[union-attr]
    assert said == [("miss", 1), ("hit", 1), ("bypass", 2), ("bypass", 3), ("hit", 3)]


def test_a_thousand_calls_without_an_error(pop: Pop) -> None:
    """From eight threads: half of them hits where it caches."""
    questions = [fresh() for _ in range(500)] * 2

    with (
        openai.OpenAI(base_url=f"{pop.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(threads.map(lambda q: chat(client, q), questions))
    assert len(answers) == 1000 and all(answer.parse().choices[0].message.content for answer in answers)
    assert sum("hit" in answer.headers["cache-status"] for answer in answers) == (500 if pop.caches else 0)


@pytest.mark.parametrize("name", ["workers", "fastly"])
@pytest.mark.parametrize("end", [b"", b'event: error\ndata: {"type":"error"}\n\ndata: [DONE]\n\n'])
def test_a_stream_that_the_provider_gave_up_is_not_kept(name: str, tmp_path: Path, end: bytes) -> None:
    """It ends as HTTP wants it, but not as the API does. Those that keep streams look inside."""
    events = b'data: {"choices":[]}\n\n' + end
    with rigs.speaking(events) as (url, heard), rigs.run(name, tmp_path, url) as running:
        body = json.dumps({**ask("x"), "stream": True}).encode()
        headers = {"authorization": f"Bearer {TOKENS['web']}", "content-type": "application/json"}
        for _ in range(2):
            request = urllib.request.Request(f"{running.url}/v1/chat/completions", body, headers)
            with urllib.request.urlopen(request, timeout=10) as response:
                assert response.read() == events
        assert len(heard) == 2
