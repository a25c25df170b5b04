"""Answers of both APIs, small and valid. Pure; who answers stands in the text, so that tests can tell origins apart."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_FIXED = [("date", "Tue, 24 Nov 2026 10:00:00 GMT"), ("x-request-id", "req_1"), ("request-id", "req_1")]


@dataclass
class Answer:
    """`body`: bytes, or the parts of a stream."""

    body: bytes | Sequence[bytes]
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)


def as_json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode(), 200, [("content-type", "application/json"), *_FIXED])


def as_events(events: Sequence[Any], *, named: bool, done: bool = False) -> Answer:
    parts = []
    for event in events:
        name = f"event: {event['type']}\n".encode() if named else b""
        parts.append(name + b"data: " + json.dumps(event).encode() + b"\n\n")
    if done:
        parts.append(b"data: [DONE]\n\n")
    return Answer(parts, 200, [("content-type", "text/event-stream; charset=utf-8"), *_FIXED])


def as_bytes(body: bytes, kind: str) -> Answer:
    return Answer(body, 200, [("content-type", kind), *_FIXED])


def answer_to(method: str, path: str, target: str, body: bytes, name: str) -> Answer:
    """The answer of the origin `name` to a request."""
    try:
        asked = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        asked = {}
    for verb, pattern, make in _ROUTES:
        if verb == method and re.search(pattern, path):
            return make(asked, name, target)
    missing = {"error": {"message": f"the recording origin knows no {method} {path}", "type": "not_found"}}
    return Answer(json.dumps(missing).encode(), 404, [("content-type", "application/json"), *_FIXED])


# -- openai


def _text(asked: dict[str, Any], name: str) -> str:
    """JSON where a schema was given, so that `parse` has something to parse."""
    structured = "response_format" in asked or asked.get("text", {}).get("format", {}).get("type") == "json_schema"
    return '{"name":"Paris","people":2000000}' if structured else f"hello from {name}"


def _chat(asked: dict[str, Any], name: str, target: str) -> Answer:
    if asked.get("stream"):
        return _chat_stream(asked, name)
    message: dict[str, Any] = {"role": "assistant", "content": _text(asked, name), "refusal": None}
    if asked.get("tools"):
        called = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"name":"Paris","people":2}'}
        message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": called}]}
    finish = "tool_calls" if asked.get("tools") else "stop"
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": asked.get("model", ""),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }
    )


def _chat_stream(asked: dict[str, Any], name: str) -> Answer:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": asked["model"]}

    def part(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return base | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    text = _text(asked, name)
    events = [part({"role": "assistant", "content": ""}), part({"content": text[:5]}), part({"content": text[5:]})]
    events.append(part({}, "stop"))
    if asked.get("stream_options", {}).get("include_usage"):
        events.append(base | {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}})
    return as_events(events, named=False, done=True)


def _response(asked: dict[str, Any], name: str, target: str) -> Answer:
    part = {"type": "output_text", "text": _text(asked, name), "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}
    whole: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1700000000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.get("model", "gpt-4o"),
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 8,
        },
    }
    if not asked.get("stream"):
        return as_json(whole)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    steps: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": item | {"content": []}},
        {"type": "response.content_part.added", **at, "part": part | {"text": ""}},
        {"type": "response.output_text.delta", **at, "delta": part["text"], "logprobs": []},
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return as_events([step | {"sequence_number": n} for n, step in enumerate(steps)], named=True)


def _embeddings(asked: dict[str, Any], name: str, target: str) -> Answer:
    numbers = [0.5, -0.25, 0.125]
    packed = base64.b64encode(struct.pack("<3f", *numbers)).decode()
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    vector = packed if asked.get("encoding_format") == "base64" else numbers
    data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(len(inputs))]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return as_json({"object": "list", "data": data, "model": asked["model"], "usage": usage})


def _completions(asked: dict[str, Any], name: str, target: str) -> Answer:
    choice = {"index": 0, "text": _text(asked, name), "finish_reason": "stop", "logprobs": None}
    whole = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": asked["model"]}
    return as_json(whole | {"choices": [choice]})


def _models(asked: dict[str, Any], name: str, target: str) -> Answer:
    """The list of both: openai's has `object`, anthropic's the ids of its ends and a second page."""
    second = "after_id=" in target
    ids = ["m-3"] if second else ["m-1", "m-2"]
    data = [
        {"id": i, "object": "model", "created": 1, "owned_by": "o", "type": "model", "display_name": i,
         "created_at": "2026-01-01T00:00:00Z"}
        for i in ids
    ]  # fmt: skip
    ends = {"first_id": ids[0], "last_id": ids[-1], "has_more": not second}
    return as_json({"object": "list", "data": data, **ends})


def _model(asked: dict[str, Any], name: str, target: str) -> Answer:
    both = {"id": "m-1", "object": "model", "created": 1, "owned_by": "o", "type": "model", "display_name": "m"}
    return as_json(both | {"created_at": "2026-01-01T00:00:00Z"})


def _batch(number: str) -> dict[str, Any]:
    return {
        "id": number,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "status": "completed",
        "created_at": 1700000000,
    }


def _batches(asked: dict[str, Any], name: str, target: str) -> Answer:
    ids = ["batch_3"] if "after=batch_2" in target else ["batch_1", "batch_2"]
    more = len(ids) > 1
    data = [_batch(i) for i in ids]
    return as_json({"object": "list", "data": data, "first_id": ids[0], "last_id": ids[-1], "has_more": more})


def _file(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json(
        {"id": "file-1", "object": "file", "bytes": 3, "created_at": "2026-01-01T00:00:00Z", "filename": "a.txt",
         "purpose": "batch", "status": "processed", "type": "file", "mime_type": "text/plain", "size_bytes": 3}
    )  # fmt: skip


def _files(asked: dict[str, Any], name: str, target: str) -> Answer:
    file = json.loads(_file(asked, name, target).body)  # type: ignore[arg-type]
    return as_json({"object": "list", "data": [file], "first_id": "file-1", "last_id": "file-1", "has_more": False})


def _speech(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_bytes(bytes(range(256)) * 8, "audio/mpeg")


def _transcription(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json({"text": "hello", "usage": {"type": "duration", "seconds": 1}})


def _moderation(asked: dict[str, Any], name: str, target: str) -> Answer:
    result = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}
    return as_json({"id": "modr-1", "model": "omni-moderation-latest", "results": [result]})


def _input_tokens(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json({"object": "response.input_tokens", "input_tokens": 5})


def _image(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json({"created": 1, "data": [{"url": "https://example.com/a.png"}]})


# -- anthropic


def _message(asked: dict[str, Any], name: str, target: str) -> Answer:
    text = f"hello from {name}"
    whole: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 3},
    }
    if asked.get("tools"):
        called = {"type": "tool_use", "id": "toolu_1", "name": asked["tools"][0]["name"], "input": {"city": "Paris"}}
        return as_json(whole | {"content": [called], "stop_reason": "tool_use"})
    if not asked.get("stream"):
        return as_json(whole)
    begun = whole | {"content": [], "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}
    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text[:5]}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text[5:]}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return as_events(steps, named=True)


def _count(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json({"input_tokens": 5})


def _message_batch(asked: dict[str, Any], name: str, target: str) -> Answer:
    counts = {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
    times = {"created_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z"}
    where = "http://" + "127.0.0.1" + "/results"
    state = {"processing_status": "ended", "request_counts": counts, "results_url": where}
    return as_json({"id": "msgbatch_1", "type": "message_batch", **times, **state})


def _deleted(asked: dict[str, Any], name: str, target: str) -> Answer:
    return as_json({"id": "x", "object": "deleted", "deleted": True, "type": "file_deleted"})


_ROUTES: tuple[tuple[str, str, Callable[[dict[str, Any], str, str], Answer]], ...] = (
    ("POST", r"/chat/completions$", _chat),
    ("POST", r"/completions$", _completions),
    ("POST", r"/responses$", _response),
    ("POST", r"/responses/input_tokens$", _input_tokens),
    ("GET", r"/responses/resp_1$", _response),
    ("DELETE", r"/(responses|files|models)/", _deleted),
    ("POST", r"/embeddings$", _embeddings),
    ("GET", r"/models$", _models),
    ("GET", r"/models/", _model),
    ("POST", r"/messages/batches$", _message_batch),
    ("GET", r"/messages/batches/[^/]+$", _message_batch),
    ("GET", r"/batches$", _batches),
    ("POST", r"/files$", _file),
    ("GET", r"/files$", _files),
    ("GET", r"/files/[^/]+/content$", _speech),
    ("GET", r"/files/", _file),
    ("POST", r"/audio/speech$", _speech),
    ("POST", r"/audio/transcriptions$", _transcription),
    ("POST", r"/moderations$", _moderation),
    ("POST", r"/images/generations$", _image),
    ("POST", r"/messages$", _message),
    ("POST", r"/messages/count_tokens$", _count),
)
