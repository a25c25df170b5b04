"""Answers of the dialects, as the providers send them: made of the texts that a test wants in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeclient.cache import policy
from edgeclient.dialects import aside_of, dialect_of
from edgeclient.values import Call, Dialect, Reply

PATHS = {
    "openai_chat": "/chat/completions",
    "openai_responses": "/responses",
    "openai_embeddings": "/embeddings",
    "anthropic_messages": "/v1/messages",
    "anthropic_count_tokens": "/v1/messages/count_tokens",
    "openai_input_tokens": "/responses/input_tokens",
    "openai_moderations": "/moderations",
}


def cases(name: str) -> Any:
    """The table of that name."""
    return json.loads((Path(__file__).parent / "cases" / f"{name}.json").read_text("utf-8"))


def dialect(name: str) -> Dialect:
    found = dialect_of("POST", PATHS[name]) or aside_of("POST", PATHS[name])
    assert found is not None and found[1].name == name
    return found[1]


def chat(*texts: str) -> dict[str, Any]:
    choices = [
        {"index": n, "message": _said(text), "logprobs": None, "finish_reason": "stop"} for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": choices,
        "usage": usage,
    }  # fmt: skip


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "refusal": None}


def responses(*texts: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    usage = {
        "input_tokens": 3, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7,
    }  # fmt: skip
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None,
        "incomplete_details": None, "model": "gpt-4o", "output": [message], "parallel_tool_calls": True,
        "tool_choice": "auto", "tools": [], "usage": usage,
    }  # fmt: skip


def embeddings(*texts: str) -> dict[str, Any]:
    data = [{"object": "embedding", "index": n, "embedding": [0.5, float(len(t))]} for n, t in enumerate(texts)]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}


def messages(*texts: str) -> dict[str, Any]:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-of-tests",
        "content": [{"type": "text", "text": text} for text in texts],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 4},
    }  # fmt: skip


def count_tokens(*texts: str) -> dict[str, Any]:
    return {"input_tokens": len("".join(texts))}


def input_tokens(*texts: str) -> dict[str, Any]:
    return {"object": "response.input_tokens", "input_tokens": len("".join(texts))}


def moderations(*texts: str) -> dict[str, Any]:
    results = [
        {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.1}} for _ in texts
    ]
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": results}


ANSWERS = {
    "openai_chat": chat,
    "openai_responses": responses,
    "openai_embeddings": embeddings,
    "anthropic_messages": messages,
    "anthropic_count_tokens": count_tokens,
    "openai_input_tokens": input_tokens,
    "openai_moderations": moderations,
}


def storable(name: str, texts: Sequence[str]) -> dict[str, Any]:
    return ANSWERS[name](*texts)


def call(name: str, body: dict[str, Any]) -> Call:
    """A call of that dialect, as the pipeline would make it."""
    return Call(
        sdk=name.partition("_")[0], method="POST", origin="", path=PATHS[name], dialect=dialect(name), body=body, key="k",
        streamed=body.get("stream") is True,
    )  # fmt: skip


def replayed(name: str, texts: Sequence[str], **body: Any) -> bytes:
    """What a hit of that answer sends to a call with `body`."""
    asked = {member: value for member, value in body.items() if member != "stream"}
    stored = policy.entry_of(
        call(name, asked), Reply(200, []), json.dumps(storable(name, texts)).encode(), now=0.0, fresh_s=1.0, endpoint="",
        pop="",
    )  # fmt: skip
    assert stored is not None
    return policy.render(stored, call(name, body), 1_700_000_000.5)
