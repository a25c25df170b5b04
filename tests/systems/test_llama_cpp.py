"""llama.cpp's own server, with a model of noise, through the real SDKs: what its emulator says is held against it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
import runtimes

import edgeclient
from edgeclient import Cascade, Edge
from edgeclient.lab.systems.openrouter import OpenRouter
from edgeclient.lab.systems.serving import Serving

from .asking import HELLO, SCHEMA, ask
from .conftest import client_of, settled
from .llama import gguf

pytestmark = pytest.mark.anyio

ALIAS, KEY = "llama-3.1-8b-instruct", "secret-of-the-server"  # noise, by the name of something that the catalogue knows
SURELY: dict[str, Any] = {"temperature": 0}  # the same noise each time
SHORT: dict[str, Any] = {
    "max_tokens": 16,
    **SURELY,
    "extra_body": {"grammar": "root ::= [a-z]{8}"},
}  # an answer with an end
TOO_LONG = [{"role": "user", "content": "x" * 1500}]  # every byte is a token of this model, and 512 fit


class Server:
    """A running server; `url` is scheme, host and port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()
        assert self.url, f"llama.cpp's server ended with {process.wait(10)}"

    def preset(self, **more: str) -> str:
        return f"llama-cpp:?model={ALIAS}&host={self.url}" + "".join(f"&{name}={said}" for name, said in more.items())

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def running(model: Path, *options: str) -> Iterator[Server]:
    """The server in a process of its own, which is ended at the end."""
    if not runtimes.xllamacpp().exists():
        pytest.skip(f"no llama.cpp at {runtimes.xllamacpp()}: run python tests/deploy/runtimes.py")
    command = [sys.executable, str(Path(__file__).parent / "llama" / "serve.py"), str(model), ALIAS, KEY, *options]
    given = {**os.environ, "PYTHONPATH": str(runtimes.xllamacpp())}
    with (model.parent / "stderr").open("w") as said:
        process = subprocess.Popen(
            command, env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        )
    try:
        yield Server(process)
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama") / "noise.gguf"
    gguf.write(path)
    return path


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Server]:
    with running(model) as started:
        yield started


@pytest.fixture(scope="module")
def embedding(model: Path) -> Iterator[Server]:
    with running(model, "--embeddings") as started:
        yield started


@pytest.fixture
def other() -> Iterator[Serving]:
    """Another product, emulated, that serves the same name."""
    with Serving(OpenRouter(KEY)) as serving:
        yield serving


def edge(*endpoints: Any, **more: Any) -> Edge:
    made = [{"url": said, "key": lambda: KEY} if isinstance(said, str) else said for said in endpoints]
    return Edge(**{"endpoints": made, "origin": "never", "probe": False, **more})


def elsewhere(other: Serving) -> dict[str, Any]:
    models = {ALIAS: "meta-llama/llama-3.1-8b-instruct"}
    return {"url": f"{other.url}/api/v1", "name": "other", "key": lambda: KEY, "models": models}


def tried(answer: Any) -> list[tuple[str, str]]:
    notes = edgeclient.notes(answer)
    assert notes is not None
    return [(attempt.endpoint, attempt.outcome) for attempt in notes.tried]


@pytest.mark.parametrize("capability", ["chat", "stream", "messages", "responses"])
async def test_what_the_preset_says_that_it_speaks_it_speaks(server: Server, colour: str, capability: str) -> None:
    limits = {"messages": {"extra_body": SURELY}, "responses": {"max_output_tokens": 16, **SURELY}}
    async with client_of(edge(server.preset()), capability, colour) as client:
        answer = await ask(client, capability, ALIAS, **limits.get(capability, SHORT))
    assert tried(answer) == [("llama-cpp", "ok")]


async def test_embeddings_of_a_server_that_was_started_for_them(embedding: Server, colour: str) -> None:
    async with client_of(edge(embedding.preset()), "embeddings", colour) as client:
        assert tried(await ask(client, "embeddings", ALIAS)) == [("llama-cpp", "ok")]


async def test_one_that_was_not_started_for_them_says_so(server: Server, other: Serving, colour: str) -> None:
    async with client_of(edge(server.preset(), elsewhere(other)), "embeddings", colour) as client:
        answer = await ask(client, "embeddings", ALIAS)
    assert tried(answer) == [("llama-cpp", "model_missing"), ("other", "ok")]


async def test_a_call_that_is_too_long_goes_where_more_may_fit(server: Server, other: Serving, colour: str) -> None:
    used = edge(server.preset(), elsewhere(other))
    async with client_of(used, "chat", colour) as client:
        answer = await settled(client.chat.completions.create(model=ALIAS, messages=TOO_LONG, **SHORT))
        assert tried(answer) == [("llama-cpp", "too_long"), ("other", "ok")]
    assert [(one.name, one.state) for one in used.status().endpoints] == [("llama-cpp", "ready"), ("other", "ready")]
    async with client_of(edge(server.preset()), "chat", colour) as client:
        with pytest.raises(openai.BadRequestError, match="exceeds the available context size"):
            await settled(client.chat.completions.create(model=ALIAS, messages=TOO_LONG, **SHORT))


async def test_a_wrong_key_is_for_the_caller(server: Server, other: Serving, colour: str) -> None:
    wrong = {"url": server.preset(), "key": lambda: "wrong"}
    async with client_of(edge(wrong, elsewhere(other)), "chat", colour) as client:
        with pytest.raises(openai.AuthenticationError):
            await ask(client, "chat", ALIAS, **SHORT)
    assert not other.emulator.seen


def test_the_probe_costs_nothing_and_needs_no_key(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as answer:
        assert answer.status == 200


async def test_a_server_that_was_killed_is_left(model: Path, other: Serving, colour: str) -> None:
    with running(model) as dying:
        async with client_of(edge(dying.preset(), elsewhere(other)), "chat", colour) as client:
            assert tried(await ask(client, "chat", ALIAS, **SHORT)) == [("llama-cpp", "ok")]
            dying.kill()
            answer = await ask(client, "chat", ALIAS, **SHORT)
        assert [endpoint for endpoint, _ in tried(answer)] == ["llama-cpp", "other"]


@pytest.mark.parametrize(("least", "leg"), [(-20.0, "first"), (-1.0, "second")])
async def test_how_sure_a_real_model_was(server: Server, other: Serving, colour: str, least: float, leg: str) -> None:
    """One of noise is unsure of every token: about 5.6 nats, as it has 286 of them."""
    big = {**elsewhere(other), "models": {"gpt-4o": "openai/gpt-4o"}}
    steps = {"gpt-4o": Cascade(ALIAS, min_logprob=least)}
    async with client_of(edge(server.preset(), big, cascade=steps), "chat", colour) as client:
        notes = edgeclient.notes(await settled(client.chat.completions.create(model="gpt-4o", messages=HELLO, **SHORT)))
    assert notes is not None and notes.cascade == leg
    assert [used.model for used in notes.used] == [ALIAS, "gpt-4o"][: 1 + (leg == "second")]


async def test_even_noise_keeps_to_a_schema_where_the_server_sees_to_it(server: Server, colour: str) -> None:
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    wanted = {**SCHEMA, "json_schema": {"name": "verdict", "schema": schema}}
    steps = {"gpt-4o": Cascade(ALIAS, schema=True)}
    async with client_of(edge(server.preset(), cascade=steps, origin="last"), "chat", colour) as client:
        asked = {"messages": HELLO, "response_format": wanted, "max_tokens": 200}
        notes = edgeclient.notes(await settled(client.chat.completions.create(model="gpt-4o", **asked)))
    assert notes is not None and notes.cascade == "first"
