"""The runtime of sync clients: async in shape only. Sends through the door's HTTP client; waits on this thread.

No method here ever suspends; `run_sync` would say so at once.
"""

from __future__ import annotations

import threading

from ..cache.flights import Flight
from ..http import families
from ..values import Call, Endpoint, Reply
from .common import DoorRuntime, meaning


class ThreadRuntime(DoorRuntime):
    """One call of a sync client."""

    __slots__ = ()

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        send, request = self.door.target(call, endpoint, connect_s)
        began = self.now()
        try:
            native = send(request)
            if not call.live and not native.is_closed:
                native.read()
        except Exception as error:
            meant = meaning(error, self.door, began)
            if meant is error:
                raise  # as it is, its cause included
            raise meant from None
        return families.to_reply(native, live=call.live, kernel=self.door.believes_kernel(request))

    async def close(self, reply: Reply) -> None:
        reply.native.close()

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        landed = threading.Event()
        flight.when_landed(landed.set)
        landed.wait(longest_s)
        return flight.landed is True
