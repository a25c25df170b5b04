"""OpenAI responses: `POST /responses`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..values import Json, Piece, Step
from . import sse
from .pieces import cut_apart, fit

# What stands in the place of calls, when the rest of an answer is looked at.
_SAID = {"type": "message", "status": "completed", "content": [{"type": "output_text", "text": "."}]}


class OpenAIResponses:
    """An answer is one `response`; its stream ends with `response.completed`, which holds the whole answer again."""

    name = "openai_responses"
    samples = True
    closing = b""  # no [DONE]: the stream runs to its end, and the SDK reads it to its end
    failing = re.compile(rb'\n(event: ?|data: ?\{"type":\s*")(response\.failed|error)\b')

    @sse.total(False)
    def storable(self, answer: Json) -> bool:
        output = answer.get("output")
        return (
            answer.get("object") == "response"
            and answer.get("status") == "completed"
            and not answer.get("error")
            and not answer.get("incomplete_details")
            and isinstance(output, list)
            and bool(output)
            and all(_plain(item) for item in output)
        )

    @sse.total(False)
    def calls_tools(self, answer: Json) -> bool:
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        said = [item for item in answer["output"] if item["type"] != "function_call"] or [_SAID]
        return bool(calls) and all(map(_well_called, calls)) and self.storable({**answer, "output": said})

    @sse.total(None)
    def whole(self, events: bytes) -> Json | None:
        found = sse.parsed(events)
        last = found[-1] if found else {}
        answer = last.get("response")
        return answer if last.get("type") == "response.completed" and isinstance(answer, dict) else None

    def serves(self, has_usage: bool, body: Json) -> bool:
        return not body.get("background") and not body.get("conversation")  # both change state at the provider

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        # A stored response's id is a handle (`previous_response_id`, `responses.retrieve`): a new one would name nothing.
        return {"created_at": now} | ({"id": f"resp_{fresh_id}"} if body.get("store") is False else {})

    def replay(self, answer: Json, body: Json) -> bytes:
        return sse.joined(self.steps(answer, body, ()))

    @sse.total(False)
    def fits(self, answer: Json, pieces: Sequence[Piece]) -> bool:
        return fit(_texts(answer), pieces)

    @sse.total(())
    def spoken(self, event: bytes) -> Sequence[tuple[tuple[int, ...], int]]:
        said = [one for one in sse.parsed(event) or () if one.get("type") == "response.output_text.delta"]
        return [((one["output_index"], one["content_index"]), len(one["delta"])) for one in said if one["delta"]]

    def steps(self, answer: Json, body: Json, pieces: Sequence[Piece]) -> list[Step]:
        begun = {**answer, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
        out: list[tuple[float, dict[str, Any]]] = [
            (0.0, {"type": "response.created", "response": begun}),
            (0.0, {"type": "response.in_progress", "response": begun}),
        ]
        cuts = iter(cut_apart(_texts(answer), pieces))
        for n, item in enumerate(answer["output"]):
            out += _called(n, item) if item["type"] == "function_call" else _item(n, item, cuts)
        out.append((0.0, {"type": "response.completed", "response": answer}))
        return [(gap_s, sse.event({**said, "sequence_number": n}, said["type"])) for n, (gap_s, said) in enumerate(out)]


def _plain(item: Any) -> bool:
    """True for a finished message made of text alone."""
    if not isinstance(item, dict) or item.get("type") != "message" or item.get("status") != "completed":
        return False
    parts = item.get("content")
    return (
        isinstance(parts, list)
        and bool(parts)
        and all(
            isinstance(part, dict)
            and part.get("type") == "output_text"
            and isinstance(part.get("text"), str)
            and bool(part["text"])
            and not part.get("logprobs")
            and not part.get("annotations")
            for part in parts
        )
    )


def _well_called(item: Json) -> bool:
    """True for a whole call of a function of the caller's."""
    known = {"type", "id", "status", "call_id", "name", "arguments"}
    return (
        item["status"] == "completed"
        and all(isinstance(item[field], str) for field in ("id", "call_id", "name", "arguments"))
        and not any(item[field] for field in item.keys() - known)
    )


def _texts(answer: Json) -> list[str]:
    return [part["text"] for item in answer["output"] if item["type"] == "message" for part in item["content"]]


def _item(n: int, item: dict[str, Any], cuts: Iterator[list[tuple[float, str]]]) -> list[tuple[float, dict[str, Any]]]:
    """The events of one message of the output, the texts of its parts as they are cut."""
    begun = {**item, "status": "in_progress", "content": []}
    out: list[tuple[float, dict[str, Any]]] = [
        (0.0, {"type": "response.output_item.added", "output_index": n, "item": begun})
    ]
    for m, part in enumerate(item["content"]):
        where = {"item_id": item.get("id", ""), "output_index": n, "content_index": m}
        text = {"text": part["text"], "logprobs": []}
        out.append((0.0, {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}))
        for gap_s, piece in next(cuts):
            out.append((gap_s, {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}))
        out.append((0.0, {"type": "response.output_text.done", **where, **text}))
        out.append((0.0, {"type": "response.content_part.done", **where, "part": part}))
    return [*out, (0.0, {"type": "response.output_item.done", "output_index": n, "item": item})]


def _called(n: int, item: dict[str, Any]) -> list[tuple[float, dict[str, Any]]]:
    """The events of one call of the output."""
    where, arguments = {"item_id": item["id"], "output_index": n}, item["arguments"]
    begun, done = {**item, "status": "in_progress", "arguments": ""}, {"name": item["name"], "arguments": arguments}
    return [
        (0.0, {"type": "response.output_item.added", "output_index": n, "item": begun}),
        (0.0, {"type": "response.function_call_arguments.delta", **where, "delta": arguments}),
        (0.0, {"type": "response.function_call_arguments.done", **where, **done}),
        (0.0, {"type": "response.output_item.done", "output_index": n, "item": item}),
    ]
