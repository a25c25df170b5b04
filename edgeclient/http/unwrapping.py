"""Bodies of the API out of what a product wraps them in. Two classes: reading is where colours differ. Opens nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

from ..values import Endpoint, Unwrapping
from . import families


def unwrapped(native: Any, request: Any, endpoint: Endpoint, *, is_async: bool) -> Any:
    """The response to a request with a body of the API in it, where its endpoint's product has wrapped that."""
    product = endpoint.product
    if product is None or not product.wraps:
        return native
    wrapping = product.unwrapping(native.status_code, native.headers)
    if wrapping is None or "content-encoding" in native.headers:
        return native
    family = families.family_of(native)

    def broken(error: ValueError) -> BaseException:
        return families.native_error(request, "RemoteProtocolError", f"{endpoint.name}: {error}")

    native.headers["content-type"] = wrapping.kind
    native.headers.pop("content-length", None)
    if native.is_closed:  # read already: the HTTP client was not asked for a stream
        try:
            content = wrapping.feed(native.content) + wrapping.end()
        except ValueError as error:
            raise broken(error) from error
        said = {"headers": native.headers, "request": request, "extensions": native.extensions}
        made = family.Response(native.status_code, content=content, **said)
        made.elapsed = native.elapsed
        return made
    native.stream = _kind(family, is_async)(native.stream, wrapping, broken)
    return native


@cache
def _kind(family: Any, is_async: bool) -> Any:
    return _async_kind(family) if is_async else _sync_kind(family)


class _Unwrapped(ABC):
    """What both colours share."""

    def __init__(self, stream: Any, wrapping: Unwrapping, broken: Callable[[ValueError], BaseException]) -> None:
        self._stream, self._wrapping, self._broken = stream, wrapping, broken
        self._parts = self._unwrap()  # a second iteration goes on where the first one stopped

    @abstractmethod
    def _unwrap(self) -> Any:
        """The parts of the body, one after the other."""

    def _feed(self, part: bytes) -> bytes:
        try:
            return self._wrapping.feed(part)
        except ValueError as error:
            raise self._broken(error) from error

    def _end(self) -> bytes:
        try:
            return self._wrapping.end()
        except ValueError as error:
            raise self._broken(error) from error

    def __getattr__(self, name: str) -> Any:  # `elapsed`, which Response reads from its stream
        return getattr(self._stream, name)


def _sync_kind(family: Any) -> Any:
    class UnwrappedStream(_Unwrapped, family.SyncByteStream):  # type: ignore[misc]
        def _unwrap(self) -> Iterator[bytes]:
            for part in self._stream:
                if said := self._feed(part):
                    yield said
            if said := self._end():
                yield said

        def __iter__(self) -> Iterator[bytes]:
            return self._parts  # type: ignore[no-any-return]

        def close(self) -> None:
            self._stream.close()

    return UnwrappedStream


def _async_kind(family: Any) -> Any:
    class UnwrappedStream(_Unwrapped, family.AsyncByteStream):  # type: ignore[misc]
        async def _unwrap(self) -> AsyncIterator[bytes]:
            parts = self._stream.__aiter__()
            try:
                async for part in parts:
                    if said := self._feed(part):
                        yield said
            finally:
                if isinstance(parts, AsyncGenerator):  # left half-way it would be finalised by the event loop, later
                    await parts.aclose()
            if said := self._end():
                yield said

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._parts  # type: ignore[no-any-return]

        async def aclose(self) -> None:
            await self._parts.aclose()
            await self._stream.aclose()

    return UnwrappedStream
