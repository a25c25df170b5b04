"""The runtime of async clients, on asyncio or trio: awaits the HTTP client, and flights of other tasks or threads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..cache.flights import Flight
from ..cache.stores import Store
from ..cache.waiting import wait_async
from ..http import responses
from ..http.opening import AsyncOpening
from ..http.unwrapping import unwrapped
from ..values import Call, Endpoint, Entry, Reply
from .common import DoorRuntime, meaning, wanted_whole

if TYPE_CHECKING:
    from ..cache.embedders.vectors import Vectors

T = TypeVar("T")

_LONG = 1000  # characters of a text that take about a millisecond to read

_beside: set[Any] = set()  # tasks that outlive the call that began them


def _is_task_of(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class TaskRuntime(DoorRuntime):
    """One call of an async client."""

    __slots__ = ()

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        send, request, gauge = self.door.target(call, endpoint, connect_s, AsyncOpening)
        began = self.now()
        try:
            native = unwrapped(await send(request), request, endpoint, is_async=True)
            live = call.live and not wanted_whole(call, native)
            if not live and not native.is_closed:
                await native.aread()
        except Exception as error:
            meant = meaning(error, self.door, began)
            if meant is error:
                raise  # as it is, its cause included
            raise meant from None
        return responses.to_reply(native, live=live, gauge=gauge, sent=call.size)

    async def first(
        self, main: Coroutine[Any, Any, bool], spare: Callable[[], Coroutine[Any, Any, bool] | None], after_s: float
    ) -> None:
        import anyio

        over, errors, running, won = anyio.Event(), list[Exception](), 1, False

        async def run(steps: Coroutine[Any, Any, bool]) -> None:
            nonlocal running, won
            try:
                won |= await steps
            except Exception as error:
                errors.append(error)
            running -= 1
            if won or errors or not running:
                over.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run, main)
            with anyio.move_on_after(after_s):
                await over.wait()
            if not over.is_set() and (steps := spare()) is not None:
                running += 1
                group.start_soon(run, steps)
            await over.wait()
            group.cancel_scope.cancel()
        if errors and not won:
            raise errors[0]

    def beside(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        trio = sys.modules.get("trio")
        if trio is not None and _is_task_of(trio):
            trio.lowlevel.spawn_system_task(steps, name="edgeclient-refresh")  # until the end of the run, in no nursery
            return True
        import asyncio

        task = asyncio.get_running_loop().create_task(steps(), name="edgeclient-refresh")
        _beside.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(_beside.discard)
        return True

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)

    async def close(self, reply: Reply) -> None:
        await reply.native.aclose()

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        await wait_async(flight, longest_s)
        return flight.landed is True

    async def load(self, store: Store, key: str) -> Entry | None:
        return await store.load_async(key, self.wall()) if store.waits else store.load(key, self.wall())

    async def claim(self, store: Store, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return await store.claim_async(key, usable, longest_s)

    async def vector(self, vectors: Vectors, text: str) -> Any | None:
        return await vectors.vector_async(text)

    async def apart(self, work: Callable[[], T], size: int) -> T:
        if size < _LONG:
            return work()
        import anyio

        return await anyio.to_thread.run_sync(work)

    async def load_many(self, store: Store, keys: Sequence[str]) -> list[Entry | None]:
        return await store.load_many_async(keys, self.wall())
