"""What the lab's model says: OpenAI and Anthropic answers as a pure function of the request.  No I/O, clock or chance.

`plan` gives the bytes and the pace; `origin.py` sends them.  Requests are parsed in `questions.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgeclient.lab.questions import Ask, Json, Refusal, count, model_of, read_input, read_messages, whole_number

_MODELS = ("lab-large", "lab-small")
_EMBEDDING_SIZE = 256
_CREATED = 1735689600


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes one answer different from the next: its id and when it was created (Unix seconds)."""

    id: str
    created: int


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event and the tokens it stands for (the pause after it)."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer: a body after `tokens`, or events; `thinks` when a first token must be waited for."""

    body: bytes = b""
    events: tuple[Event, ...] = ()
    tokens: int = 0
    thinks: bool = False


def is_anthropic(path: str, version: str | None) -> bool:
    """Whether the request belongs to the Anthropic API (both APIs have /v1/models)."""
    return path.startswith("/v1/messages") or version is not None


def plan(method: str, path: str, version: str | None, body: bytes, stamp: Stamp) -> Plan:
    """The answer to one request; raises Refusal."""
    if method in ("GET", "HEAD") and path == "/v1/models":
        return Plan(_dump(_models(is_anthropic(path, version))))
    make = _ROUTES.get(path)
    if make is None or method != "POST":
        raise Refusal(404, f"there is no {method} {path} here; POST to {', '.join(_ROUTES)} or GET /v1/models")
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "the body must be a JSON object")
    return make(asked, stamp)


# -- OpenAI chat completions


def _chat(asked: Json, stamp: Stamp) -> Plan:
    ask = read_messages(asked, ("max_completion_tokens", "max_tokens"))
    base: Json = {"id": f"chatcmpl-{stamp.id}", "created": stamp.created, "model": ask.model}
    if ask.stream:
        return Plan(events=tuple(_chat_events(ask, base)), thinks=True)
    choices = [
        {
            "index": i,
            "message": {"role": "assistant", "content": "".join(ask.pieces(i)), "refusal": None},
            "logprobs": None,
            "finish_reason": "length" if ask.is_short(i) else "stop",
        }
        for i in range(ask.n)
    ]
    answer = {**base, "object": "chat.completion", "choices": choices, "usage": _chat_usage(ask)}
    return Plan(_dump(answer), tokens=len(ask.pieces()), thinks=True)


def _chat_events(ask: Ask, base: Json) -> Iterable[Event]:
    def chunk(index: int, delta: Json, finish: str | None = None, tokens: int = 0) -> Event:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage: Json = {"usage": None} if ask.include_usage else {}
        return _data({**base, "object": "chat.completion.chunk", "choices": [choice], **usage}, tokens)

    pieces = [ask.pieces(i) for i in range(ask.n)]
    for i in range(ask.n):
        yield chunk(i, {"role": "assistant", "content": "", "refusal": None})
    for step in range(max(map(len, pieces))):  # the choices grow side by side, at the pace of one
        for i in range(ask.n):
            if step < len(pieces[i]):
                yield chunk(i, {"content": pieces[i][step]}, tokens=int(i == 0))
    for i in range(ask.n):
        yield chunk(i, {}, "length" if ask.is_short(i) else "stop")
    if ask.include_usage:
        yield _data({**base, "object": "chat.completion.chunk", "choices": [], "usage": _chat_usage(ask)})
    yield Event(b"data: [DONE]\n\n")


def _chat_usage(ask: Ask) -> Json:
    output = sum(len(ask.pieces(i)) for i in range(ask.n))
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": output,
        "total_tokens": ask.prompt_tokens + output,
    }


# -- OpenAI responses


def _responses(asked: Json, stamp: Stamp) -> Plan:
    ask = read_input(asked)
    text = "".join(ask.pieces())
    whole = _response(ask, stamp, "incomplete" if ask.is_short() else "completed", text)
    if ask.stream:
        return Plan(events=tuple(_response_events(ask, stamp, whole)), thinks=True)
    return Plan(_dump(whole), tokens=len(ask.pieces()), thinks=True)


def _response(ask: Ask, stamp: Stamp, status: str, text: str | None) -> Json:
    ended = text is not None
    output = len(ask.pieces())
    usage = {
        "input_tokens": ask.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": ask.prompt_tokens + output,
    }
    return {
        "id": f"resp_{stamp.id}",
        "object": "response",
        "created_at": stamp.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": ask.max_tokens,
        "model": ask.model,
        "output": [_output_item(stamp, status, text)] if text is not None else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if ended else None,
        "metadata": {},
    }


def _output_item(stamp: Stamp, status: str, text: str | None) -> Json:
    content = [] if text is None else [_text_part(text)]
    return {"id": f"msg_{stamp.id}", "type": "message", "role": "assistant", "status": status, "content": content}


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response_events(ask: Ask, stamp: Stamp, whole: Json) -> Iterable[Event]:
    number = -1

    def event(kind: str, fields: Json, tokens: int = 0) -> Event:
        nonlocal number
        number += 1
        return _named({"type": f"response.{kind}", "sequence_number": number, **fields}, tokens)

    text, status = "".join(ask.pieces()), str(whole["status"])
    begun = _response(ask, stamp, "in_progress", None)
    place: Json = {"item_id": f"msg_{stamp.id}", "output_index": 0, "content_index": 0}
    yield event("created", {"response": begun})
    yield event("in_progress", {"response": begun})
    yield event("output_item.added", {"output_index": 0, "item": _output_item(stamp, "in_progress", None)})
    yield event("content_part.added", {**place, "part": _text_part("")})
    for piece in ask.pieces():
        yield event("output_text.delta", {**place, "delta": piece, "logprobs": []}, tokens=1)
    yield event("output_text.done", {**place, "text": text, "logprobs": []})
    yield event("content_part.done", {**place, "part": _text_part(text)})
    yield event("output_item.done", {"output_index": 0, "item": _output_item(stamp, status, text)})
    yield event(status, {"response": whole})


# -- OpenAI embeddings, models


def _embeddings(asked: Json, stamp: Stamp) -> Plan:
    model = model_of(asked)
    inputs = asked.get("input")
    if inputs is None or inputs == []:
        raise Refusal(400, "input is missing", "input")
    if isinstance(inputs, str) or (isinstance(inputs, list) and isinstance(inputs[0], int)):
        inputs = [inputs]
    if not isinstance(inputs, list):
        raise Refusal(400, "input must be a string or a list", "input")
    texts = [text if isinstance(text, str) else json.dumps(text) for text in inputs]
    size = whole_number(asked, ("dimensions",)) or _EMBEDDING_SIZE
    as_text = asked.get("encoding_format") == "base64"
    vectors = [embedding(text, size) for text in texts]
    data = [
        {"object": "embedding", "index": i, "embedding": _base64(vector) if as_text else vector}
        for i, vector in enumerate(vectors)
    ]
    tokens = sum(map(count, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Plan(_dump({"object": "list", "data": data, "model": model, "usage": usage}), thinks=True)


def embedding(text: str, size: int = _EMBEDDING_SIZE) -> list[float]:
    """A hashed bag of words of length 1: good for plumbing, not for judging a semantic cache."""
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()):
        digest = hashlib.blake2b(word.encode(), digest_size=16).digest()
        for i in range(0, 16, 4):
            place = int.from_bytes(digest[i : i + 3], "big") % size
            vector[place] += 1.0 if digest[i + 3] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _models(anthropic: bool) -> Json:
    if anthropic:
        fixed = {"type": "model", "created_at": "2025-01-01T00:00:00Z"}
        data = [{**fixed, "id": name, "display_name": name} for name in _MODELS]
        return {"data": data, "has_more": False, "first_id": _MODELS[0], "last_id": _MODELS[-1]}
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": _CREATED, "owned_by": "lab"} for name in _MODELS],
    }


# -- Anthropic messages


def _messages(asked: Json, stamp: Stamp) -> Plan:
    if "max_tokens" not in asked:
        raise Refusal(400, "max_tokens: Field required", "max_tokens")
    ask = read_messages(asked, ("max_tokens",))
    ask_text = "".join(ask.pieces())
    stop = "max_tokens" if ask.is_short() else "end_turn"
    usage = {"input_tokens": ask.prompt_tokens, "output_tokens": len(ask.pieces())}
    message: Json = {"id": f"msg_{stamp.id}", "type": "message", "role": "assistant", "model": ask.model}
    if ask.stream:
        return Plan(events=tuple(_message_events(ask, message, stop)), thinks=True)
    content = [{"type": "text", "text": ask_text}]
    whole = {**message, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
    return Plan(_dump(whole), tokens=len(ask.pieces()), thinks=True)


def _message_events(ask: Ask, message: Json, stop: str) -> Iterable[Event]:
    begun: Json = {"content": [], "stop_reason": None, "stop_sequence": None}
    usage = {"input_tokens": ask.prompt_tokens, "output_tokens": 1}
    yield _named({"type": "message_start", "message": {**message, **begun, "usage": usage}})
    yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    yield _named({"type": "ping"})
    for piece in ask.pieces():
        yield _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}, 1)
    yield _named({"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": stop, "stop_sequence": None}
    yield _named({"type": "message_delta", "delta": delta, "usage": {"output_tokens": len(ask.pieces())}})
    yield _named({"type": "message_stop"})


def _count_tokens(asked: Json, stamp: Stamp) -> Plan:
    return Plan(_dump({"input_tokens": read_messages(asked, ()).prompt_tokens}))


# -- writing answers


def _dump(answer: Json) -> bytes:
    return json.dumps(answer).encode()


def _data(fields: Json, tokens: int = 0) -> Event:
    return Event(b"data: " + _dump(fields) + b"\n\n", tokens)


def _named(fields: Json, tokens: int = 0) -> Event:
    return Event(f"event: {fields['type']}\n".encode() + b"data: " + _dump(fields) + b"\n\n", tokens)


_ROUTES: dict[str, Callable[[Json, Stamp], Plan]] = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _responses,
    "/v1/embeddings": _embeddings,
    "/v1/messages": _messages,
    "/v1/messages/count_tokens": _count_tokens,
}
