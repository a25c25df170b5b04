"""Live streams of either SDK, from an origin that sends each part when the test lets it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import anyio
import httpx
import httpx2
import openai
import recording
from canned import answer_to
from shapes import CHAT, MESSAGE
from ways import settled

LONG_S = 20.0  # never waited for unless a test fails
BROKEN = (openai.APIConnectionError, anthropic.APIConnectionError, httpx.HTTPError, httpx2.HTTPError)


class Parts:
    """An answer as an event stream: the head at once, and each further part when `let` is told how many may have gone."""

    def __init__(self, *, breaks_after: int | None = None, filler: int = 0) -> None:
        self.allowed = 0
        self.closed = threading.Event()  # the client has left before the end
        self._breaks_after, self._filler = breaks_after, filler
        self._changed = threading.Condition()

    def let(self, parts: int) -> None:
        with self._changed:
            self.allowed = max(self.allowed, parts)
            self._changed.notify_all()

    @property
    def fault(self) -> recording.Fault:
        return recording.Fault(self._sent, keep=False)

    def _sent(self, request: recording.Seen) -> Iterator[bytes]:
        answer = answer_to(request.method, request.path, request.target, request.body, "fra")
        assert not isinstance(answer.body, bytes)
        events = list(answer.body)
        filler = [b": %d %s\n\n" % (n, b"x" * 65536) for n in range(self._filler)]
        parts = [*events[:1], *filler, *events[1:]]
        try:
            yield recording.head(200, [*answer.headers, ("transfer-encoding", "chunked")])
            for number, part in enumerate(parts):
                if number == self._breaks_after:
                    return
                self._wait(number)
                yield recording.chunk(part)
            yield b"0\r\n\r\n"
        except GeneratorExit:  # what was sent did not go through
            self.closed.set()
            raise

    def _wait(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.allowed > number, LONG_S), "nobody let the next part go"


def until(true: Callable[[], bool]) -> None:
    """A bounded poll on this thread."""
    last = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < last, "it never came to that"
        time.sleep(0.005)


async def until_async(true: Callable[[], bool]) -> None:
    """The same, and other tasks run meanwhile."""
    last = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < last, "it never came to that"
        await anyio.sleep(0.005)


async def opened(client: Any, **more: Any) -> Any:
    """A live stream of either SDK."""
    if hasattr(client, "chat"):
        return await settled(client.chat.completions.create(**{**CHAT, "stream": True, **more}))
    return await settled(client.messages.create(**{**MESSAGE, "stream": True, **more}))


async def first_of(stream: Any) -> Any:
    """One event, and the stream stays open."""
    return next(stream) if hasattr(stream, "__next__") else await stream.__anext__()
