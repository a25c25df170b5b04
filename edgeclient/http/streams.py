"""Backends around those of a connection pool, and streams that tell a watchdog what is sent. Open nothing themselves.

They have the documented methods of httpcore's `NetworkBackend` and `NetworkStream`, in both colours. These streams are made
only when the watchdog is on. A `trace` extension would not do: on a warm connection its events say no socket.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .sockets import Unacknowledged
from .watchdog import Watchdog


class _Around:
    """What streams of both colours share. `alone`: one request at a time (HTTP/1.1), so what is unacknowledged is its end."""

    def __init__(self, inner: Any, watchdog: Watchdog, alone: bool) -> None:
        self._inner, self._watchdog, self._alone = inner, watchdog, alone
        self.cut = False

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def socket(self) -> Any:
        return self._inner.get_extra_info("socket")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever a read fails with after the cut: the cut is why."""
        try:
            yield
        except Exception as error:
            if self.cut:
                raise self._died() from error
            raise

    def _told(self, data: bytes) -> bytes:
        """What was read; after the cut an end is none."""
        if not data and self.cut:
            raise self._died()
        return data

    def _died(self) -> Exception:
        """The pool's own exception, which also says what the watchdog saw: a cause gets lost, as pools raise `from None`."""
        error: Any = sys.modules[type(self._inner).__module__.partition(".")[0]].ReadError
        kind: Any = type("DeadPath", (error, Unacknowledged), {}) if self._alone else error
        return kind("the path is dead")  # type: ignore[no-any-return]


class Stream(_Around):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._reading():
            data: bytes = self._inner.read(max_bytes, timeout)
        return self._told(data)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)
        self._watchdog.sent(self)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> Stream:
        return Stream(self._inner.start_tls(*args, **kwargs), self._watchdog, self._alone)


class AsyncStream(_Around):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with self._reading():
            data: bytes = await self._inner.read(max_bytes, timeout)
        return self._told(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)
        self._watchdog.sent(self)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> AsyncStream:
        return AsyncStream(await self._inner.start_tls(*args, **kwargs), self._watchdog, self._alone)


class Backend:
    """A pool's way to open connections, whose streams get another around them."""

    def __init__(self, inner: Any, around: Callable[[Any], Any]) -> None:
        self._inner, self._around = inner, around

    def __getattr__(self, name: str) -> Any:  # `sleep`, `connect_unix_socket`
        return getattr(self._inner, name)

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(self._inner.connect_tcp(*args, **kwargs))


class AsyncBackend(Backend):
    async def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(await self._inner.connect_tcp(*args, **kwargs))
