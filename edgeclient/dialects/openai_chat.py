"""OpenAI chat completions: `POST /chat/completions`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..values import Json, Piece, Step
from . import sse
from .pieces import cut, fit

_CHUNK = {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation"}
_DELTA = {"role", "content", "refusal"}
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
            first = {"role": choice["message"]["role"], "content": "", "refusal": None}
            out.append((0.0, {**head, "choices": [_part(choice["index"], first, None)]}))
        for gap_s, n, text in cut([choice["message"]["content"] for choice in choices], pieces):
            out.append((gap_s, {**head, "choices": [_part(choices[n]["index"], {"content": text}, None)]}))
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
    text, refusal = delta.get("content") or "", delta.get("refusal")
    if refusal or not isinstance(text, str) or not isinstance(part.get("index"), int):
        return False
    choice = choices.setdefault(
        part["index"],
        {
            "index": part["index"],
            "message": {"role": "assistant", "content": "", "refusal": None},
            "logprobs": None,
            "finish_reason": None,
        },
    )
    choice["message"]["content"] += text
    choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
    return True


def _part(index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _with_usage(body: Json) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))
