"""Anthropic messages: `POST /v1/messages`."""

from __future__ import annotations

import copy
import json
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

    @sse.total(False)
    def calls_tools(self, answer: Json) -> bool:
        blocks = answer["content"]
        calls = [block for block in blocks if block["type"] == "tool_use"]
        said = [block for block in blocks if block["type"] != "tool_use"] or [{"type": "text", "text": "."}]
        return (
            answer["stop_reason"] == "tool_use"
            and bool(calls)
            and all(map(_well_called, calls))
            and self.storable({**answer, "content": said, "stop_reason": "end_turn"})
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
        for n, cuts in enumerate(cut_apart([block.get("text", "") for block in blocks], pieces)):
            calls = blocks[n]["type"] == "tool_use"
            empty = {**blocks[n], "input": {}} if calls else {**blocks[n], "text": ""}
            out.append((0.0, {"type": "content_block_start", "index": n, "content_block": empty}))
            for gap_s, text in cuts:
                delta = {"type": "text_delta", "text": text}
                if calls:
                    delta = {"type": "input_json_delta", "partial_json": sse.dumps(blocks[n]["input"]).decode()}
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


def _well_called(block: Json) -> bool:
    """True for a whole call of a tool of the caller's."""
    return (
        isinstance(block["id"], str)
        and isinstance(block["name"], str)
        and isinstance(block["input"], dict)
        and not any(block[field] for field in block.keys() - {"type", "id", "name", "input", "caller"})
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
            or not (_begins_text(block) or _begins_call(block))
            or event.get("index") != len(message["content"])
        ):
            return False
        message["content"].append(dict(block))
    elif kind == "content_block_delta":
        delta = event.get("delta")
        if not isinstance(delta, dict) or not message["content"]:
            return False
        if event.get("index") != len(message["content"]) - 1:
            return False
        return _join_delta(message["content"][-1], delta)
    elif kind == "content_block_stop":
        block = message["content"][-1] if message["content"] else {}
        if isinstance(block.get("input"), str):  # its JSON, whole now
            block["input"] = json.loads(block["input"])
    elif kind == "message_delta":
        delta, usage = event.get("delta"), event.get("usage") or {}
        if not isinstance(delta, dict) or not isinstance(usage, dict):
            return False
        if delta.keys() & {"content", "type", "role"}:
            return False
        message.update(delta)
        message["usage"] = {**message.get("usage", {}), **usage}
    return True


def _begins_text(block: Json) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def _begins_call(block: Json) -> bool:
    return block.get("type") == "tool_use" and block.get("input") == {}


def _join_delta(block: dict[str, Any], delta: Json) -> bool:
    """Add to the block that is under way; the input of a call is its JSON until the block ends."""
    if block["type"] == "text" and delta.get("type") == "text_delta" and isinstance(delta.get("text"), str):
        block["text"] += delta["text"]
        return True
    if block["type"] == "tool_use" and delta.get("type") == "input_json_delta":
        if delta["partial_json"]:  # the first one is empty
            block["input"] = (block["input"] or "") + delta["partial_json"]
        return True
    return False
