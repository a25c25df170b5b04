"""What emulators of products share: reading a request, refusing it, answering it as the API would. No I/O, no clock."""

from __future__ import annotations

import abc
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgeclient.lab import answers
from edgeclient.lab.questions import Refusal

Headers = Sequence[tuple[str, str]]

# What the SDKs and the HTTP libraries send by themselves. Everything else has to be known to the product.
_USUAL = {
    "host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent", "authorization",
    "x-api-key", "anthropic-version", "anthropic-beta", "idempotency-key", "transfer-encoding",
}  # fmt: skip
_JSON = ("content-type", "application/json")


@dataclass(frozen=True)
class Heard:
    """One request. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Mapping[str, Any] = field(default_factory=dict)  # parsed, when it is a JSON object


@dataclass(frozen=True)
class Said:
    """An answer: a body, or the events of a stream."""

    status: int
    headers: Headers
    body: bytes = b""
    events: Sequence[bytes] = ()


class Refused(Exception):
    """The product refuses a request, in its own words."""

    def __init__(self, status: int, body: Any, headers: Headers = ()) -> None:
        super().__init__(f"{status}: {body}")
        self.said = Said(status, (_JSON, *headers), json.dumps(body).encode())


class Emulator(abc.ABC):
    """One product. Subclasses say what they check; `failures` are what it may be told to say next, by name."""

    knows: frozenset[str] = frozenset()  # further headers that it knows
    failures: Mapping[str, tuple[int, Any, Headers]] = {}
    pop = ""  # the code by which its PoP names itself

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.seen: list[Heard] = []
        self.next: list[str] = []  # failures to say before answering again

    def hear(self, heard: Heard) -> Said:
        """Answer a request, or refuse it; never raises."""
        self.seen.append(heard)
        try:
            if heard.method == "GET":
                return self.probed(heard)
            self.check_headers(heard)
            if self.next:
                raise Refused(*self.failures[self.next.pop(0)])
            return self.named(self.answer(heard), heard)
        except Refused as refused:
            return self.named(refused.said, heard)

    def check_headers(self, heard: Heard) -> None:
        """Strict: a header that nobody has documented is a mistake of the client's."""
        odd = [n for n in heard.headers if n not in _USUAL and n not in self.knows and not n.startswith("x-stainless-")]
        if odd:
            raise Refused(400, {"error": {"message": f"emulator: unknown header {', '.join(odd)}", "type": "emulator"}})

    def bearer(self, heard: Heard) -> str:
        return heard.headers.get("authorization", "").removeprefix("Bearer ")

    @abc.abstractmethod
    def answer(self, heard: Heard) -> Said:
        """The product's answer; raises Refused."""

    def probed(self, heard: Heard) -> Said:
        """What a GET without a key gets."""
        return Said(404, (("content-type", "text/plain"),), b"not found")

    def named(self, said: Said, heard: Heard) -> Said:
        """The answer with the headers by which the product names its PoP."""
        return said


def by_the_api(heard: Heard, path: str, model: str = "") -> Said:
    """The answer of the API at a path (`/v1/chat/completions`, `/v1/messages`, ...); raises Refused."""
    asked = dict(heard.body)
    if tools := asked.get("tools"):
        return _whole(path, asked, None, tools[0])
    if "response_format" in asked:
        return _whole(path, asked, '{"city":"Paris"}', None)
    stamp = answers.Stamp("0123456789abcdef01234567", 1_700_000_000)
    version = heard.headers.get("anthropic-version") if path.startswith("/v1/messages") else None
    try:
        plan = answers.plan(
            "POST", path, version, json.dumps({**asked, "model": model or asked.get("model")}).encode(), stamp
        )
    except Refusal as refusal:
        raise Refused(refusal.status, {"error": {"message": str(refusal), "type": "invalid_request_error"}}) from None
    if plan.events:
        return Said(200, (("content-type", "text/event-stream"),), events=[event.data for event in plan.events])
    return Said(200, (_JSON,), plan.body)


def _whole(path: str, asked: Mapping[str, Any], text: str | None, tool: Mapping[str, Any] | None) -> Said:
    """An answer that calls a tool, or that is JSON because a schema was given."""
    if path == "/v1/messages":
        assert tool is not None
        block = {"type": "tool_use", "id": "toolu_1", "name": tool["name"], "input": {"city": "Paris"}}
        whole = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "content": [block],
            "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 3},
        }  # fmt: skip
        return Said(200, (_JSON,), json.dumps(whole).encode())
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if tool is not None:
        called = {"name": tool["function"]["name"], "arguments": '{"city":"Paris"}'}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": called}]
    whole = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop" if tool is None else "tool_calls"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
    }  # fmt: skip
    return Said(200, (_JSON,), json.dumps(whole).encode())
