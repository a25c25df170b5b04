"""What OpenAI would have said, out of how AWS's native APIs say it: event streams and errors. No I/O; botocore parses.

What a container streams comes in the payloads of frames, as it wrote it: server-sent events, or one JSON object a line
(LMI). Lines become events here. A frame that says that the stream failed becomes the event by which OpenAI says so.
"""

from __future__ import annotations

import json
from typing import Any

FRAMES = "application/vnd.amazon.eventstream"  # docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
_BLANK = (b"\n\n", b"\r\n\r\n")  # what ends an event
_PART = "PayloadPart"  # botocore 1.44, sagemaker-runtime/2017-05-13 service-2.json: ResponseStream


class Unframed:
    """One stream: frames in, server-sent events out. Raises ValueError for what is no such stream, or ends too early."""

    kind = "text/event-stream"

    def __init__(self) -> None:
        from botocore.eventstream import EventStreamBuffer, ParserError

        self._frames, self._broken = EventStreamBuffer(), ParserError
        self._open = 0  # bytes of a frame that has not come whole
        self._events: _Events | _Lines | None = None  # None: nothing has been said yet, or nothing will be any more

    def feed(self, part: bytes) -> bytes:
        """What is to be read now that this part has come; often nothing."""
        self._open += len(part)
        self._frames.add_data(part)
        said = []
        try:
            for frame in self._frames:
                self._open -= frame.prelude.total_length
                said.append(self._read(frame))
        except self._broken as error:
            raise ValueError(f"the event stream is broken: {error}") from error
        return b"".join(said)

    def end(self) -> bytes:
        """What is left when the last part has come."""
        if self._open:
            raise ValueError("the event stream ended within a frame")
        return self._events.end() if self._events is not None else b""

    def _read(self, frame: Any) -> bytes:
        kind, payload = frame.headers.get(":message-type"), frame.payload
        if kind != "event":
            self._events = None  # half an event is none
            return _failed(frame.headers, payload)
        if frame.headers.get(":event-type") != _PART:
            return b""
        if self._events is None:
            if not payload.strip():
                return b""
            self._events = _Lines() if payload.lstrip()[:1] == b"{" else _Events()
        return self._events.feed(payload)


class ErrorSaid:
    """The body of an error: what AWS says stays in it, beside the `error` that SDKs look for."""

    kind = "application/json"

    def __init__(self, name: str) -> None:
        self._name, self._said = name.partition(":")[0], b""

    def feed(self, part: bytes) -> bytes:
        self._said += part
        return b""

    def end(self) -> bytes:
        said = _object(self._said)
        if not said or "error" in said:
            return self._said
        message = said.get("Message") or said.get("message") or self._name
        error = {"message": message, "type": self._name, "code": self._name}
        return json.dumps({"error": error, **said}).encode()


class _Events:
    """Events as they are, each when it has come whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, payload: bytes) -> bytes:
        said = self._rest + payload
        whole = max((said.rfind(blank) + len(blank) for blank in _BLANK if blank in said), default=0)
        self._rest = said[whole:]
        return said[:whole]

    def end(self) -> bytes:
        return self._rest


class _Lines:
    """Events out of JSON lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, payload: bytes) -> bytes:
        *lines, self._rest = (self._rest + payload).split(b"\n")
        return b"".join([_event(line) for line in lines])

    def end(self) -> bytes:
        return _event(self._rest) + b"data: [DONE]\n\n"


def _event(line: bytes) -> bytes:
    line = line.strip()
    if not line:
        return b""
    if b'"chat.completion"' in line:
        raise ValueError("the container answered with a whole completion where a stream was asked for")
    return b"data: " + line + b"\n\n"


def _failed(headers: Any, payload: bytes) -> bytes:
    """ModelStreamError, InternalStreamFailure, or an error without a body, as an event of OpenAI's."""
    said = _object(payload)
    name = headers.get(":exception-type") or headers.get(":error-code") or "error"
    message = said.get("Message") or said.get("message") or headers.get(":error-message") or str(name)
    error = {"message": message, "type": name, "code": said.get("ErrorCode") or name}
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


def _object(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
