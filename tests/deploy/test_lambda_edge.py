"""What only the Lambda@Edge project does: CloudFront keeps GETs, by the template's cache policy, and takes no odd answer."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
import rigs
from rigs import KEYS, TOKENS, Pop
from test_pops import ask, chat, fresh

from edgeclient import deploy
from edgeclient.lab import Lab


@pytest.fixture(scope="module")
def pop(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pop]:
    with rigs.lambda_edge(tmp_path_factory.mktemp("lambda-edge"), lab.origin_anthropic_url) as running:
        yield running


def models(pop: Pop, who: str = "mobile", **headers: str) -> httpx.Response:
    sent = {"authorization": f"Bearer {TOKENS[who]}", **headers}
    return httpx.get(f"{pop.url}/v1/models", headers=sent)


def test_a_get_is_kept_for_each_caller(pop: Pop, lab: Lab) -> None:
    before = lab.probes()["origin"]
    said = [models(pop, who).headers["x-cache"] for who in ("mobile", "mobile", "web", "web")]
    assert said == ["Miss from cloudfront", "Hit from cloudfront"] * 2
    assert lab.probes()["origin"] == before + 2
    assert models(pop, "mobile", **{"anthropic-version": "2023-06-01"}).headers["x-cache"] == "Miss from cloudfront"


def test_a_caller_cannot_name_itself(pop: Pop) -> None:
    models(pop, "mobile")
    models(pop, "web")
    assert models(pop, "web", **{"edge-caller": "mobile"}).headers["x-cache"] == "Hit from cloudfront"
    assert models(pop, "web", **{"edge-fresh": "x"}).headers["x-cache"] == "Hit from cloudfront"
    assert httpx.get(f"{pop.url}/v1/models", headers={"edge-caller": "mobile"}).status_code == 401


@pytest.mark.parametrize("word", ["no-cache", "no-store", "max-age=0"])
def test_a_get_goes_through_when_it_says_so(pop: Pop, lab: Lab, word: str) -> None:
    models(pop)
    before = lab.probes()["origin"]
    assert models(pop, **{"cache-control": word}).headers["x-cache"] == "Miss from cloudfront"
    assert lab.probes()["origin"] == before + 1


def test_a_failed_get_is_not_kept(pop: Pop, lab: Lab) -> None:
    sent = {"authorization": f"Bearer {TOKENS['mobile']}", "cache-control": "no-cache"}
    lab.fault("origin", "5xx", status=500)
    failed = httpx.get(f"{pop.url}/v1/models?x=1", headers=sent)
    assert failed.status_code == 500 and failed.headers["cache-control"] == "no-store"


def test_chats_are_never_kept_and_say_why(pop: Pop, lab: Lab) -> None:
    before, question = lab.requests()["origin"], fresh()
    with openai.OpenAI(base_url=f"{pop.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client:
        answers = [chat(client, question) for _ in range(2)]
    assert [answer.headers["cache-status"] for answer in answers] == ["edge-pop; fwd=method"] * 2
    assert lab.requests()["origin"] == before + 2


def test_a_missing_key_is_said(lab: Lab, tmp_path: Path) -> None:
    with (
        rigs.lambda_edge(tmp_path, lab.origin_anthropic_url, OPENAI_API_KEY="") as keyless,
        openai.OpenAI(base_url=f"{keyless.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
        pytest.raises(openai.InternalServerError, match="deploy it with OPENAI_API_KEY"),
    ):
        client.chat.completions.create(**ask(fresh()))


def test_no_provider_sees_the_others_key(pop: Pop, lab: Lab) -> None:
    models(pop, **{"cache-control": "no-cache"})
    models(pop, **{"cache-control": "no-cache", "anthropic-version": "2023-06-01"})
    to_openai, to_anthropic = lab.recorded("origin")[-2:]
    assert KEYS["ANTHROPIC_API_KEY"] not in str(to_openai) and KEYS["OPENAI_API_KEY"] not in str(to_anthropic)
    assert KEYS["ANTHROPIC_API_KEY"] in str(to_anthropic) and KEYS["OPENAI_API_KEY"] in str(to_openai)


def test_without_tokens_nobody_comes_in_and_health_says_why(lab: Lab, tmp_path: Path) -> None:
    with rigs.lambda_edge(tmp_path, lab.origin_anthropic_url, EDGE_TOKENS="") as closed:
        assert httpx.get(f"{closed.url}/v1/models").status_code == 401
        assert httpx.get(f"{closed.url}/v1/models", headers={"authorization": "Bearer x"}).status_code == 401
        unhealthy = httpx.get(f"{closed.url}/healthz")
        assert unhealthy.status_code == 503 and "settings.json" in unhealthy.json()["status"]


# -- the way there


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "name a bucket in us-east-1"),
        ({"BUCKET": "b"}, "set OPENAI_API_KEY or ANTHROPIC_API_KEY, or both"),
        ({"BUCKET": "b", "OPENAI_API_KEY": "k"}, "settings.json names no tokens"),
    ],
)
def test_the_script_says_what_is_missing(given: dict[str, str], says: str, tmp_path: Path) -> None:
    deploy.write("lambda-edge", tmp_path / "pop")
    assert says in _deployed(tmp_path, given, 1 if "BUCKET" in given else 2).stderr


def test_the_script_packs_the_function_and_deploys_it(tmp_path: Path) -> None:
    """`aws` is one that notes what it is told."""
    deploy.write("lambda-edge", tmp_path / "pop")
    digest = hashlib.sha256(b"token").hexdigest()
    settings = json.loads((tmp_path / "pop" / "settings.json").read_text())
    (tmp_path / "pop" / "settings.json").write_text(json.dumps({**settings, "tokens": {"web": [digest]}}))
    _deployed(tmp_path, {"BUCKET": "b", "OPENAI_API_KEY": "sk-1"}, 0)
    package, bring, tell = (tmp_path / "told").read_text().splitlines()
    assert package.startswith("cloudformation package --region us-east-1 --template-file template.json")
    assert "--stack-name edge-pop" in bring and "OpenAIKey=sk-1 AnthropicKey= CacheSeconds=3600" in bring
    assert tell.startswith("cloudformation describe-stacks")
    assert sorted(path.name for path in (tmp_path / "pop" / "build").iterdir()) == ["handler.py", "settings.json"]


def _deployed(folder: Path, given: dict[str, str], status: int) -> subprocess.CompletedProcess[str]:
    aws = folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/sh\necho "$*" >>{folder}/told\n')
    aws.chmod(0o755)
    command = ["sh", str(folder / "pop" / "deploy.sh")]
    variables = {"PATH": f"{aws.parent}:{os.environ['PATH']}", **given}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == status, ended.stderr
    return ended
