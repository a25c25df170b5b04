"""What only the Workers project does: two data centres share what they keep, and a Worker that was given nothing says so."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import rigs
from rigs import TOKENS, Pop
from test_pops import ask, fresh

from edgeclient.lab import Lab


@pytest.fixture(scope="module")
def pop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pop]:
    with rigs.run("workers", tmp_path_factory.mktemp("workers"), lab.origin_anthropic_url) as running:
        yield running


def test_what_one_data_centre_keeps_the_other_gives(pop: Pop, lab: Lab) -> None:
    before, question, answers = lab.requests()["origin"], fresh(), []
    for place in ("BOM", "FRA", "FRA"):  # the first from KV, the second from its own cache
        with openai.OpenAI(base_url=f"{pop.further[place]}/v1", api_key=TOKENS["mobile"], max_retries=0) as client:
            answers.append(client.chat.completions.with_raw_response.create(**ask(question)))
    assert [answer.headers["edge-pop"] for answer in answers] == ["BOM", "FRA", "FRA"]
    assert ["hit" in answer.headers["cache-status"] for answer in answers] == [False, True, True]
    assert answers[0].content == answers[1].content == answers[2].content
    assert lab.requests()["origin"] == before + 1


def test_a_worker_without_tokens_lets_nobody_in_and_says_why(pop: Pop, lab: Lab) -> None:
    before = lab.requests()["origin"]
    with (
        openai.OpenAI(base_url=f"{pop.further['LONE']}/v1", api_key="any", max_retries=0) as client,
        pytest.raises(
            openai.InternalServerError, match="this PoP has no tokens: run `npx wrangler secret put EDGE_TOKENS`"
        ),
    ):
        client.chat.completions.create(**ask(fresh()))
    with pytest.raises(urllib.error.HTTPError) as unhealthy:
        urllib.request.urlopen(f"{pop.further['LONE']}/healthz", timeout=10)
    assert unhealthy.value.code == 503 and "EDGE_TOKENS" in json.load(unhealthy.value)["status"]
    assert lab.requests()["origin"] == before


def test_a_missing_key_is_said(lab: Lab, tmp_path: Path, pop: Pop) -> None:
    with (
        rigs.workers(tmp_path, lab.origin_anthropic_url, OPENAI_API_KEY="") as keyless,
        openai.OpenAI(base_url=f"{keyless.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="npx wrangler secret put OPENAI_API_KEY"),
    ):
        client.chat.completions.create(**ask(fresh()))


def test_another_epoch_forgets_and_no_time_keeps_nothing(lab: Lab, tmp_path: Path, pop: Pop) -> None:
    with (
        rigs.workers(tmp_path, lab.origin_anthropic_url, CACHE_TTL_S="0") as off,
        openai.OpenAI(base_url=f"{off.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
    ):
        question = fresh()
        answers = [client.chat.completions.with_raw_response.create(**ask(question)) for _ in range(2)]
    assert [answer.headers["cache-status"] for answer in answers] == ["edge-pop; fwd=bypass"] * 2


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
def test_an_answer_that_came_compressed_can_be_read(tmp_path: Path, pop: Pop, kind: str) -> None:
    """Though it was not asked for."""
    plain = b'{"id":"1"}' if kind == "application/json" else b"data: {}\n\ndata: [DONE]\n\n"
    said = {"content-type": kind, "content-encoding": "gzip"}
    with rigs.speaking(gzip.compress(plain), said) as (url, heard), rigs.run("workers", tmp_path, url) as running:
        sent = {"authorization": f"Bearer {TOKENS['web']}"}
        where = f"{running.url}/v1/chat/completions"
        for accepts in ("gzip", "identity", "gzip"):
            answer = httpx.post(where, json=ask("x"), headers={**sent, "accept-encoding": accepts})
            assert answer.content == plain
    assert len(heard) == 1
