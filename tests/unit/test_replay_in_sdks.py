"""What a dialect replays is read by the installed SDKs' own parsers, on each HTTP family they run on."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from typing import Any

import anthropic
import openai
import pytest

from edgeclient.dialects import dialect_of

from .answers import replayed

TEXTS = ["data: [DONE]\n\n नमस्ते 🧭\r\n", "\u2028event: message_stop\n\n\u0085", '"quoted" \\ and \x0b']
SDKS = {"openai": (openai.OpenAI, openai.AsyncOpenAI), "anthropic": (anthropic.Anthropic, anthropic.AsyncAnthropic)}


def _families(sdk: str) -> list[str]:
    """The HTTP families whose clients this SDK takes."""
    found = []
    for family in ("httpx", "httpx2"):
        try:
            with importlib.import_module(family).Client() as client:
                SDKS[sdk][0](api_key="k", http_client=client)
        except TypeError:
            continue
        found.append(family)
    return found


RUNS = [(sdk, family) for sdk in SDKS for family in _families(sdk)]


class _Replaying:
    """An answer of `texts` to each request, in small parts: a transport handler for either family."""

    def __init__(self, family: str, texts: list[str]) -> None:
        self.family, self.texts = importlib.import_module(family), texts

    def __call__(self, request: Any) -> Any:
        found = dialect_of(request.method, request.url.path)
        assert found is not None
        body = json.loads(request.content)
        kind = "text/event-stream; charset=utf-8" if body.get("stream") else "application/json"
        parts = self._parts(replayed(found[1].name, self.texts, **body))
        return self.family.Response(200, headers={"content-type": kind}, stream=parts)

    def _parts(self, body: bytes) -> Any:
        class Parts(self.family.SyncByteStream, self.family.AsyncByteStream):  # type: ignore[misc,name-defined]
            def __iter__(self) -> Any:
                return (body[n : n + 7] for n in range(0, len(body), 7))

            async def __aiter__(self) -> Any:
                for part in self:
                    yield part

        return Parts()

    def client(self, sdk: str, *, is_async: bool = False) -> Any:
        transport = self.family.MockTransport(self)
        native = (self.family.AsyncClient if is_async else self.family.Client)(transport=transport)
        return SDKS[sdk][is_async](api_key="k", http_client=native)


def _chat_asked(n: int) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "?"}], "n": n}


def _join_chat(chunks: list[Any]) -> list[str]:
    said: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            said[choice.index] = said.get(choice.index, "") + (choice.delta.content or "")
    return [said[n] for n in sorted(said)]


def _chat(client: Any) -> list[str]:
    return [choice.message.content for choice in client.chat.completions.create(**_chat_asked(3)).choices]


def _chat_streamed(client: Any) -> list[str]:
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(**_chat_asked(3), stream=True, stream_options=options))
    assert chunks[-1].usage.total_tokens == 7
    assert len({chunk.id for chunk in chunks} - {"chatcmpl-1"}) == 1
    return _join_chat(chunks)


def _chat_helper(client: Any) -> list[str]:
    with client.chat.completions.stream(**_chat_asked(3)) as stream:
        return [choice.message.content for choice in stream.get_final_completion().choices]


def _responses(client: Any) -> list[str]:
    answer = client.responses.create(model="gpt-4o", input="?")
    assert answer.id == "resp_1" and answer.output_text == "".join(TEXTS)
    return [part.text for part in answer.output[0].content]


def _responses_streamed(client: Any) -> list[str]:
    events = list(client.responses.create(model="gpt-4o", input="?", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert deltas == [part.text for part in events[-1].response.output[0].content]
    return deltas


def _responses_helper(client: Any) -> list[str]:
    with client.responses.stream(model="gpt-4o", input="?") as stream:
        return [part.text for part in stream.get_final_response().output[0].content]


def _messages_asked() -> dict[str, Any]:
    return {"model": "claude-of-tests", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}


def _messages(client: Any) -> list[str]:
    answer = client.messages.create(**_messages_asked())
    assert answer.id != "msg_1" and answer.stop_reason == "end_turn" and answer.usage.output_tokens == 4
    return [block.text for block in answer.content]


def _messages_streamed(client: Any) -> list[str]:
    events = list(client.messages.create(**_messages_asked(), stream=True))
    assert [event.type for event in (events[0], events[-1])] == ["message_start", "message_stop"]
    return [event.delta.text for event in events if event.type == "content_block_delta"]


def _messages_helper(client: Any) -> list[str]:
    with client.messages.stream(**_messages_asked()) as stream:
        final = stream.get_final_message()
    assert final.usage.input_tokens == 3 and final.usage.output_tokens == 4
    return [block.text for block in final.content]


WAYS: list[tuple[str, Callable[[Any], list[str]]]] = [
    ("openai", _chat),
    ("openai", _chat_streamed),
    ("openai", _chat_helper),
    ("openai", _responses),
    ("openai", _responses_streamed),
    ("openai", _responses_helper),
    ("anthropic", _messages),
    ("anthropic", _messages_streamed),
    ("anthropic", _messages_helper),
]
ALL = [(family, sdk, way) for sdk, family in RUNS for of, way in WAYS if of == sdk]


@pytest.mark.parametrize(("family", "sdk", "way"), ALL, ids=[f"{f}-{way.__name__}" for f, _, way in ALL])
def test_the_sdk_reads_what_was_replayed(family: str, sdk: str, way: Callable[[Any], list[str]]) -> None:
    with _Replaying(family, TEXTS).client(sdk) as client:
        assert way(client) == TEXTS


@pytest.mark.parametrize("family", _families("openai"))
def test_the_sdk_reads_replayed_embeddings(family: str) -> None:
    with _Replaying(family, ["one", "three"]).client("openai") as client:
        answer = client.embeddings.create(
            model="text-embedding-3-small", input=["one", "three"], encoding_format="float"
        )
    assert [item.embedding for item in answer.data] == [[0.5, 3.0], [0.5, 5.0]]


@pytest.mark.parametrize(("sdk", "family"), RUNS)
def test_the_async_sdk_reads_a_replayed_stream(sdk: str, family: str) -> None:
    async def read() -> list[str]:
        async with _Replaying(family, TEXTS).client(sdk, is_async=True) as client:
            if sdk == "openai":
                return _join_chat(
                    [c async for c in await client.chat.completions.create(**_chat_asked(3), stream=True)]
                )
            stream = await client.messages.create(**_messages_asked(), stream=True)
            return [event.delta.text async for event in stream if event.type == "content_block_delta"]

    assert asyncio.run(read()) == TEXTS


@pytest.mark.parametrize("sdk", list(SDKS))
def test_each_sdk_runs_on_a_family(sdk: str) -> None:
    assert _families(sdk)
