"""Streams that show each part of a body to a tee before its reader gets it. Two classes: reading is where colours differ."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..values import Watch


@cache
def teed(family: Any, is_async: bool) -> Any:
    """The stream class of a family: `teed(httpx2, True)(stream, tee)`."""
    return _async_body(family) if is_async else _sync_body(family)


def _sync_body(family: Any) -> Any:
    class TeedStream(family.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, tee: Watch) -> None:
            self._stream, self._tee, self._parts = stream, tee, iter(stream)

        def __iter__(self) -> Iterator[bytes]:  # a second iteration goes on where the first one stopped
            try:
                for part in self._parts:
                    self._tee.feed(part)
                    yield part
            except Exception as error:
                self._tee.end(complete=False, error=error)
                raise
            self._tee.end(complete=True)

        def close(self) -> None:
            try:
                self._stream.close()
            finally:
                self._tee.end(complete=False)

        def __getattr__(self, name: str) -> Any:  # `elapsed`, which Response reads from its stream
            return getattr(self._stream, name)

    return TeedStream


def _async_body(family: Any) -> Any:
    class TeedStream(family.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any, tee: Watch) -> None:
            self._stream, self._tee, self._parts = stream, tee, stream.__aiter__()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for part in self._parts:
                    self._tee.feed(part)
                    yield part
            except Exception as error:
                self._tee.end(complete=False, error=error)
                raise
            self._tee.end(complete=True)

        async def aclose(self) -> None:
            try:
                if isinstance(
                    self._parts, AsyncGenerator
                ):  # left half-way it would be finalised by the event loop, later
                    await self._parts.aclose()
                await self._stream.aclose()
            finally:
                self._tee.end(complete=False)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._stream, name)

    return TeedStream
