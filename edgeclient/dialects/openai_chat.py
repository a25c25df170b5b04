"""OpenAI chat completions: `POST /chat/completions`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..values import Json, Piece, Step
from . import sse
from .pieces import cut, fit

_CHUNK = {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation"}
_DELTA = {"role", "content", "refusal", "tool_calls"}
_TEXT = {"role", "content"}


class OpenAIChat:
    """An answer is one `chat.completion`; its stream is a run of `chat.completion.chunk` events, then `[DONE]`."""

    name = "openai_chat"
    samples = True
    closing = b"data: [DONE]"
    # A member of the chunk itself: what Azure says of its filters ("error": not filtered) is deeper, and no end.
    failing = re.compile(rb'\ndata: ?\{[^{}\n]*"error":\s*\{')

    @sse.total(False)
    def storable(self, answer: Json) -> bool:
        choices = answer.get("choices")
        if answer.get("object") != "chat.completion" or not isinstance(choices, list) or not choices:
            return False
        return all(map(_finished, choices))

    @sse.total(False)
    def calls_tools(self, answer: Json) -> bool:
        calling = [choice for choice in answer["choices"] if choice["message"].get("tool_calls")]
        return bool(calling) and all(map(_well_called, calling)) and self.storable(_without_calls(answer))

    @sse.total(None)
    def whole(self, events: bytes) -> Json | None:
        chunks = sse.parsed(events)
        if b"data: [DONE]" not in events[-64:]:
            return None  # cut, by a proxy that closes cleanly: a choice may be missing
        if not chunks or not all(isinstance(chunk.get("choices"), list) and chunk.keys() <= _CHUNK for chunk in chunks):
            return None
        choices: dict[int, dict[str, Any]] = {}
        usage = None
        for chunk in chunks:
            usage = chunk.get("usage") or usage
            for part in chunk["choices"]:
                if not isinstance(part, dict) or not _join(choices, part):
                    return None
        first = chunks[0]
        answer: dict[str, Any] = {
            k: first[k] for k in ("id", "created", "model", "service_tier", "system_fingerprint") if k in first
        }
        answer |= {"object": "chat.completion", "choices": [choices[n] for n in sorted(choices)]}
        return answer | ({"usage": usage} if usage else {})

    def serves(self, has_usage: bool, body: Json) -> bool:
        return has_usage or bool(body.get("stream") and not _with_usage(body))

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        return {"id": f"chatcmpl-{fresh_id}", "created": now}

    def replay(self, answer: Json, body: Json) -> bytes:
        return sse.joined(self.steps(answer, body, ()))

    @sse.total(False)
    def fits(self, answer: Json, pieces: Sequence[Piece]) -> bool:
        return fit([choice["message"]["content"] for choice in answer["choices"]], pieces)

    @sse.total(())
    def spoken(self, event: bytes) -> Sequence[tuple[tuple[int, ...], int]]:
        parts = [part for chunk in sse.parsed(event) or () for part in chunk["choices"]]
        return [((part["index"],), len(text)) for part in parts if (text := part["delta"].get("content"))]

    def steps(self, answer: Json, body: Json, pieces: Sequence[Piece]) -> list[Step]:
        rest = dict(answer)
        usage = rest.pop("usage", None)
        choices = rest.pop("choices")
        head = {**rest, "object": "chat.completion.chunk"} | ({"usage": None} if _with_usage(body) else {})
        out: list[tuple[float, Json]] = []
        for choice in choices:
            empty = None if choice["message"]["content"] is None else ""
            first = {"role": choice["message"]["role"], "content": empty, "refusal": None}
            out.append((0.0, {**head, "choices": [_part(choice["index"], first, None)]}))
        for gap_s, n, text in cut([choice["message"]["content"] or "" for choice in choices], pieces):
            if text:
                out.append((gap_s, {**head, "choices": [_part(choices[n]["index"], {"content": text}, None)]}))
        for choice in choices:
            for delta in _spelled(choice["message"].get("tool_calls") or ()):
                out.append((0.0, {**head, "choices": [_part(choice["index"], {"tool_calls": [delta]}, None)]}))
        for choice in choices:
            out.append((0.0, {**head, "choices": [_part(choice["index"], {}, choice["finish_reason"])]}))
        if _with_usage(body):
            out.append((0.0, {**head, "choices": [], "usage": usage}))
        return [*((gap_s, sse.event(said)) for gap_s, said in out), (0.0, sse.DONE)]


def _finished(choice: Any) -> bool:
    """True for a choice that ended by itself, with text and nothing else."""
    message = choice.get("message") if isinstance(choice, dict) else None
    return (
        isinstance(message, dict)
        and choice.get("finish_reason") == "stop"
        and isinstance(choice.get("index"), int)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        and bool(message["content"])
        and not any(map(message.get, message.keys() - _TEXT))
        and not choice.get("logprobs")
    )


def _join(choices: dict[int, dict[str, Any]], part: dict[str, Any]) -> bool:
    """Add one streamed part to its choice; False when it carries something this does not know how to join."""
    delta = part.get("delta")
    if not isinstance(delta, dict) or part.get("logprobs"):
        return False
    if any(delta.get(field) for field in delta.keys() - _DELTA):
        return False
    text, refusal = delta.get("content"), delta.get("refusal")
    if refusal or not isinstance(text, str | None) or not isinstance(part.get("index"), int):
        return False
    choice = choices.setdefault(
        part["index"],
        {
            "index": part["index"],
            "message": {"role": "assistant", "content": None, "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        },
    )
    if text is not None:
        choice["message"]["content"] = (choice["message"]["content"] or "") + text
    choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    return all(_join_call(choice["message"], said) for said in delta.get("tool_calls") or ())


def _join_call(message: dict[str, Any], said: dict[str, Any]) -> bool:
    """Add a part of a call to the calls of a message; False as above."""
    calls, function = message.setdefault("tool_calls", []), said.get("function") or {}
    if said.keys() - {"index", "id", "type", "function"} or function.keys() - {"name", "arguments"}:
        return False
    if said["index"] == len(calls):
        named = {"name": function["name"], "arguments": ""}
        calls.append({"id": said["id"], "type": said.get("type") or "function", "function": named})
    elif said["index"] != len(calls) - 1 or said.get("id") or function.get("name"):
        return False
    calls[-1]["function"]["arguments"] += function.get("arguments") or ""
    return True


def _spelled(calls: Sequence[Json]) -> Iterator[Json]:
    """The parts in which calls are streamed."""
    for n, call in enumerate(calls):
        yield {"index": n, **call, "function": {**call["function"], "arguments": ""}}
        yield {"index": n, "function": {"arguments": call["function"]["arguments"]}}


def _well_called(choice: Json) -> bool:
    """True for a choice that ended with whole calls of functions. One that is made to call ends with "stop"."""
    return choice["finish_reason"] in ("tool_calls", "stop") and all(
        call.keys() == {"id", "type", "function"}
        and call["type"] == "function"
        and call["function"].keys() == {"name", "arguments"}
        and all(isinstance(said, str) for said in (call["id"], *call["function"].values()))
        for call in choice["message"]["tool_calls"]
    )


def _without_calls(answer: Json) -> Json:
    """The answer as if each choice that calls tools had said something in their place."""
    said = []
    for choice in answer["choices"]:
        message = choice["message"]
        if message.get("tool_calls"):
            text = message["content"]
            message = {**message, "tool_calls": None, "content": "." if text in (None, "") else text}
            choice = {**choice, "message": message, "finish_reason": "stop"}
        said.append(choice)
    return {**answer, "choices": said}


def _part(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _with_usage(body: Json) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))
