"""Copies a body as it passes to its reader. Pure: the stream around it does the reading."""

from __future__ import annotations

from collections.abc import Callable

_WINDOW = 512  # bytes of the end that are searched for the closing event


class Tee:
    """Keeps what passed and calls `on_end(body, error)` exactly once.

    A body is complete at its last byte or at its dialect's closing event, whichever is seen first: SDKs stop at that
    event and close the response, so the last byte may never come. `body` is None when it was not complete, or larger
    than `limit` bytes, or not to be kept (`limit` 0); `error` is what broke it, if anything did.
    """

    __slots__ = ("_closing", "_kept", "_left", "_on_end", "_tail", "ended")

    def __init__(
        self, on_end: Callable[[bytes | None, BaseException | None], None], *, closing: bytes, limit: int
    ) -> None:
        self._on_end, self._left = on_end, limit
        self._closing = b"\n" + closing if closing else b""  # at the start of a line: JSON holds no bare line break
        self._kept: list[bytes] = []
        self._tail = b"\n"
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        """See one more part of the body, before its reader does."""
        if self.ended:
            return
        self._left -= len(chunk)
        if self._left >= 0:
            self._kept.append(chunk)
        if self._closing:
            self._tail = (self._tail + chunk)[-_WINDOW:]
            if self._closing in self._tail and self._tail.endswith((b"\n\n", b"\r\n\r\n")):
                self.end(complete=True)

    def end(self, *, complete: bool, error: BaseException | None = None) -> None:
        """The body is over. Later calls do nothing."""
        if self.ended:
            return
        self.ended = True
        body = b"".join(self._kept) if complete and self._left >= 0 else None
        self._kept.clear()
        self._on_end(body, error)
