"""What only the Fly project does: its start script refuses what nginx would misread, and nginx's cache has limits."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import rigs
import trustme
from rigs import KEYS, TOKENS, Pop
from test_pops import ask, chat, fresh

from edgeclient import deploy
from edgeclient.lab import Lab


@pytest.fixture(scope="module")
def pop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pop]:
    with rigs.run("fly", tmp_path_factory.mktemp("fly"), lab.origin_anthropic_url) as running:
        yield running


@pytest.fixture
def client(pop: Pop) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{pop.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as made:
        yield made


GOOD = {"EDGE_TOKENS": "a=b", "OPENAI_API_KEY": "sk"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"EDGE_TOKENS": ""}, "EDGE_TOKENS is not set: run fly secrets set EDGE_TOKENS=name=token"),
        ({"EDGE_TOKENS": "token"}, "EDGE_TOKENS must be name=token pairs"),
        ({"EDGE_TOKENS": "a=b c="}, "EDGE_TOKENS must be name=token pairs"),
        ({"EDGE_TOKENS": 'a=b"c'}, "the token of a in EDGE_TOKENS may have only letters, digits"),
        ({"EDGE_TOKENS": "a;b=c"}, "a name in EDGE_TOKENS may have only letters, digits"),
        ({"OPENAI_API_KEY": ""}, "no provider's key: run fly secrets set OPENAI_API_KEY=..."),
        ({"OPENAI_API_KEY": "sk$x"}, "OPENAI_API_KEY may have only letters, digits"),
        ({"CACHE_TTL_S": "1h"}, "CACHE_TTL_S must be a number of seconds, not '1h'"),
        ({"CACHE_TTL_S": "100000"}, "CACHE_TTL_S is at most 86400 (a day), not 100000"),
        ({"CACHE_EPOCH": "a b"}, "CACHE_EPOCH may have only letters, digits"),
        ({"OPENAI_ORIGIN": "api.openai.com"}, "OPENAI_ORIGIN must begin with https:// or http://"),
        ({"OPENAI_ORIGIN": "https://a.com/v1"}, "OPENAI_ORIGIN must be a scheme and a host"),
    ],
)
def test_what_nginx_would_misread_is_refused(given: dict[str, str], says: str, tmp_path: Path) -> None:
    deploy.write("fly", tmp_path / "pop")
    places = {"PATH": os.environ["PATH"], "RUN_DIR": str(tmp_path / "run"), "CACHE_DIR": str(tmp_path / "cache")}
    started = subprocess.run(
        ["sh", str(tmp_path / "pop" / "start.sh")],
        env={**places, **GOOD, **given},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert started.returncode == 1 and says in started.stderr


def test_its_secrets_are_for_the_owner_only(tmp_path: Path, lab: Lab, pop: Pop) -> None:
    with rigs.fly(tmp_path, lab.origin_anthropic_url):
        given = tmp_path / "run" / "given.conf"
        assert KEYS["OPENAI_API_KEY"] in given.read_text() and given.stat().st_mode & 0o077 == 0
        assert KEYS["OPENAI_API_KEY"] not in (tmp_path / "stderr").read_text()


def test_streams_are_passed_on_and_not_kept(client: openai.OpenAI, lab: Lab) -> None:
    before, question = lab.requests()["origin"], fresh()
    for _ in range(2):
        raw = client.chat.completions.with_raw_response.create(**ask(question), stream=True)
        assert raw.headers["cache-status"] == "edge-pop; fwd=miss"
        assert list(raw.parse())
    assert lab.requests()["origin"] == before + 2


def test_a_body_that_may_be_on_disk_has_no_key(client: openai.OpenAI, lab: Lab) -> None:
    begin = fresh() + " word" * 60_000
    before = lab.requests()["origin"]
    answers = [chat(client, f"{begin} {end}") for end in ("one", "other", "one")]
    assert {answer.headers["cache-status"] for answer in answers} == {"edge-pop; fwd=bypass"}
    assert lab.requests()["origin"] == before + 3


def test_a_body_in_chunks_has_a_key_too(lab: Lab, pop: Pop) -> None:
    before, question = lab.requests()["origin"], fresh()
    headers = {"authorization": f"Bearer {TOKENS['web']}", "content-type": "application/json"}
    for end in ("one", "other", "one", "one" * 40_000, "two" * 40_000):
        body = json.dumps(ask(f"{question} {end}")).encode()
        pieces = iter([body[:5_000], body[5_000:]])
        assert httpx.post(f"{pop.url}/v1/chat/completions", content=pieces, headers=headers).status_code == 200
    assert lab.requests()["origin"] == before + 4


@pytest.mark.parametrize("word", ["max-age=60", "max-age=99999", "max-age=00", "no-cache, max-age=100000"])
def test_a_max_age_that_an_entry_may_exceed_asks_anew(client: openai.OpenAI, word: str) -> None:
    question = fresh()
    chat(client, question)
    anew = chat(client, question, extra_headers={"Cache-Control": word})
    assert anew.headers["cache-status"] == "edge-pop; fwd=request; stored"


def test_a_missing_key_is_said(lab: Lab, tmp_path: Path, pop: Pop) -> None:
    with (
        rigs.fly(tmp_path, lab.origin_anthropic_url, OPENAI_API_KEY="") as keyless,
        openai.OpenAI(base_url=f"{keyless.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="fly secrets set OPENAI_API_KEY"),
    ):
        client.chat.completions.create(**ask(fresh()))


def test_new_addresses_are_learnt_without_a_failed_call(lab: Lab, tmp_path: Path, pop: Pop) -> None:
    """nginx reads its configuration again, as `start.sh` tells it every ten minutes."""
    with (
        rigs.fly(tmp_path, lab.origin_anthropic_url) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
    ):
        kept = fresh()
        first = chat(client, kept)
        os.kill(running.pids[0], signal.SIGHUP)
        for _ in range(50):
            with openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as another:
                assert chat(another, fresh()).parse().id
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as another:
            assert chat(another, kept).content == first.content


def test_without_time_to_live_nothing_is_kept(lab: Lab, tmp_path: Path, pop: Pop) -> None:
    with (
        rigs.fly(tmp_path, lab.origin_anthropic_url, CACHE_TTL_S="0") as off,
        openai.OpenAI(base_url=f"{off.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
    ):
        question = fresh()
        assert [chat(client, question).headers["cache-status"] for _ in range(2)] == ["edge-pop; fwd=bypass"] * 2


@pytest.mark.parametrize(
    ("host", "trusted", "status"), [("localhost", True, 200), ("localhost", False, 502), ("elsewhere", True, 502)]
)
def test_the_providers_certificate_is_checked(tmp_path: Path, pop: Pop, host: str, trusted: bool, status: int) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(tls)
    (authority if trusted else stranger).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        rigs.speaking(b'{"id":"1"}', {"content-type": "application/json"}, tls=tls) as (url, heard),
        rigs.run("fly", tmp_path / "pop", url, CA_FILE=str(tmp_path / "ca.pem")) as running,
    ):
        sent = {"authorization": f"Bearer {TOKENS['web']}"}
        answer = httpx.post(f"{running.url}/v1/chat/completions", json=ask("x"), headers=sent)
    assert answer.status_code == status and len(heard) == (status == 200)
