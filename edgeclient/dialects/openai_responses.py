"""OpenAI responses: `POST /responses`."""

from __future__ import annotations

import re
from typing import Any

from ..values import Json
from . import sse


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
        begun = {**answer, "status": "in_progress", "output": [], "usage": None, "completed_at": None}
        steps: list[dict[str, Any]] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
        ]
        for n, item in enumerate(answer["output"]):
            steps += _item(n, item)
        steps.append({"type": "response.completed", "response": answer})
        return b"".join(sse.event({**step, "sequence_number": n}, step["type"]) for n, step in enumerate(steps))


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


def _item(n: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of one message of the output."""
    steps: list[dict[str, Any]] = [
        {"type": "response.output_item.added", "output_index": n}
        | {"item": {**item, "status": "in_progress", "content": []}}
    ]
    for m, part in enumerate(item["content"]):
        where = {"item_id": item.get("id", ""), "output_index": n, "content_index": m}
        text = {"text": part["text"], "logprobs": []}
        steps += [
            {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **where, "delta": part["text"], "logprobs": []},
            {"type": "response.output_text.done", **where, **text},
            {"type": "response.content_part.done", **where, "part": part},
        ]
    return [*steps, {"type": "response.output_item.done", "output_index": n, "item": item}]
