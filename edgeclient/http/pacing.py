"""Bodies that come at the pace that is kept with their entry. Two classes: waiting is where colours differ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..cache.pace import Paced
from ..runtime.protocol import run_sync


@cache
def paced(family: Any, is_async: bool) -> Any:
    """The stream class of a family: `paced(httpx2, True)(stream)`."""
    return _async_paced(family) if is_async else _sync_paced(family)


def _sync_paced(family: Any) -> Any:
    class PacedStream(family.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Paced) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:  # a second iteration goes on where the first one stopped
            while (part := run_sync(self._stream.part())) is not None:
                yield part

        def close(self) -> None:
            self._stream.close()

    return PacedStream


def _async_paced(family: Any) -> Any:
    class PacedStream(family.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Paced) -> None:
            self._stream = stream

        def __aiter__(self) -> AsyncIterator[bytes]:  # no generator: one left half-way is finalised by the event loop
            return self

        async def __anext__(self) -> bytes:
            part = await self._stream.part()
            if part is None:
                raise StopAsyncIteration
            return part

        async def aclose(self) -> None:
            self._stream.close()

    return PacedStream
