"""What an exception of either family says about an attempt, by the names of its classes and by what it came from. Pure."""

from __future__ import annotations

import errno
import socket
import ssl

from ..values import Failure
from . import sockets


def failure_of(error: BaseException, *, early: bool = False) -> Failure | None:
    """What an exception says about the attempt; None when it is not the attempt's own failure (a bug, a cancellation).

    `early`: it came too soon to be the end of keep-alive probes, which follow only when all has been acknowledged.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if "HTTPStatusError" in names:  # raised by a response hook of the user's HTTP client
        status = getattr(getattr(error, "response", None), "status_code", 0)
        return Failure.THROTTLED if status == 429 else Failure.STATUS if status >= 500 else None
    if "PoolTimeout" in names:
        return Failure.POOL
    if "ConnectTimeout" in names:
        return Failure.CONNECT_TIMEOUT
    if "ConnectError" in names:
        return _connect_failure(error)
    if "TransportError" in names and (dead := _dead_path(error, early)):
        return dead
    if "TimeoutException" in names:
        return Failure.READ_TIMEOUT
    if names & {"ProtocolError", "DecodingError"}:
        parted = "disconnected" in str(error) or "closed connection" in str(error)
        return Failure.TERMINATED if parted else Failure.PROTOCOL
    if names & {"TransportError", "SSLError", "EndOfStream"}:
        return Failure.TERMINATED
    return None


def request_error(error: BaseException) -> str:
    """The name of the family's own class of an exception that a request ended with; "" for any other exception."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] in ("httpx", "httpx2")]
    return names[0] if "RequestError" in names else ""


def _dead_path(error: BaseException, early: bool) -> Failure | None:
    """What it was when the kernel (ETIMEDOUT) or the watchdog gave the path up: no slow answer, in any case."""
    causes = _causes(error)
    if any(isinstance(cause, sockets.Unacknowledged) for cause in causes):
        return Failure.UNACKNOWLEDGED
    if any(isinstance(cause, OSError) and cause.errno == errno.ETIMEDOUT for cause in causes):
        return Failure.UNACKNOWLEDGED if early else Failure.TERMINATED
    return None


def _connect_failure(error: BaseException) -> Failure:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return Failure.TLS
        if isinstance(cause, socket.gaierror):
            return Failure.DNS
        if isinstance(cause, ConnectionRefusedError):
            return Failure.REFUSED
    text = str(error)
    if "SSL" in text or "CERTIFICATE" in text:
        return Failure.TLS
    return Failure.CONNECT


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it came from, innermost last; exception groups of connection races are opened."""
    found: list[BaseException] = []
    open_ones: list[BaseException | None] = [error]
    while open_ones and len(found) < 32:
        one = open_ones.pop()
        if one is not None and one not in found:
            found.append(one)
            open_ones += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found
