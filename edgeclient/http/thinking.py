"""Streams whose socket options have two stages: a request is under way, and the far end thinks. Open nothing themselves.

While bytes are under way the kernel ends the connection when they stay unacknowledged (`TCP_USER_TIMEOUT`). While the far end
thinks there are none, and only keep-alive probes tell a dead path; but with that option Linux takes the first lost probe for
one (`tcp_keepalive_timer`). So a read that lasts looks at what is under way: once all has been acknowledged the option is
switched off and probes are switched on, of which several in a row have to be lost. The next write switches back.

A long upload has the second stage from its beginning: with the option Linux would also end a connection whose far end only
reads slowly, as then nothing is acknowledged either.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable
from typing import Any

from . import sockets
from .sockets import Option

_LOOK_S = 3.0  # a read that lasts so long looks at what is under way
_STALLED_S = 1.0  # no acknowledgement for so long, with bytes under way: an upload that only takes long has some
_LONG = 64 * 2**10  # bytes: the first receive window of a far end takes less
_IDLE_S, _PAUSE_S, _LOST = 10, 5, 6  # a gap of 25 seconds ends no call; a dead path is noticed within 43

Stages = tuple[tuple[Option, ...], tuple[Option, ...]]


def stages(options: Iterable[Any]) -> Stages | None:
    """The options that change, while bytes are under way and while the far end thinks, of sockets opened with these.

    None where bytes under way have no time limit, so that nothing has to change, and where it is so long that nobody could
    tell its end from that of probes.
    """
    limit = (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", -1))
    alive = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    opened = {tuple(option[:2]): option[2] for option in options}
    if not 0 < opened.get(limit, 0) < 1e3 * first_failure_s():
        return None
    thinks: tuple[Option, ...] = (
        (*limit, 0),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PAUSE_S),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _LOST),
        (*alive, 1),
    )
    names = [option[:2] for option in thinks]
    return tuple((*name, opened.get(name, 0)) for name in names if name in opened or name == alive), thinks


def first_failure_s() -> float:
    """How soon after a write lost probes can end a connection, in seconds: at the earliest."""
    return float(_IDLE_S + _PAUSE_S)


class _Staged:
    """What streams of both colours share. `alone`: one request at a time (HTTP/1.1), so nobody writes while one reads.

    `timed_out`: the class of the pool's exceptions for a read that took too long.
    """

    def __init__(self, inner: Any, stages: Stages, alone: bool, timed_out: type[Exception]) -> None:
        self._inner, self._stages, self._alone, self._timed_out = inner, stages, alone, timed_out
        self.get_extra_info = inner.get_extra_info
        self._thinks = False
        self._sent = 0  # bytes since the last read

    def _around(self, inner: Any) -> Any:
        """The same around this connection's TLS."""
        return type(self)(inner, self._stages, self._alone, self._timed_out)

    def _look(self, error: Exception) -> bool:
        """A read has lasted: True when nothing is left to be seen for as long as it lasts.

        Raises its error if that was the kernel's: a dead path.
        """
        if getattr(error.__cause__, "errno", None) == errno.ETIMEDOUT:
            raise error
        said = sockets.under_way(self.get_extra_info("socket"))
        if said is None:
            return True
        if not said.unacked and not self._thinks:
            self._switch(True)
        elif said.unacked and self._thinks and said.since_ack_s > _STALLED_S:
            self._switch(False)
        return self._alone and not said.unacked

    def _switch(self, thinks: bool) -> None:
        self._thinks = thinks
        sock = self.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):  # closed meanwhile: what follows says so
            for option in self._stages[thinks]:
                sock.setsockopt(*option)


class Stream(_Staged):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sent = 0
        while timeout is None or timeout > _LOOK_S:
            try:
                return self._inner.read(max_bytes, _LOOK_S)  # type: ignore[no-any-return]
            except self._timed_out as error:
                timeout = None if timeout is None else timeout - _LOOK_S
                if self._look(error):
                    break
        return self._inner.read(max_bytes, timeout)  # type: ignore[no-any-return]

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent += len(buffer)
        if self._thinks is not (self._sent > _LONG):
            self._switch(not self._thinks)
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(self._inner.start_tls(*args, **kwargs))


class AsyncStream(_Staged):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sent = 0
        while timeout is None or timeout > _LOOK_S:
            try:
                return await self._inner.read(max_bytes, _LOOK_S)  # type: ignore[no-any-return]
            except self._timed_out as error:
                timeout = None if timeout is None else timeout - _LOOK_S
                if self._look(error):
                    break
        return await self._inner.read(max_bytes, timeout)  # type: ignore[no-any-return]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent += len(buffer)
        if self._thinks is not (self._sent > _LONG):
            self._switch(not self._thinks)
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return self._around(await self._inner.start_tls(*args, **kwargs))
