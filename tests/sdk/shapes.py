"""A table of the ways people call both SDKs, and `perform`, which makes one such call and says all about its outcome."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import anthropic
import openai
import recording
from pydantic import BaseModel
from recording import Fault
from ways import each, entered, settled


class City(BaseModel):
    name: str
    people: int


ASK = [{"role": "user", "content": "How far is Frankfurt?"}]
TOOL = {
    "type": "function",
    "function": {"name": "city", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}},
}
CHAT = {"model": "gpt-4o", "messages": ASK}
RESPONSE = {"model": "gpt-4o", "input": "How far is Frankfurt?"}
MESSAGE = {"model": "claude-test", "messages": ASK, "max_tokens": 64}
CLAUDE_TOOL = {"name": "city", "description": "d", "input_schema": {"type": "object", "properties": {}}}
WORDS = {
    "extra_headers": {"X-Mine": "1", "Cache-Control": "no-cache", "traceparent": "00-1-2-01"},
    "extra_query": {"q": "a b"},
    "extra_body": {"z": 1, "a": {"ü": None}},
}


@dataclass(frozen=True)
class Shape:
    """One way to call. `how` names what is done with the answer (see `_HOW`)."""

    id: str
    client: str  # OpenAI | Anthropic | AzureOpenAI
    path: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    how: str = "value"
    construct: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    faults: Callable[[], list[Fault]] = list
    final: str = ""  # of a helper: the method that gives the whole answer
    positional: tuple[Any, ...] = ()

    @property
    def sdk(self) -> str:
        return "anthropic" if self.client == "Anthropic" else "openai"


def _openai(id: str, path: str, arguments: Mapping[str, Any] = CHAT, how: str = "value", **more: Any) -> Shape:
    return Shape(id, "OpenAI", path, arguments, how, **more)


def _claude(id: str, path: str, arguments: Mapping[str, Any] = MESSAGE, how: str = "value", **more: Any) -> Shape:
    return Shape(id, "Anthropic", path, arguments, how, **more)


_CREATE = "chat.completions.create"
_RAW, _STREAMING = "chat.completions.with_raw_response.create", "chat.completions.with_streaming_response.create"
_STREAM = {"stream": True}

OPENAI = [
    _openai("chat", _CREATE),
    _openai("chat_unicode", _CREATE, CHAT | {"messages": [{"role": "user", "content": "grüße 🌍 \u2028 \x00"}]}),
    _openai("chat_tools", _CREATE, CHAT | {"tools": [TOOL], "tool_choice": "auto"}),
    _openai("chat_extras", _CREATE, CHAT | WORDS),
    _openai("chat_idempotency_key", _CREATE, CHAT | {"extra_headers": {"Idempotency-Key": "k-1"}}),
    _openai("chat_header_taken_out", _CREATE, CHAT | {"extra_headers": {"X-Stainless-Lang": openai.Omit()}}),
    _openai("chat_timeout", _CREATE, CHAT | {"timeout": 7.5}),
    _openai("chat_stream", _CREATE, CHAT | _STREAM, "events"),
    _openai("chat_stream_usage", _CREATE, CHAT | _STREAM | {"stream_options": {"include_usage": True}}, "events"),
    _openai("chat_stream_left_early", _CREATE, CHAT | _STREAM, "first event"),
    _openai("chat_helper", "chat.completions.stream", CHAT, "helper", final="get_final_completion"),
    _openai(
        "chat_helper_schema", "chat.completions.stream", CHAT | {"response_format": City}, "helper",
        final="get_final_completion",
    ),
    _openai("chat_parse", "chat.completions.parse", CHAT | {"response_format": City}),
    _openai("chat_parse_tools", "chat.completions.parse", CHAT | {"tools": [openai.pydantic_function_tool(City)]}),
    _openai("chat_raw", _RAW, CHAT, "raw"),
    _openai("chat_raw_stream", _RAW, CHAT | _STREAM, "raw"),
    _openai("chat_raw_parse", "chat.completions.with_raw_response.parse", CHAT | {"response_format": City}, "raw"),
    _openai("chat_streaming_response", _STREAMING, CHAT, "lines"),
    _openai("chat_streaming_response_parse", _STREAMING, CHAT, "raw"),
    _openai("chat_streaming_response_stream", _STREAMING, CHAT | _STREAM, "raw"),
    _openai("with_options", _CREATE, CHAT, options={"timeout": 7, "max_retries": 0}),
    _openai("with_options_headers", _CREATE, CHAT, options={"default_headers": {"X-A": "1"}, "default_query": {"v": "1"}}),
    _openai("copy_other_key", _CREATE, CHAT, options={"api_key": "sk-other", "organization": "org-2"}),
    _openai(
        "client_defaults", _CREATE, CHAT,
        construct={"default_headers": {"x-b": "2"}, "default_query": {"w": "2"}, "organization": "org-1",
                   "project": "proj-1", "timeout": 33.0},
    ),
    _openai("post_native", "post", {"body": {"model": "gpt-4o", "messages": ASK}}, "native",
            positional=("/chat/completions",)),
    _openai("get_object", "get", {"cast_to": object}, positional=("/models",)),
    _openai("post_options", "post", {"cast_to": object, "body": CHAT, "options": {"headers": {"X-O": "1"}}},
            positional=("/chat/completions",)),
    _openai("embeddings", "embeddings.create", {"model": "e", "input": ["a", "b"]}),
    _openai("embeddings_float", "embeddings.create", {"model": "e", "input": "a", "encoding_format": "float"}),
    _openai("responses", "responses.create", RESPONSE),
    _openai("responses_stream", "responses.create", RESPONSE | _STREAM, "events"),
    _openai("responses_helper", "responses.stream", RESPONSE, "helper", final="get_final_response"),
    _openai("responses_parse", "responses.parse", RESPONSE | {"text_format": City}),
    _openai("responses_raw", "responses.with_raw_response.create", RESPONSE, "raw"),
    _openai("responses_retrieve", "responses.retrieve", {"response_id": "resp_1"}),
    _openai("responses_delete", "responses.delete", {"response_id": "resp_1"}),
    _openai("completions", "completions.create", {"model": "gpt-3.5-turbo-instruct", "prompt": "p"}),
    _openai("models_list", "models.list", {}, "pages"),
    _openai("models_page", "models.list", {}),
    _openai("models_retrieve", "models.retrieve", {"model": "m-1"}),
    _openai("batches_pages", "batches.list", {"limit": 2}, "pages"),
    _openai("batches_raw", "batches.with_raw_response.list", {"limit": 2}, "raw"),
    _openai("files_upload", "files.create", {"file": ("a.txt", b"abc"), "purpose": "batch"}),
    _openai("files_upload_io", "files.create", {"file": io.BytesIO(b"abcdef"), "purpose": "batch"}),
    _openai("files_pages", "files.list", {}, "pages"),
    _openai("files_content", "files.content", {"file_id": "file-1"}, "binary"),
    _openai("speech", "audio.speech.create", {"model": "tts-1", "voice": "alloy", "input": "hi"}, "binary"),
    _openai("speech_streaming_response", "audio.speech.with_streaming_response.create",
            {"model": "tts-1", "voice": "alloy", "input": "hi"}, "parts"),
    _openai("transcription", "audio.transcriptions.create", {"model": "whisper-1", "file": ("a.wav", b"RIFF")}),
    _openai("moderations", "moderations.create", {"input": "hi"}),
    _openai("images", "images.generate", {"prompt": "a cat"}),
    _openai("retries_after_500", _CREATE, CHAT, faults=lambda: [recording.status(500), recording.status(503)]),
    _openai("retries_raw", _RAW, CHAT, "raw", faults=lambda: [recording.status(500)]),
    _openai("retries_after_hang_up", _CREATE, CHAT, faults=lambda: [recording.hang_up()]),
    _openai("retries_stream", _CREATE, CHAT | _STREAM, "events", faults=lambda: [recording.status(502)]),
    _openai("told_not_to_retry", _CREATE, CHAT, faults=lambda: [recording.status(500, x_should_retry="false")]),
    _openai("rate_limited", _CREATE, CHAT, construct={"max_retries": 0}, faults=lambda: [recording.status(429)]),
    _openai("bad_request", _CREATE, CHAT, faults=lambda: [recording.status(400)]),
    _openai("bad_key_stream", _CREATE, CHAT | _STREAM, "events", faults=lambda: [recording.status(401)]),
    _openai("not_found", "models.retrieve", {"model": "m"}, faults=lambda: [recording.status(404)]),
    _openai("html", _CREATE, CHAT, construct={"max_retries": 0}, faults=lambda: [recording.html()]),
    _openai("cut_json", _CREATE, CHAT, construct={"max_retries": 0}, faults=lambda: [recording.cut_json()]),
    _openai("short_body", _CREATE, CHAT, construct={"max_retries": 0}, faults=lambda: [recording.short()]),
    _openai("broken_stream", _CREATE, CHAT | _STREAM, "events", faults=lambda: [recording.broken_stream()]),
    _openai("endless_headers", _CREATE, CHAT, construct={"max_retries": 0}, faults=lambda: [recording.endless_headers()]),
    _openai("redirect", _CREATE, CHAT, faults=lambda: [recording.redirect("/v1/elsewhere/chat/completions")]),
    Shape("azure", "AzureOpenAI", _CREATE, CHAT),
    Shape("azure_stream", "AzureOpenAI", _CREATE, CHAT | _STREAM, "events"),
]  # fmt: skip

CLAUDE = [
    _claude("message", "messages.create"),
    _claude("message_tools", "messages.create", MESSAGE | {"tools": [CLAUDE_TOOL]}),
    _claude("message_system", "messages.create", MESSAGE | {"system": "Sei kurz. 🌍", "stop_sequences": ["x"]}),
    _claude("message_extras", "messages.create", MESSAGE | WORDS),
    _claude("message_stream", "messages.create", MESSAGE | _STREAM, "events"),
    _claude("message_stream_left_early", "messages.create", MESSAGE | _STREAM, "first event"),
    _claude("message_helper", "messages.stream", MESSAGE, "helper", final="get_final_message"),
    _claude("message_raw", "messages.with_raw_response.create", MESSAGE, "raw"),
    _claude("message_raw_stream", "messages.with_raw_response.create", MESSAGE | _STREAM, "raw"),
    _claude("message_streaming_response", "messages.with_streaming_response.create", MESSAGE, "lines"),
    _claude("count_tokens", "messages.count_tokens", {"model": "claude-test", "messages": ASK}),
    _claude("claude_models_pages", "models.list", {"limit": 2}, "pages"),
    _claude("claude_models_retrieve", "models.retrieve", {"model_id": "m-1"}),
    _claude("message_batch", "messages.batches.create", {"requests": [{"custom_id": "a", "params": MESSAGE}]}),
    _claude("message_batch_retrieve", "messages.batches.retrieve", {"message_batch_id": "msgbatch_1"}),
    _claude("beta_message", "beta.messages.create", MESSAGE | {"betas": ["x-2025-01-01"]}),
    _claude("beta_file_upload", "beta.files.upload", {"file": ("a.txt", b"abc", "text/plain")}),
    _claude("beta_files_pages", "beta.files.list", {}, "pages"),
    _claude("beta_file_download", "beta.files.download", {"file_id": "file-1"}, "binary"),
    _claude("claude_with_options", "messages.create", options={"timeout": 7, "max_retries": 0}),
    _claude("claude_copy", "messages.create", options={"api_key": "other", "default_headers": {"x-c": "1"}}),
    _claude("auth_token", "messages.create", construct={"auth_token": "tok-1"}),
    _claude("claude_post_native", "post", {"body": MESSAGE}, "native", positional=("/v1/messages",)),
    _claude("claude_retries", "messages.create", faults=lambda: [recording.status(500), recording.status(529)]),
    _claude("claude_hang_up", "messages.create", faults=lambda: [recording.hang_up()]),
    _claude("claude_rate_limited", "messages.create", construct={"max_retries": 0}, faults=lambda: [recording.status(429)]),
    _claude("claude_bad_request", "messages.create", faults=lambda: [recording.status(400)]),
    _claude("claude_overloaded", "messages.create", construct={"max_retries": 0}, faults=lambda: [recording.status(529)]),
    _claude("claude_short_body", "messages.create", construct={"max_retries": 0}, faults=lambda: [recording.short()]),
    _claude("claude_broken_stream", "messages.create", MESSAGE | _STREAM, "events",
            faults=lambda: [recording.broken_stream(4)]),
]  # fmt: skip

SHAPES = [*OPENAI, *CLAUDE]


# -- outcomes, as values that compare


def dump(value: Any) -> Any:
    """A value with its exact type, so that equality means equal type and equal content."""
    if isinstance(value, BaseModel):
        own = {name: dump(getattr(value, name)) for name in type(value).model_fields}
        extra = {name: dump(item) for name, item in (value.model_extra or {}).items()}
        return type(value), own, extra, getattr(value, "_request_id", None)
    if isinstance(value, Mapping):
        return type(value), {name: dump(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [dump(item) for item in value]
    assert value is None or isinstance(value, (str, bytes, int, float)) or hasattr(value, "isoformat"), type(value)
    return type(value), value


def dump_error(error: BaseException) -> Any:
    """An exception with what the SDK says in it; its causes by type (their texts hold addresses)."""
    said = {name: getattr(error, name, None) for name in ("status_code", "body", "code", "request_id", "type", "param")}
    causes = []
    cause = error.__cause__
    while cause is not None:
        causes.append(type(cause))
        cause = cause.__cause__
    return type(error), str(error), said, causes


_ADDED = ("cache-status", "proxy-status", "server-timing")  # by an active edge, to be seen in raw responses


def _response(answer: Any) -> Any:
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _ADDED]
    return type(answer), answer.status_code, headers, answer.http_version, answer.method, str(answer.url)


async def _value(made: Any, shape: Shape) -> Any:
    return dump(await settled(made))


async def _events(made: Any, shape: Shape) -> Any:
    stream = await settled(made)
    return type(stream), [dump(event) async for event in each(stream)]


async def _first_event(made: Any, shape: Shape) -> Any:
    stream = await settled(made)
    async with entered(stream):
        first = await anext(stream) if hasattr(stream, "__anext__") else next(stream)
    return dump(first)


async def _helper(made: Any, shape: Shape) -> Any:
    async with entered(made) as stream:
        events = [dump(event) async for event in each(stream)]
        return type(stream), events, dump(await settled(getattr(stream, shape.final)()))


async def _raw(made: Any, shape: Shape) -> Any:
    if shape.path.split(".")[-2] == "with_streaming_response":
        async with entered(made) as answer:
            return await _parsed(answer)
    return await _parsed(await settled(made))


async def _parsed(answer: Any) -> Any:
    parsed = await settled(answer.parse())
    iterates = isinstance(parsed, (openai.Stream, openai.AsyncStream, anthropic.Stream, anthropic.AsyncStream))
    content = [dump(event) async for event in each(parsed)] if iterates else dump(parsed)
    return _response(answer), getattr(answer, "retries_taken", None), type(parsed), content, type(answer.elapsed)


async def _lines(made: Any, shape: Shape) -> Any:
    async with entered(made) as answer:
        return _response(answer), [line async for line in each(answer.iter_lines())]


async def _parts(made: Any, shape: Shape) -> Any:
    async with entered(made) as answer:
        return _response(answer), b"".join([part async for part in each(answer.iter_bytes())])


async def _binary(made: Any, shape: Shape) -> Any:
    answer = await settled(made)
    return type(answer), await settled(answer.read())


async def _pages(made: Any, shape: Shape) -> Any:
    return [dump(item) async for item in each(made)]


async def _native(made: Any, shape: Shape) -> Any:
    answer = await settled(made)
    return type(answer), answer.status_code, answer.content, type(answer.elapsed)


_HOW: Mapping[str, Callable[[Any, Shape], Any]] = {
    "value": _value,
    "events": _events,
    "first event": _first_event,
    "helper": _helper,
    "raw": _raw,
    "lines": _lines,
    "parts": _parts,
    "binary": _binary,
    "pages": _pages,
    "native": _native,
}


async def perform(client: Any, shape: Shape, family: Any) -> Any:
    """Make the call of a shape; its outcome, or its error, as a value."""
    target = client.with_options(**shape.options) if shape.options else client
    arguments = dict(shape.arguments)
    if shape.how == "native":
        arguments["cast_to"] = family.Response
    for name, value in arguments.items():
        if isinstance(value, io.BytesIO):
            arguments[name] = io.BytesIO(value.getvalue())
    try:
        made = attrgetter(shape.path)(target)(*shape.positional, **arguments)
        return await _HOW[shape.how](made, shape)
    except Exception as error:
        if not shape.faults():
            raise  # a mistake in the shape, not an outcome of the call
        return dump_error(error)
