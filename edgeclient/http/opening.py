"""What the opening of a connection tells of its path: the times in httpcore's `trace` extension. Asks the clock.

Only for requests whose connection the kernel tells nothing of (macOS, Windows, sandboxes), or only the way to a proxy. A
handshake takes so many round trips and then what is not the path: TCP's may have looked up a name before, TLS's has waited
for the far end's arithmetic. So the shorter one is the sample, and the second request on a connection has none. Through a
proxy TCP's handshake is with the proxy; its answer to CONNECT may come before it has connected, and is not believed either.
"""

from __future__ import annotations

import time
from typing import Any

_ROUND_TRIPS = {"TLSv1.3": 1}  # before that two


class _Watching:
    """What both colours share. `callers`: the trace function that the request had. `proxied`: a proxy stands between."""

    __slots__ = ("_began", "_callers", "_proxied", "rtt_s")

    def __init__(self, callers: Any, *, proxied: bool) -> None:
        self._callers, self._proxied = callers, proxied
        self._began = 0.0
        self.rtt_s: float | None = None

    def read(self, native: Any) -> float | None:
        """The round-trip time of the connection that the response came on, if it was opened for it."""
        return self.rtt_s

    def _note(self, name: str, info: Any) -> None:
        place, _, step = name.rpartition(".")
        place, _, handshake = place.rpartition(".")
        if handshake not in ("connect_tcp", "start_tls") or (self._proxied and not _goes_through(place, handshake)):
            return
        if step == "started":
            self._began = time.perf_counter()
        elif step == "complete":
            rtt_s = (time.perf_counter() - self._began) / _round_trips(handshake, info)
            tcp_s = self.rtt_s if handshake == "start_tls" else None
            self.rtt_s = rtt_s if tcp_s is None else min(tcp_s, rtt_s)


class Opening(_Watching):
    """The trace function of one request of a sync client."""

    __slots__ = ()

    def __call__(self, name: str, info: Any) -> Any:
        self._note(name, info)
        return self._callers(name, info) if self._callers is not None else None


class AsyncOpening(_Watching):
    """The same for an async client."""

    __slots__ = ()

    async def __call__(self, name: str, info: Any) -> None:
        self._note(name, info)
        if self._callers is not None:
            await self._callers(name, info)


def _goes_through(place: str, handshake: str) -> bool:
    """True for the one with the far end of a tunnel; "connection" is the way to the proxy, with TLS or without."""
    return handshake == "start_tls" and place != "connection"


def _round_trips(handshake: str, info: Any) -> int:
    if handshake == "connect_tcp":
        return 1
    try:
        version = info["return_value"].get_extra_info("ssl_object").version()
    except Exception:  # a backend of a user's own
        return 2
    return _ROUND_TRIPS.get(version, 2)
