"""A door: where one call came in, and the ways out of it. Two functions that send, and what they need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..pops.prober import Prober, RttSource
from ..runtime.protocol import AttemptFailed
from ..values import ORIGIN, Call, Endpoint, Failure
from . import families, pools, requests, responses, sockets
from .opening import AsyncOpening, Opening

Watching = type[Opening] | type[AsyncOpening]


class Warms(Protocol):
    """Is told where calls go, to keep connections there warm."""

    def used(self, way: Any, native: Any, call: Call, endpoint: Endpoint) -> None: ...

    def forget(self, way: Any) -> None: ...


@dataclass(slots=True)
class Door:
    """One native request and how to send it on. The functions are sync or async, as the client is."""

    native: Any
    forward: Callable[[Any], Any]  # to the client's own origin, in the client's own way
    dispatch: Callable[[Any], Any]  # to an endpoint: no auth flow, no redirects, no cookies of the origin
    prober: Prober
    rtt_source: RttSource
    way: Any = None  # the HTTP client or the transport under it
    warmer: Warms | None = None  # where connections are kept warm

    def target(
        self, call: Call, endpoint: Endpoint, connect_s: float | None, watching: Watching
    ) -> tuple[Callable[[Any], Any], Any, responses.Gauge | None]:
        """The function that reaches this endpoint, the request to give it, and what measures the answer's path.

        `watching`: the trace function of this colour.
        Raises AttemptFailed when the endpoint's key cannot be read: that costs the endpoint this call, not the caller.
        """
        native = requests.asking(self.native, call.body["input"]) if call.known else self.native
        if endpoint is ORIGIN:
            return self.forward, *self._gauged(native, watching)
        try:
            aimed = requests.aim(native, endpoint, call, connect_s=connect_s)
        except Exception as error:
            why = f"the key of endpoint {endpoint.name!r} could not be used: {error!r}"
            raise AttemptFailed(Failure.NO_KEY, families.native_error(self.native, "ConnectError", why)) from error
        if getattr(self.way, "_edge_given_up", None):
            pools.expire(self.way)
        if self.warmer is not None:
            self.warmer.used(self.way, native, call, endpoint)
        return self.dispatch, *self._gauged(aimed, watching)

    def _gauged(self, request: Any, watching: Watching) -> tuple[Any, responses.Gauge | None]:
        """The request, and what will measure its path: the kernel; where it cannot, the request is watched for that."""
        source = self.rtt_source
        if source == "http":
            return request, None
        proxied = pools.is_proxied(self.way, request.url)
        if source != "connect" and not proxied and sockets.kernel_tells():
            return request, sockets.path_rtt
        if source == "kernel":
            return request, None
        request, made = requests.watched(request, watching, proxied=proxied)
        return request, made.read
