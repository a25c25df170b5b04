"""What we do to the pools of HTTP clients that an SDK made: how connections are opened, kept, and given up. Opens nothing.

Of either family, by names that neither promises; where one is not there, that pool is left as it is.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import weakref
from collections.abc import Sequence
from typing import Any

from ..pops.ip_versions import IpVersions
from . import sockets, thinking
from .dialing import AsyncDialer, Dialer
from .streams import AsyncBackend, AsyncStream, Backend, Stream
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
    """A pool's sockets get the options that they have not, in two stages, and the watchdog where there is one."""
    alone = not getattr(pool, "_http2", True)
    changing = None
    if options and getattr(pool, "_uds", None) is None and hasattr(pool, "_socket_options"):
        pool._socket_options = sockets.merged(pool._socket_options, options)
        if set(options) <= set(pool._socket_options):  # else the user has said how long
            changing = thinking.stages(pool._socket_options)
        first_s = thinking.first_failure_s() if changing else sockets.first_probe_failure_s(pool._socket_options)
        # Over HTTP/2 the unacknowledged bytes may be of another request.
        transport._edge_early_s = first_s if alone else 0.0
    if not hasattr(pool, "_network_backend"):
        return
    is_async = hasattr(transport, "handle_async_request")
    backend = AsyncBackend if is_async else Backend
    if watchdog is not None:
        watched = AsyncStream if is_async else Stream
        pool._network_backend = backend(pool._network_backend, lambda inner: watched(inner, watchdog, alone))
    timed_out = _read_timeout(pool)
    if changing is not None and timed_out is not None:
        staged = thinking.AsyncStream if is_async else thinking.Stream
        pool._network_backend = backend(pool._network_backend, lambda inner: staged(inner, changing, alone, timed_out))


def _read_timeout(pool: Any) -> type[Exception] | None:
    """The class of a pool's exceptions for a read that took too long; None of a pool of another library."""
    roots = [kind.__module__.partition(".")[0] for kind in type(pool).__mro__]
    return next(
        (getattr(sys.modules[root], "ReadTimeout", None) for root in roots if root.startswith("httpcore")), None
    )


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
