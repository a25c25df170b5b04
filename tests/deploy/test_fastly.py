"""What only the Fastly project does: a service without its stores, or without a key, says so.

Emulated (`fastly/compute.mjs`): what is tested is the project's code. That Fastly's own command takes the project was seen
with `@fastly/cli` 16.1, whose `fastly compute build` compiles and packs it. It is not fetched here: the SDK is 454 MB, and
Fastly's local runtime is in no package.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import openai
import pytest
import rigs
from rigs import TOKENS
from test_pops import ask, fresh

from edgeclient import deploy
from edgeclient.lab import Lab


def test_a_service_without_its_stores_lets_nobody_in_and_says_why(lab: Lab, tmp_path: Path) -> None:
    nothing = json.dumps({"backends": ["openai"], "config_stores": [], "secret_stores": [], "pop": "BOM"})
    with rigs.run("fastly", tmp_path, lab.origin_anthropic_url, COMPUTE=nothing) as lone:
        with (
            openai.OpenAI(base_url=f"{lone.url}/v1", api_key="any", max_retries=0) as client,
            pytest.raises(openai.InternalServerError, match="npx fastly secret-store-entry create --name EDGE_TOKENS"),
        ):
            client.chat.completions.create(**ask(fresh()))
        with pytest.raises(urllib.error.HTTPError) as unhealthy:
            urllib.request.urlopen(f"{lone.url}/healthz", timeout=10)
        assert unhealthy.value.code == 503 and "EDGE_TOKENS" in json.load(unhealthy.value)["status"]
    assert "no store named 'edge_pop_secrets' exists" in (tmp_path / "stderr").read_text()


def test_a_missing_key_is_said_and_no_time_keeps_nothing(lab: Lab, tmp_path: Path) -> None:
    given = {"OPENAI_API_KEY": " ", "CACHE_TTL_S": "0"}
    with rigs.run("fastly", tmp_path, lab.origin_anthropic_url, **given) as keyless:
        with (
            openai.OpenAI(base_url=f"{keyless.url}/v1", api_key=TOKENS["mobile"], max_retries=0) as client,
            pytest.raises(openai.InternalServerError, match="--name OPENAI_API_KEY"),
        ):
            client.chat.completions.create(**ask(fresh()))
        body, said = json.dumps({**ask(fresh()), "max_tokens": 5}).encode(), []
        for _ in range(2):
            request = urllib.request.Request(
                f"{keyless.url}/v1/messages", body, {"x-api-key": TOKENS["web"], "anthropic-version": "2023-06-01"}
            )
            with urllib.request.urlopen(request, timeout=10) as response:
                said.append(response.headers["cache-status"])
    assert said == ["edge-pop; fwd=bypass"] * 2


def test_what_is_read_is_what_is_set_up() -> None:
    """The names in the code are those in fastly.toml and in the README."""
    deploy.write("fastly", Path("pop"))
    code = Path("pop/src/index.js").read_text("utf-8") + Path("pop/src/pop.js").read_text("utf-8")
    setup, readme = Path("pop/fastly.toml").read_text("utf-8"), Path("pop/README.md").read_text("utf-8")
    for name in ("edge_pop_settings", "edge_pop_secrets", *re.findall(r'"((?!FASTLY_)[A-Z]+_[A-Z_]+)"', code)):
        assert name in setup and name in readme
