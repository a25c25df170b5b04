"""What we do to the pools of HTTP clients that an SDK made: how connections are opened, kept, and given up. Opens nothing.

Of either family, by names that neither promises; where one is not there, that pool is left as it is.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Sequence
from typing import Any

from ..pops.ip_versions import IpVersions
from . import sockets
from .dialing import AsyncDialer, Dialer
from .streams import AsyncBackend, Backend
from .watchdog import Watchdog


def keep_alive(
    client: Any,
    seconds: float,
    options: Sequence[Any] = (),
    watchdog: Watchdog | None = None,
    versions: IpVersions | None = None,
) -> bool:
    """Prepare a client that the SDK made: keep its idle connections longer than 5 s, end those whose path is dead.

    `versions`: by which IP version to open them.

    False when it has no such pool. The pool has no public way to say so after it was made, and making another client would
    cost a second TLS context.
    """
    found = False
    for transport in [getattr(client, "_transport", None), *(getattr(client, "_mounts", None) or {}).values()]:
        pool: Any = getattr(transport, "_pool", None)
        if hasattr(pool, "_keepalive_expiry"):
            pool._keepalive_expiry = seconds
            if versions is not None and hasattr(pool, "_network_backend"):
                dialer = AsyncDialer if hasattr(transport, "handle_async_request") else Dialer
                pool._network_backend = dialer(pool._network_backend, versions)
            _end_dead_paths(transport, pool, options, watchdog)
            found = True
            transport._edge_given_up = []
    if found:
        client._edge_given_up = []
        client._edge_early_s = getattr(client._transport, "_edge_early_s", 0.0)
    return found


def _end_dead_paths(transport: Any, pool: Any, options: Sequence[Any], watchdog: Watchdog | None) -> None:
    """A pool's sockets get the options that they have not, and the watchdog where there is one."""
    alone = not getattr(pool, "_http2", True)
    if options and getattr(pool, "_uds", None) is None and hasattr(pool, "_socket_options"):
        pool._socket_options = sockets.merged(pool._socket_options, options)
        # Over HTTP/2 the unacknowledged bytes may be of another request.
        transport._edge_early_s = sockets.first_probe_failure_s(pool._socket_options) if alone else 0.0
    if watchdog is not None and hasattr(pool, "_network_backend"):
        kind = AsyncBackend if hasattr(transport, "handle_async_request") else Backend
        pool._network_backend = kind(pool._network_backend, watchdog, alone)


def is_proxied(way: Any, url: Any) -> bool:
    """True where a proxy stands between: then what the kernel tells is about the way to the proxy.

    A client, or transport, that does not show its proxies is believed to have those of the environment.
    """
    try:
        mounts = way._mounts
        pool = (way._transport_for_url(url) if mounts else way._transport)._pool
    except AttributeError:
        pool = getattr(way, "_pool", None)
    if pool is None:
        return _behind_proxy(url.host)
    # A pool for a proxy is a class of its own, or a pool that was told of one.
    return getattr(pool, "_proxy", None) is not None or "_proxy_url" in getattr(pool, "__dict__", ())


_behind_proxy = functools.cache(sockets.behind_proxy)


def give_up(way: Any, native: Any) -> None:
    """Let the connection that a response came on be used for no further request, from the next call on.

    Of a client, or transport, that `keep_alive` has prepared; any other is left alone.
    """
    given_up = getattr(way, "_edge_given_up", None)
    try:
        if given_up is not None:
            given_up.append(weakref.ref(native.extensions["network_stream"]))
    except (
        AttributeError,
        KeyError,
        TypeError,
    ):  # a transport of a user's own, or a stream that has no weak references
        pass


def expire(way: Any) -> None:
    """Mark the connections that were given up and are idle as expired: their pool then closes them and opens others.

    One that is under way stays given up until it is idle. The pool has no public way to close one connection.
    """
    given_up: list[Any] = way._edge_given_up
    streams = []
    while given_up:
        streams.append(given_up.pop()())
    for transport in [way, getattr(way, "_transport", None), *(getattr(way, "_mounts", None) or {}).values()]:
        for connection in getattr(getattr(transport, "_pool", None), "connections", ()):
            spoken = getattr(connection, "_connection", None)
            stream = getattr(spoken, "_network_stream", None)
            known = stream is not None and hasattr(spoken, "_expire_at") and hasattr(spoken, "is_idle")
            if known and stream in streams and not _expired_idle(spoken):
                given_up.append(weakref.ref(stream))


def _expired_idle(connection: Any) -> bool:
    """Mark a connection as expired; False when it is under way. A request that takes it at this moment wins."""
    lock: Any = getattr(connection, "_state_lock", None)
    with lock if hasattr(lock, "__enter__") else contextlib.nullcontext():  # an event loop does one thing at a time
        idle: bool = connection.is_idle()
        if idle:
            connection._expire_at = 0.0
    return idle


def early_s(way: Any) -> float:
    """How young a connection's timeout must be to mean that the request was not acknowledged; 0 when that is not known.

    `way`: the HTTP client, or the transport, that the request was sent with.
    """
    return float(getattr(way, "_edge_early_s", 0.0))
