"""What the kernel knows of live connections, and the options that they get. Opens sockets only to see what works."""

from __future__ import annotations

import contextlib
import functools
import math
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..pops.rtt import of_kernel

T = TypeVar("T")

_TCP_INFO = getattr(socket, "TCP_INFO", None)  # Linux; None on macOS and Windows
_SEEN, _SOCKET = "_edgeclient_seen", "_edgeclient_socket"
_BYTES = 168
_UNACKED, _LAST_ACK, _RTT, _MIN_RTT = 24, 56, 68, 148  # offsets in struct tcp_info, u32; milliseconds, microseconds
_RTTS = struct.Struct(f"<{_RTT}xI{_MIN_RTT - _RTT - 4}xI")
_DELIVERY_RATE = 160  # u64; bytes a second

Option = tuple[int, int, int]
NO_LINGER = struct.pack("ii", 1, 0)  # closing ends the connection at once and drops what was not acknowledged


class Unacknowledged(Exception):
    """The last bytes of a request were never acknowledged: the far end's kernel has not got all of it."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What a connection has sent and not seen acknowledged."""

    unacked: int  # segments
    srtt_s: float
    since_ack_s: float  # since anything was acknowledged


def _tcp_info(sock: Any, at_least: int) -> bytes | None:
    """The kernel's `struct tcp_info`; None where it does not tell so many bytes of it."""
    if _TCP_INFO is None:
        return None
    try:
        info: bytes = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _BYTES)
    except (OSError, AttributeError, ValueError):  # a Unix socket, a sandbox, one that is closed
        return None
    return info if len(info) >= at_least else None


def under_way(sock: Any) -> UnderWay | None:
    """What the connection of a socket has under way; None where the kernel does not tell."""
    info = _tcp_info(sock, _RTT + 4)
    if info is None:
        return None
    unacked, last_ack, rtt = (struct.unpack_from("<I", info, at)[0] for at in (_UNACKED, _LAST_ACK, _RTT))
    return UnderWay(unacked, rtt * 1e-6, last_ack * 1e-3)


def kernel_rtt(sock: Any) -> tuple[float, float] | None:
    """The (smoothed, minimum) round-trip time of a TCP connection in seconds; None where the kernel does not tell.

    `sock` is a socket, or anything with its `getsockopt` (asyncio, uvloop and trio hand out such). Costs 2 microseconds.
    """
    info = _tcp_info(sock, _RTTS.size)
    if info is None:
        return None
    smoothed, minimum = _RTTS.unpack_from(info)
    if not smoothed or not minimum or minimum == 0xFFFFFFFF:
        return None
    return smoothed * 1e-6, minimum * 1e-6


def path_rtt(native: Any) -> float | None:
    """The round-trip time, now, of the connection that a response came on, as the kernel has it."""
    said = of_response(native, kernel_rtt)
    return of_kernel(*said) if said is not None else None


@functools.cache
def kernel_tells() -> bool:
    """True where the kernel tells round-trip times at all: it is asked once, about a connection from here to here."""
    if _TCP_INFO is None:
        return False
    try:
        with socket.create_server(("127.0.0.1", 0)) as far, socket.create_connection(far.getsockname(), 1.0) as near:
            return kernel_rtt(near) is not None
    except OSError:  # a sandbox without a loopback
        return False


def upload_bytes_s(sock: Any) -> float | None:
    """How fast a connection last delivered what was sent, in bytes a second; None where the kernel does not tell."""
    info = _tcp_info(sock, _DELIVERY_RATE + 8)
    return float(struct.unpack_from("<Q", info, _DELIVERY_RATE)[0]) or None if info is not None else None


def of_response(native: Any, read: Callable[[Any], T | None]) -> T | None:
    """What the kernel tells of the connection that a response of either HTTP family came on."""
    stream = native.extensions.get("network_stream")
    if stream is None:
        return None
    try:
        sock = getattr(stream, _SOCKET, None) or _kept_socket(stream)
        return read(sock)
    except Exception:  # a stream of a user's own transport may do anything
        return None


def _kept_socket(stream: Any) -> Any:
    """The socket of a connection, looked up once: AnyIO takes longer for that than the kernel for its answer."""
    sock = stream.get_extra_info("socket")
    with contextlib.suppress(AttributeError, TypeError):
        setattr(stream, _SOCKET, sock)  # the connection's own object, and gone with it
    return sock


def is_new(native: Any) -> bool:
    """True for the first response that came on its connection; False when that cannot be told."""
    stream = native.extensions.get("network_stream")
    if stream is None or hasattr(stream, _SEEN):
        return False
    try:
        setattr(stream, _SEEN, True)
    except (AttributeError, TypeError):
        return False
    return True


@functools.cache
def dead_path_options(seconds: float) -> tuple[Option, ...]:
    """Socket options by which the kernel ends a connection whose path is dead, as far as this platform has them.

    Unacknowledged bytes end it after `seconds`. Where no option says so, keep-alive probes do, after 15 seconds of silence.
    Not both at once: see `thinking`.
    """
    idle = next((n for n in ("TCP_KEEPIDLE", "TCP_KEEPALIVE") if hasattr(socket, n)), "")  # macOS has the latter
    kept_alive = (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, idle, 5),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 2),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 5),
    )
    with socket.socket() as trial:
        for wanted in (((socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", max(1, round(seconds * 1e3))),), kept_alive):
            named = [(level, getattr(socket, name), value) for level, name, value in wanted if hasattr(socket, name)]
            taken = tuple(option for option in named if _takes(trial, option))
            if taken:
                return taken
    return ()


def _takes(sock: socket.socket, option: Option) -> bool:
    try:
        sock.setsockopt(*option)
    except OSError:  # a sandbox that does not know it
        return False
    return True


def merged(had: Iterable[Any] | None, ours: Sequence[Option]) -> list[Any]:
    """The options that were set already, and ours for the names that were not."""
    kept = list(had or ())
    names = {tuple(option[:2]) for option in kept}
    return [*kept, *(option for option in ours if option[:2] not in names)]


def first_probe_failure_s(options: Iterable[Any]) -> float:
    """How soon after the last acknowledgement keep-alive probes can end a connection with these options, in seconds.

    A connection that times out sooner had unacknowledged bytes: the kernel sends no probes while it has. Infinite where it
    sends none at all, 0 where that is not known (it holds for Linux, RFC 5482 and `tcp_keepalive_timer`).
    """
    said = {tuple(option[:2]): option[2] for option in options}
    if (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", None)) not in said:
        return 0.0
    if not said.get((socket.SOL_SOCKET, socket.SO_KEEPALIVE)):
        return math.inf
    idle, pause = (said.get((socket.IPPROTO_TCP, name), 0) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL))
    return float(idle + pause)


def behind_proxy(host: str) -> bool:
    """True when the environment sends this host through an HTTP proxy: then the kernel's figures are the proxy's."""
    proxies = urllib.request.getproxies()
    if not (proxies.keys() & {"http", "https", "all"}):
        return False
    return not urllib.request.proxy_bypass(host)
