"""A door: where one call came in, and the ways out of it. Two functions that send, and what they need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..pops.prober import Prober
from ..runtime.protocol import AttemptFailed
from ..values import ORIGIN, Call, Endpoint, Failure
from . import families, sockets


@dataclass(slots=True)
class Door:
    """One native request and how to send it on. The functions are sync or async, as the client is."""

    native: Any
    forward: Callable[[Any], Any]  # to the client's own origin, in the client's own way
    dispatch: Callable[[Any], Any]  # to an endpoint: no auth flow, no redirects, no cookies of the origin
    prober: Prober
    kernel: bool  # whether RTT is read from the kernel
    way: Any = None  # the HTTP client or the transport under it

    def target(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> tuple[Callable[[Any], Any], Any]:
        """The function that reaches this endpoint, and the request to give it.

        Raises AttemptFailed when the endpoint's key cannot be read: that costs the endpoint this call, not the caller.
        """
        native = families.asking(self.native, call.body["input"]) if call.known else self.native
        if endpoint is ORIGIN:
            return self.forward, native
        try:
            aimed = families.aim(native, endpoint, call, connect_s=connect_s)
        except Exception as error:
            why = f"the key of endpoint {endpoint.name!r} could not be used: {error!r}"
            raise AttemptFailed(Failure.NO_KEY, families.native_error(self.native, "ConnectError", why)) from error
        return self.dispatch, aimed

    def believes_kernel(self, request: Any) -> bool:
        """False where an HTTP proxy stands between: the kernel's RTT is the proxy's then."""
        return self.kernel and not _behind_proxy(request.url.host)


_behind_proxy = cache(sockets.behind_proxy)
