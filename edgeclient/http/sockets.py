"""Reads what the kernel knows of a live connection. Touches sockets that others opened; opens none."""

from __future__ import annotations

import socket
import struct
import urllib.request
from typing import Any

_TCP_INFO = getattr(socket, "TCP_INFO", None)  # Linux; None on macOS and Windows
_SEEN = "_edgeclient_seen"
_BYTES = 160
_RTT, _MIN_RTT = 68, 148  # offsets in struct tcp_info, u32, microseconds


def kernel_rtt(sock: Any) -> tuple[float, float] | None:
    """The (smoothed, minimum) round-trip time of a TCP connection in seconds; None where the kernel does not tell.

    `sock` is a socket, or anything with its `getsockopt` (asyncio, uvloop and trio hand out such). Costs 2 microseconds.
    """
    if _TCP_INFO is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _BYTES)
    except (OSError, AttributeError, ValueError):  # a Unix socket, a sandbox, one that is closed
        return None
    if len(info) < _MIN_RTT + 4:
        return None
    smoothed, minimum = struct.unpack_from("<I", info, _RTT)[0], struct.unpack_from("<I", info, _MIN_RTT)[0]
    if not smoothed or not minimum or minimum == 0xFFFFFFFF:
        return None
    return smoothed * 1e-6, minimum * 1e-6


def rtt_of_response(native: Any) -> tuple[float, float] | None:
    """The round-trip times of the connection that a response of either HTTP family came on."""
    stream = native.extensions.get("network_stream")
    if stream is None:
        return None
    try:
        return kernel_rtt(stream.get_extra_info("socket"))
    except Exception:  # a stream of a user's own transport may do anything
        return None


def is_new(native: Any) -> bool:
    """True for the first response that came on its connection; False when that cannot be told."""
    stream = native.extensions.get("network_stream")
    if stream is None or hasattr(stream, _SEEN):
        return False
    try:
        setattr(stream, _SEEN, True)  # the connection's own object, and gone with it
    except (AttributeError, TypeError):
        return False
    return True


def behind_proxy(host: str) -> bool:
    """True when the environment sends this host through an HTTP proxy: then the kernel's figures are the proxy's."""
    proxies = urllib.request.getproxies()
    if not (proxies.keys() & {"http", "https", "all"}):
        return False
    return not urllib.request.proxy_bypass(host)
