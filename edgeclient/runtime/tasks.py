"""The runtime of async clients, on asyncio or trio: awaits the HTTP client, and flights of other tasks or threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..cache.flights import Flight
from ..cache.stores import Store
from ..http import families
from ..http.doors import Door
from ..values import Call, Endpoint, Entry, Reply
from .protocol import AttemptFailed, Learn


class TaskRuntime:
    """One call of an async client."""

    __slots__ = ("door",)

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def __init__(self, door: Door) -> None:
        self.door = door

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        send, request = self.door.target(call, endpoint, connect_s)
        try:
            native = await send(request)
            if not call.live and not native.is_closed:
                await native.aread()
        except Exception as error:
            failure = families.failure_of(error)
            if failure is None:
                raise  # as it is, its cause included: it is not about this attempt
            raise AttemptFailed(failure, error) from None
        return families.to_reply(native, live=call.live, kernel=self.door.believes_kernel(request))

    async def close(self, reply: Reply) -> None:
        await reply.native.aclose()

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        import anyio

        landed = anyio.Event()
        on_loop = _thread_safe_call()
        flight.when_landed(lambda: on_loop(landed.set))
        with anyio.move_on_after(longest_s):
            await landed.wait()
        return flight.landed is True

    async def load(self, store: Store, key: str) -> Entry | None:
        return store.load(key, self.now())

    async def save(self, store: Store, entry: Entry) -> None:
        store.save(entry, self.now())

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        return self.door.prober.start(due, learn)

    def broken(self, why: str) -> BaseException:
        return families.protocol_error(self.door.native, why)


def _thread_safe_call() -> Callable[[Callable[[], object]], Any]:
    """How to run a function on this task's event loop from any thread. A loop that has closed has nobody to wake."""
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        token = trio.lowlevel.current_trio_token()
        return _ignoring(trio.RunFinishedError, token.run_sync_soon)
    import asyncio

    return _ignoring(RuntimeError, asyncio.get_running_loop().call_soon_threadsafe)


def _ignoring(error: type[Exception], call: Callable[..., object]) -> Callable[[Callable[[], object]], Any]:
    def run(function: Callable[[], object]) -> None:
        try:
            call(function)
        except error:
            pass

    return run
