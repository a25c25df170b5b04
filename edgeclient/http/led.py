"""The bodies of a stream that several callers read: its leader's, and those of who follows. Two of each: colours differ."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..cache.sharing import Reader, Stream
from ..cache.tee import Tee
from .sharing import AsyncSource, SyncSource, next_part, next_part_async


@cache
def led(family: Any, is_async: bool) -> Any:
    """The stream class of a leader: `led(httpx2, True)(stream, tee, flight, request, way)`. Alone it reads as ever."""
    return _async_led(family) if is_async else _sync_led(family)


@cache
def following(family: Any, is_async: bool) -> Any:
    """The stream class of a follower: `following(httpx2, True)(reader, request)`."""
    return _async_following(family) if is_async else _sync_following(family)


class _Led:
    """What leaders of both colours share."""

    _kind: type[SyncSource | AsyncSource]
    _source: Any  # one of that kind

    def __init__(self, stream: Any, tee: Tee, flight: Stream, request: Any, way: Any) -> None:
        self._flight, self._request, self._source = flight, request, self._kind(stream, tee, flight, way)
        _set_out(flight, self._source)

    def __getattr__(self, name: str) -> Any:  # `elapsed`, which Response reads from its stream
        return getattr(self._source.native, name)

    def __del__(self) -> None:
        self._flight.lost()


def _sync_led(family: Any) -> Any:
    class LedStream(_Led, family.SyncByteStream):  # type: ignore[misc]
        _kind = SyncSource

        def __iter__(self) -> Iterator[bytes]:  # a second iteration goes on where the first one stopped
            flight, source = self._flight, self._source
            flight.pulling = True  # the leader says so before it looks whether somebody follows: see `Stream.share`
            if flight.shared is None or not _is_joined(flight):
                try:
                    for part in source.parts:
                        source.tee.feed(part)
                        flight.pulling = False
                        if flight.shared is not None:
                            flight.begin()
                        yield part
                        flight.pulling = True
                        if flight.shared is not None and _is_joined(flight):
                            break
                    else:
                        source.tee.end(complete=True)
                        flight.end()
                        return
                except BaseException as error:
                    _broke(flight, source.tee, error)
                    raise
            reader = flight.shared.leader if flight.shared is not None else None
            if reader is not None:
                while (part := next_part(reader, family, self._request)) is not None:
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
            flight.pulling = True  # the leader says so before it looks whether somebody follows: see `Stream.share`
            if flight.shared is None or not _is_joined(flight):
                try:
                    async for part in source.parts:
                        source.tee.feed(part)
                        flight.pulling = False
                        if flight.shared is not None:
                            flight.begin()
                        yield part
                        flight.pulling = True
                        if flight.shared is not None and _is_joined(flight):
                            break
                    else:
                        source.tee.end(complete=True)
                        flight.end()
                        return
                except BaseException as error:
                    _broke(flight, source.tee, error)
                    raise
            reader = flight.shared.leader if flight.shared is not None else None
            if reader is not None:
                while (part := await next_part_async(reader, family, self._request)) is not None:
                    yield part

        async def aclose(self) -> None:
            if self._flight.leave():
                await self._source.close()

    return LedStream


class _Following:
    def __init__(self, reader: Reader, request: Any) -> None:
        self._reader, self._request = reader, request


def _sync_following(family: Any) -> Any:
    class FollowingStream(_Following, family.SyncByteStream):  # type: ignore[misc]
        def __iter__(self) -> Iterator[bytes]:
            while (part := next_part(self._reader, family, self._request)) is not None:
                yield part

        def close(self) -> None:
            _leave(self._reader)

    return FollowingStream


def _async_following(family: Any) -> Any:
    class FollowingStream(_Following, family.AsyncByteStream):  # type: ignore[misc]
        def __aiter__(self) -> AsyncIterator[bytes]:  # no generator: one left half-way is finalised by the event loop
            return self

        async def __anext__(self) -> bytes:
            part = await next_part_async(self._reader, family, self._request)
            if part is None:
                raise StopAsyncIteration
            return part

        async def aclose(self) -> None:
            _leave(self._reader)

    return FollowingStream


def _set_out(flight: Stream, source: SyncSource | AsyncSource) -> None:
    """From now on the response can be read by others, too; who came before waits for that."""
    flight.source = source
    if flight.shared is not None:
        source.start()


def _is_joined(flight: Stream) -> bool:
    """Whether the leader, who would wait for the next part now, reads with others from here on."""
    flight.pulling = False
    if flight.begin():
        return True
    flight.pulling = True  # it cannot be shared any more: the leader goes on alone
    return False


def _broke(flight: Stream, tee: Tee, error: BaseException) -> None:
    """While the leader alone read. An iteration that is given up between two parts breaks nothing."""
    if isinstance(error, Exception):
        tee.end(complete=False, error=error)
    if flight.pulling or isinstance(error, Exception):
        flight.end()


def _leave(reader: Reader) -> None:
    source = reader.shared.stream.source
    if reader.shared.leave(reader) and source is not None:
        source.discard()
