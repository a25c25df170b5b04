"""Anthropic messages: `POST /v1/messages`."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from ..values import Json, Piece, Step
from . import sse
from .pieces import cut_apart, fit

_FINISHED = {"end_turn", "stop_sequence"}
_EVENTS = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
}


class AnthropicMessages:
    """An answer is one `message`; its stream runs from `message_start` to `message_stop`."""

    name = "anthropic_messages"
    samples = True
    closing = b"event: message_stop"
    failing = re.compile(rb"\nevent: ?error\b")

    @sse.total(False)
    def storable(self, answer: Json) -> bool:
        blocks = answer.get("content")
        return (
            answer.get("type") == "message"
            and answer.get("stop_reason") in _FINISHED
            and isinstance(answer.get("usage"), dict)
            and isinstance(blocks, list)
            and bool(blocks)
            and all(_plain(block) for block in blocks)
        )

    @sse.total(None)
    def whole(self, events: bytes) -> Json | None:
        found = sse.parsed(events)
        if not found or found[0].get("type") != "message_start" or found[-1].get("type") != "message_stop":
            return None
        message = copy.deepcopy(found[0].get("message"))
        if not isinstance(message, dict) or message.get("content") != []:
            return None
        return message if all(_join(message, event) for event in found[1:]) else None

    def serves(self, has_usage: bool, body: Json) -> bool:
        return True

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        return {"id": f"msg_{fresh_id}"}

    def replay(self, answer: Json, body: Json) -> bytes:
        return sse.joined(self.steps(answer, body, ()))

    @sse.total(False)
    def fits(self, answer: Json, pieces: Sequence[Piece]) -> bool:
        return fit([block["text"] for block in answer["content"]], pieces)

    @sse.total(())
    def spoken(self, event: bytes) -> Sequence[tuple[tuple[int, ...], int]]:
        found = [(one, one.get("delta") or one.get("content_block") or {}) for one in sse.parsed(event) or ()]
        return [((one["index"],), len(text)) for one, said in found if (text := said.get("text"))]

    def steps(self, answer: Json, body: Json, pieces: Sequence[Piece]) -> list[Step]:
        begun = {**answer, "content": [], "stop_reason": None, "stop_sequence": None}
        begun["usage"] = {**answer["usage"], "output_tokens": 0}
        blocks = answer["content"]
        out: list[tuple[float, dict[str, Any]]] = [(0.0, {"type": "message_start", "message": begun})]
        for n, cuts in enumerate(cut_apart([block["text"] for block in blocks], pieces)):
            out.append((0.0, {"type": "content_block_start", "index": n, "content_block": {**blocks[n], "text": ""}}))
            for gap_s, text in cuts:
                delta = {"type": "text_delta", "text": text}
                out.append((gap_s, {"type": "content_block_delta", "index": n, "delta": delta}))
            out.append((0.0, {"type": "content_block_stop", "index": n}))
        ended = {"stop_reason": answer["stop_reason"], "stop_sequence": answer.get("stop_sequence")}
        out.append((0.0, {"type": "message_delta", "delta": ended, "usage": answer["usage"]}))
        out.append((0.0, {"type": "message_stop"}))
        return [(gap_s, sse.event(said, said["type"])) for gap_s, said in out]


def _plain(block: Any) -> bool:
    """True for a block of text alone."""
    return (
        isinstance(block, dict)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
        and bool(block["text"])
        and not any(block.get(field) for field in block.keys() - {"type", "text"})
    )


def _join(message: dict[str, Any], event: dict[str, Any]) -> bool:
    """Apply one event to the message; False when it carries something this does not know how to join."""
    kind = event.get("type")
    if kind not in _EVENTS or kind == "message_start":
        return False
    if kind == "content_block_start":
        block = event.get("content_block")
        if (
            not isinstance(block, dict)
            or block.get("type") != "text"
            or not isinstance(block.get("text"), str)
            or event.get("index") != len(message["content"])
        ):
            return False
        message["content"].append(dict(block))
    elif kind == "content_block_delta":
        delta = event.get("delta")
        if not isinstance(delta, dict) or delta.get("type") != "text_delta" or not message["content"]:
            return False
        if event.get("index") != len(message["content"]) - 1 or not isinstance(delta.get("text"), str):
            return False
        message["content"][-1]["text"] += delta["text"]
    elif kind == "message_delta":
        delta, usage = event.get("delta"), event.get("usage") or {}
        if not isinstance(delta, dict) or not isinstance(usage, dict):
            return False
        if delta.keys() & {"content", "type", "role"}:
            return False
        message.update(delta)
        message["usage"] = {**message.get("usage", {}), **usage}
    return True
