"""The bodies of those who read another caller's stream along, and how a reader of either colour gets its next part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from ..cache.flights import Flight
from ..cache.sharing import Broken, Reader
from ..cache.waiting import wait, wait_async

_UNKNOWN_S = 600.0  # the longest silence where a request does not say: what the SDKs say
_FOREVER_S = 86400.0  # where it says that there is no limit


@cache
def following(family: Any, is_async: bool) -> Any:
    """The stream class of a follower: `following(httpx2, True)(reader, request)`."""
    return _async_following(family) if is_async else _sync_following(family)


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


def _leave(reader: Reader) -> None:
    source = reader.shared.stream.source
    if reader.shared.leave(reader) and source is not None:
        source.discard()


def next_part(reader: Reader, family: Any, request: Any) -> bytes | None:
    """What a reader on a thread gets next; None at the end. Raises what a broken connection raises."""
    while isinstance(found := _taken(reader, family, request), Flight):
        wait(found, _silence_s(request))
        _check(found, family, request)
    return found


async def next_part_async(reader: Reader, family: Any, request: Any) -> bytes | None:
    """The same for a reader that is a task."""
    while isinstance(found := _taken(reader, family, request), Flight):
        await wait_async(found, _silence_s(request))
        _check(found, family, request)
    return found


def _taken(reader: Reader, family: Any, request: Any) -> bytes | Flight | None:
    """Its next part, or a flight that lands with it; then somebody reads on."""
    shared = reader.shared
    try:
        found = shared.take(reader)
        if isinstance(found, Flight) and shared.stream.source is not None:
            shared.stream.source.start()
    except Broken as broken:
        raise _native(broken, family, request) from broken.error
    return found


def _check(turn: Flight, family: Any, request: Any) -> None:
    if turn.landed is None:
        raise family.ReadTimeout("no part of the stream came in time", request=request)


def _silence_s(request: Any) -> float:
    """The longest wait for the next part, as the caller's own request says."""
    said = request.extensions.get("timeout", {}).get("read", _UNKNOWN_S)
    return _FOREVER_S if said is None else float(said)


def _native(broken: Broken, family: Any, request: Any) -> BaseException:
    """The family's own exception, of the class that the leader's was; each reader gets one of its own."""
    kind = getattr(family, type(broken.error).__name__, None)
    if not (isinstance(kind, type) and issubclass(kind, family.RequestError)):
        kind = family.ReadError
    error: BaseException = kind(str(broken), request=request)
    return error
