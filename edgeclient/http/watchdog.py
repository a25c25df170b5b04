"""Starts one thread while bytes are under way: shuts down sockets whose bytes stay unacknowledged. Optional, off by default.

The kernel gives up after `dead_path_s`, in steps of its own; here a dead path is seen within a few round trips. The thread
begins with the first bytes that are sent and ends when there were none for a while.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from . import sockets

_POLL_S = 0.025
_IDLE_S = 5.0


class Watched(Protocol):
    """A connection's stream. `cut` is set before its socket is shut down, so that its reader knows why."""

    cut: bool

    def socket(self) -> Any: ...


def is_dead(unacked: int, srtt_s: float, elapsed_s: float) -> bool:
    """True when that many segments, unacknowledged for so long, mean that the path is dead.

    One lost segment is no dead path: the kernel sends it again after RTT + 200 ms, and is answered an RTT later.
    """
    return unacked > 0 and elapsed_s > max(2 * srtt_s + 0.25, 3 * srtt_s + 0.1)


class Watchdog:
    """Watches the streams of one edge from the moment they have sent until all of it is acknowledged."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child there is no thread, and the parent's connections are not its own."""
        self._awake = threading.Condition(threading.Lock())
        self._under_way: dict[Watched, float] = {}  # since when
        self._running = False

    @property
    def running(self) -> bool:
        return self._running

    def sent(self, stream: Watched) -> None:
        """Bytes have just been handed to the kernel. Never raises."""
        with self._awake:
            self._under_way.setdefault(stream, self._now())
            if self._running:
                self._awake.notify()
                return
            try:
                threading.Thread(target=self._watch, name="edgeclient-watchdog", daemon=True).start()
                self._running = True
            except RuntimeError:  # no thread to be had: at interpreter exit, or at the limit
                self._under_way.clear()

    def _watch(self) -> None:
        while self._wait():
            time.sleep(_POLL_S)
            self.look()

    def _wait(self) -> bool:
        """Wait for bytes under way; False, and the thread is over, when there are none for a while."""
        with self._awake:
            if not self._under_way and not self._awake.wait_for(lambda: bool(self._under_way), _IDLE_S):
                self._running = False
            return self._running

    def look(self) -> None:
        """Look at every stream once; end those that are dead, forget those that have nothing under way."""
        for stream in list(self._under_way):
            # Taken out first: what is sent while we look puts it in again, with a later time.
            since = self._under_way.pop(stream)
            said = _under_way(stream)
            if said is None or not said.unacked:
                continue
            if is_dead(said.unacked, said.srtt_s, min(self._now() - since, said.since_ack_s)):
                stream.cut = True
                _end(stream.socket())
            else:
                self._under_way.setdefault(stream, since)


def _under_way(stream: Watched) -> sockets.UnderWay | None:
    try:
        return sockets.under_way(stream.socket())
    except Exception:  # an event loop's stream that was closed meanwhile may do anything
        return None


def _end(sock: Any) -> None:
    """Wake the reader now. When it closes the socket, the kernel forgets the bytes: nothing is sent again later."""
    try:
        if isinstance(sock, socket.socket):
            _shut(sock)
        else:  # asyncio's, or uvloop's, which has no `shutdown`
            with socket.fromfd(sock.fileno(), sock.family, sock.type) as twin:
                _shut(twin)
    except (OSError, ValueError):
        pass  # it was closed meanwhile


def _shut(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, sockets.NO_LINGER)
    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which takes the TLS layer from under its reader
