"""Copies a body as it passes to its reader. Pure: the stream around it does the reading."""

from __future__ import annotations

import re
from collections.abc import Callable

_WINDOW = 512  # bytes of the end that are searched for the closing event


class ErrorEvent(Exception):
    """An event of a stream said that the answer broke off; `said` is it, as far as it has come."""

    def __init__(self, said: bytes) -> None:
        super().__init__(said[:_WINDOW])
        self.said = said


class Tee:
    """Keeps what passed and calls `on_end(body, error)` exactly once.

    A body is complete at its last byte or at its dialect's closing event, whichever is seen first: SDKs stop at that
    event and close the response, so the last byte may never come. `body` is None when it was not complete, or larger
    than `limit` bytes, or not to be kept (`limit` 0); `error` is what broke it, if anything did: an exception of the HTTP
    library, or an event in which `failing` was found.
    """

    __slots__ = ("_closing", "_failing", "_kept", "_left", "_on_end", "_tail", "ended")

    def __init__(
        self,
        on_end: Callable[[bytes | None, BaseException | None], None],
        *,
        closing: bytes,
        limit: int,
        failing: re.Pattern[bytes] | None = None,
    ) -> None:
        self._on_end, self._left, self._failing = on_end, limit, failing
        self._closing = b"\n" + closing if closing else b""  # at the start of a line: JSON holds no bare line break
        self._kept: list[bytes] = []
        self._tail = b"\n"
        self.ended = False

    def so_far(self) -> list[bytes] | None:
        """All that passed, from the first byte; None when that is not kept (any more)."""
        return None if self.ended or self._left < 0 else self._kept

    def feed(self, chunk: bytes) -> None:
        """See one more part of the body, before its reader does."""
        if self.ended:
            return
        self._left -= len(chunk)
        if self._left >= 0:
            self._kept.append(chunk)
        if self._closing or self._failing is not None:
            seen = self._tail + chunk
            new = chunk if self._tail.endswith(b"\n") else seen  # lines that were not looked at yet
            self._tail = seen[-_WINDOW:]
            if self._failing is not None and b"error" in new and (found := self._failing.search(seen)) is not None:
                self.end(complete=False, error=ErrorEvent(seen[found.start() :]))
            elif self._closing and self._closing in self._tail and self._tail.endswith((b"\n\n", b"\r\n\r\n")):
                self.end(complete=True)

    def end(self, *, complete: bool, error: BaseException | None = None) -> None:
        """The body is over. Later calls do nothing."""
        if self.ended:
            return
        self.ended = True
        body = b"".join(self._kept) if complete and self._left >= 0 else None
        self._kept.clear()
        self._on_end(body, error)


class AwaitedTee(Tee):
    """A tee whose end other processes wait for: it tells that it was forgotten, too. The collector may come at any time."""

    __slots__ = ()

    def __del__(self) -> None:
        self.end(complete=False)
