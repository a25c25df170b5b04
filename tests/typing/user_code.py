# pyright: reportUnnecessaryTypeIgnoreComment=true
"""Code as users write it. It is never run: the type checkers read it, and every `assert_type` must hold."""

from __future__ import annotations

from collections.abc import Iterable

import anthropic as plain_anthropic
import openai as plain_openai
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from typing_extensions import assert_type

import edgeclient
import edgeclient.anthropic as anthropic
import edgeclient.openai as openai
from edgeclient import (
    Anthropic,
    AsyncAnthropic,
    AsyncEdgeTransport,
    AsyncOpenAI,
    Cache,
    Edge,
    EdgeError,
    EdgeTransport,
    Endpoint,
    Event,
    Notes,
    OpenAI,
    RouteError,
    SettingsError,
    Status,
    notes,
)
from edgeclient.openai import AsyncClient, Client


class City(BaseModel):
    name: str


def one_changed_import() -> str:
    client = OpenAI(api_key="sk", timeout=3.0, max_retries=1)
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert_type(answer, ChatCompletion)
    assert_type(notes(answer), "Notes | None")
    said = notes(answer)
    return said.cache if said is not None and said.age_s is not None else ""


def streams(client: OpenAI) -> Iterable[str]:
    for chunk in client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True
    ):
        assert_type(chunk, ChatCompletionChunk)
        yield chunk.choices[0].delta.content or ""


def other_calls(client: Client) -> None:
    assert_type(client.embeddings.create(model="e", input="a"), CreateEmbeddingResponse)
    parsed = client.chat.completions.parse(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], response_format=City
    )
    assert_type(parsed.choices[0].message.parsed, "City | None")
    raw = client.chat.completions.with_raw_response.create(model="m", messages=[])
    assert_type(raw.parse(), ChatCompletion)
    assert_type(raw.headers.get("cache-status"), "str | None")
    client.with_options(timeout=3).models.list()
    with client.chat.completions.with_streaming_response.create(model="m", messages=[]) as response:
        notes(response)


async def in_async_code(client: AsyncOpenAI, other: AsyncClient) -> None:
    answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert_type(answer, ChatCompletion)
    async for chunk in await other.chat.completions.create(model="gpt-4o", messages=[], stream=True):
        assert_type(chunk, ChatCompletionChunk)


async def claude() -> None:
    with Anthropic(api_key="k") as client:
        message = client.messages.create(
            model="claude-test", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
        assert_type(message, plain_anthropic.types.Message)
        with client.messages.stream(model="claude-test", max_tokens=9, messages=[]) as stream:
            for text in stream.text_stream:
                assert_type(text, str)
    async with AsyncAnthropic() as later:
        assert_type(
            await later.messages.create(model="claude-test", max_tokens=9, messages=[]), plain_anthropic.types.Message
        )


def with_settings() -> Status:
    def watch(event: Event) -> None:
        assert_type(event.notes, Notes)

    edge = Edge(
        endpoints=[
            "https://fra.example.com/v1",
            Endpoint(
                "https://bom.example.com/v1", key="env:BOM_KEY", route="gateway", models={"gpt-4o": "openai/gpt-4o"}
            ),
            Endpoint("https://nyc.example.com/v1", anthropic="https://nyc.example.com", key=lambda: "secret"),
        ],
        key="passthrough",
        cache=Cache(mode="exact", ttl_s=60.0),
        origin="last",
        hooks=[watch],
    )
    client = edge.OpenAI(api_key="sk")
    assert_type(client, plain_openai.OpenAI)
    assert_type(edge.AsyncOpenAI(), plain_openai.AsyncOpenAI)
    assert_type(edge.Anthropic(), plain_anthropic.Anthropic)
    assert_type(edge.AsyncAnthropic(), plain_anthropic.AsyncAnthropic)
    assert_type(edge.events(), "tuple[Event, ...]")
    for endpoint in edge.status().endpoints:
        assert_type(endpoint.rtt_ms, "float | None")
    with edge:
        edge.clear_cache()
    return edge.status()


def errors() -> None:
    try:
        Edge(cache="exact").OpenAI().models.list()
    except openai.RateLimitError as error:
        assert_type(error.request_id, "str | None")
    except (openai.APIConnectionError, anthropic.APIStatusError):
        raise
    except SettingsError as error:
        raise ValueError(str(error)) from error
    except (RouteError, EdgeError):
        pass


def whole_modules() -> None:
    client: plain_openai.OpenAI = openai.OpenAI()
    claude: plain_anthropic.Anthropic = anthropic.Anthropic()
    takes_the_sdks_client(client)
    takes_the_sdks_client(OpenAI())
    print(claude, edgeclient.__version__, openai.NOT_GIVEN, anthropic.NOT_GIVEN)


def takes_the_sdks_client(client: plain_openai.OpenAI) -> None:
    client.models.list()


class Mine(OpenAI):
    def ask(self, question: str) -> str | None:
        answer = self.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
        return answer.choices[0].message.content


def transports(edge: Edge) -> None:
    EdgeTransport(object(), edge=edge).close()
    AsyncEdgeTransport(object())
    plain_openai.OpenAI(http_client=edge.http_client())
    plain_openai.AsyncOpenAI(http_client=edge.async_http_client("httpx"))


def mistakes() -> None:
    """Each line is a mistake that a checker must find."""
    OpenAI(no_such_option=1)  # type: ignore[call-arg]
    Edge(no_such_option=1)  # type: ignore[call-arg]
    Endpoint("https://a", route="nowhere")  # type: ignore[arg-type]
    Cache(mode="sometimes")  # type: ignore[arg-type]
    OpenAI().chat.completions.create(model=1, messages=[])  # type: ignore[call-overload]
