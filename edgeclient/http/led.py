"""The body of a stream that others may read along, as its leader reads it: alone as ever, until somebody follows.

Before it waits for a part the leader says so (`pulling`), and then looks whether somebody follows; who follows looks the
other way round (`Stream.share`). The two loops are the same but for their colour, and call nothing for a part that they
need not: this is every streamed call's way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..cache.sharing import Reader
from ..cache.streams import Stream
from ..cache.tee import Tee
from .following import next_part, next_part_async
from .sources import AsyncSource, SyncSource


@cache
def led(family: Any, is_async: bool) -> Any:
    """The stream class of a leader: `led(httpx2, True)(stream, tee, flight, request, way)`."""
    return _async_led(family) if is_async else _sync_led(family)


class _Led:
    """What leaders of both colours share: all but the reading."""

    _kind: type[SyncSource | AsyncSource]
    _source: Any  # one of that kind

    def __init__(self, stream: Any, tee: Tee, flight: Stream, request: Any, way: Any) -> None:
        self._flight, self._request, self._source = flight, request, self._kind(stream, tee, flight, way)
        flight.source = self._source  # from now on others can read it, too; who came before waits for that
        if flight.shared is not None:
            self._source.start()

    def __getattr__(self, name: str) -> Any:  # `elapsed`, which Response reads from its stream
        return getattr(self._source.native, name)

    def __del__(self) -> None:
        self._flight.lost()

    def _goes_on_alone(self) -> bool:
        """When somebody would follow: whether that is not possible any more."""
        flight = self._flight
        flight.pulling = False
        flight.pulling = not flight.begin()
        return flight.pulling

    def _ended(self) -> None:
        self._source.tee.end(complete=True)
        self._flight.end()

    def _broke(self, error: BaseException) -> None:
        """While the leader waited for a part; or it was cancelled, and the connection with it."""
        if isinstance(error, Exception):
            self._source.tee.end(complete=False, error=error)
        self._flight.end()

    def _reader(self) -> Reader | None:
        return self._flight.shared.leader if self._flight.shared is not None else None


def _sync_led(family: Any) -> Any:
    class LedStream(_Led, family.SyncByteStream):  # type: ignore[misc]
        _kind = SyncSource

        def __iter__(self) -> Iterator[bytes]:  # a second iteration goes on where the first one stopped
            flight, source = self._flight, self._source
            flight.pulling = True
            while flight.shared is None or self._goes_on_alone():
                try:
                    part = next(source.parts, None)
                except BaseException as error:
                    self._broke(error)
                    raise
                if part is None:
                    return self._ended()
                source.tee.feed(part)
                flight.pulling = False
                if flight.shared is not None:
                    flight.begin()
                yield part
                flight.pulling = True
            reader = self._reader()
            while reader is not None and (part := next_part(reader, family, self._request)) is not None:
                yield part

        def close(self) -> None:
            if self._flight.leave():
                self._source.close()

    return LedStream


def _async_led(family: Any) -> Any:
    class LedStream(_Led, family.AsyncByteStream):  # type: ignore[misc]
        _kind = AsyncSource

        async def __aiter__(self) -> AsyncIterator[bytes]:
            flight, source = self._flight, self._source
            flight.pulling = True
            while flight.shared is None or self._goes_on_alone():
                try:
                    part = await source.parts.__anext__()
                except StopAsyncIteration:
                    self._ended()
                    return
                except BaseException as error:
                    self._broke(error)
                    raise
                source.tee.feed(part)
                flight.pulling = False
                if flight.shared is not None:
                    flight.begin()
                yield part
                flight.pulling = True
            reader = self._reader()
            while reader is not None and (part := await next_part_async(reader, family, self._request)) is not None:
                yield part

        async def aclose(self) -> None:
            if self._flight.leave():
                await self._source.close()

    return LedStream
