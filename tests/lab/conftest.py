"""A lab of each mode that lives as long as a test module, and clients of both SDKs for it.  Starts processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import anthropic
import openai
import pytest

from edgeclient.lab import Lab, best_mode

MODES = ("tun", "loopback")


def need(mode: str) -> None:
    """Skips where tun mode is not possible; in CI that is a failure, or nobody would notice."""
    if mode == "tun" and best_mode()[0] != "tun":
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must offer tun mode: {best_mode()[1]}")
        pytest.skip(best_mode()[1])


@pytest.fixture
def tun() -> None:
    need("tun")


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    need(request.param)
    return str(request.param)


@pytest.fixture(scope="module", params=MODES)
def shared(request: pytest.FixtureRequest) -> Iterator[Lab]:
    need(request.param)
    pops = {"fra": 2.0, "nyc": 12.0}
    model = {"first_token_ms": (4.0, 8.0), "tokens_per_s": 4000.0}
    with Lab(pops, origin_ms=20, backbone_ms=4, mode=request.param, record=True, **model) as lab:  # type: ignore[arg-type]
        yield lab


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    """The shared lab of a mode, without faults before and after."""
    yield shared
    for site in (*shared.urls, "origin"):
        shared.clear(site)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def ask_openai(closing: ExitStack) -> Callable[..., openai.OpenAI]:
    def make(lab: Lab, url: str, timeout: float = 20.0) -> openai.OpenAI:
        http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or False, trust_env=False)
        client = openai.OpenAI(base_url=url, api_key="any", http_client=http_client, max_retries=0, timeout=timeout)
        return closing.enter_context(client)

    return make


@pytest.fixture
def ask_anthropic(closing: ExitStack) -> Callable[..., anthropic.Anthropic]:
    def make(lab: Lab, url: str) -> anthropic.Anthropic:
        http_client = anthropic.DefaultHttpxClient(verify=lab.ssl_context() or False, trust_env=False)
        client = anthropic.Anthropic(base_url=url, api_key="any", http_client=http_client, max_retries=0, timeout=20)
        return closing.enter_context(client)

    return make
