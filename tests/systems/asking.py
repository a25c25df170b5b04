"""The capabilities, each as one question to a client of the SDK that has it, and the proof that it was answered."""

from __future__ import annotations

from typing import Any

from .conftest import settled

HELLO = [{"role": "user", "content": "How far is Frankfurt?"}]
PARTS = [
    {"role": "user", "content": [{"type": "text", "text": "How far"}, {"type": "text", "text": "is Frankfurt?"}]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_0", "content": "fine"},
]  # fmt: skip
_PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": _PARAMETERS}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "schema": _PARAMETERS}}


async def ask(client: Any, capability: str, model: str, **more: Any) -> Any:
    """Ask, and check that the answer is one; gives the SDK's object."""
    if hasattr(client, "messages"):
        return await _ASKING_CLAUDE[capability](client, model, **more)
    return await _ASKING[capability](client, model, **more)


async def _chat(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.chat.completions.create(model=model, messages=HELLO, **more))
    assert answer.choices[0].message.content and answer.usage.total_tokens > 0
    return answer


async def _stream(client: Any, model: str, **more: Any) -> Any:
    stream = await settled(client.chat.completions.create(model=model, messages=HELLO, stream=True, **more))
    texts = []
    if hasattr(stream, "__aiter__"):
        async for chunk in stream:
            texts += [choice.delta.content or "" for choice in chunk.choices]
    else:
        for chunk in stream:
            texts += [choice.delta.content or "" for choice in chunk.choices]
    assert len(texts) > 3 and "".join(texts)
    return stream


async def _tools(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.chat.completions.create(model=model, messages=PARTS, tools=[TOOL], **more))
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"
    return answer


async def _schema(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.chat.completions.create(model=model, messages=HELLO, response_format=SCHEMA, **more))
    assert answer.choices[0].message.content == '{"city":"Paris"}'
    return answer


async def _embeddings(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.embeddings.create(model=model, input=["one", "two"], **more))
    assert [len(item.embedding) > 10 for item in answer.data] == [True, True]
    return answer


async def _messages(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.messages.create(model=model, max_tokens=100, messages=HELLO, **more))
    assert answer.content[0].text
    return answer


async def _responses(client: Any, model: str, **more: Any) -> Any:
    answer = await settled(client.responses.create(model=model, input="How far is Frankfurt?", **more))
    assert answer.output_text
    return answer


async def _messages_streamed(client: Any, model: str, **more: Any) -> Any:
    stream = await settled(
        client.messages.create(**{"model": model, "max_tokens": 100, "messages": HELLO, "stream": True, **more})
    )
    kinds = [event.type async for event in stream] if hasattr(stream, "__aiter__") else [event.type for event in stream]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop" and "content_block_delta" in kinds
    return stream


async def _messages_with_tools(client: Any, model: str, **more: Any) -> Any:
    tool = {"name": "weather", "input_schema": _PARAMETERS}
    answer = await settled(client.messages.create(model=model, max_tokens=100, messages=HELLO, tools=[tool], **more))
    assert answer.content[0].type == "tool_use" and answer.content[0].name == "weather"
    return answer


_ASKING_CLAUDE = {"messages": _messages, "stream": _messages_streamed, "tools": _messages_with_tools}
_ASKING = {
    "chat": _chat, "stream": _stream, "tools": _tools, "schema": _schema, "embeddings": _embeddings,
    "messages": _messages, "responses": _responses,
}  # fmt: skip
