"""The runtime of sync clients: async in shape only. Sends through the door's HTTP client; waits on this thread.

No method here ever suspends; `run_sync` would say so at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ..cache.flights import Flight
from ..cache.stores import Store
from ..http import families
from ..http.doors import Door
from ..values import Call, Endpoint, Entry, Reply
from .protocol import AttemptFailed, Learn


class ThreadRuntime:
    """One call of a sync client."""

    __slots__ = ("door",)

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def __init__(self, door: Door) -> None:
        self.door = door

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        send, request = self.door.target(call, endpoint, connect_s)
        try:
            native = send(request)
            if not call.live and not native.is_closed:
                native.read()
        except Exception as error:
            failure = families.failure_of(error)
            if failure is None:
                raise  # as it is, its cause included: it is not about this attempt
            raise AttemptFailed(failure, error) from None
        return families.to_reply(native, live=call.live, kernel=self.door.believes_kernel(request))

    async def close(self, reply: Reply) -> None:
        reply.native.close()

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        landed = threading.Event()
        flight.when_landed(landed.set)
        landed.wait(longest_s)
        return flight.landed is True

    async def load(self, store: Store, key: str) -> Entry | None:
        return store.load(key, self.now())

    async def save(self, store: Store, entry: Entry) -> None:
        store.save(entry, self.now())

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        return self.door.prober.start(due, learn)

    def broken(self, why: str) -> BaseException:
        return families.protocol_error(self.door.native, why)
