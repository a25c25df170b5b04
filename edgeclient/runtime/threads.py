"""The runtime of sync clients: async in shape only. Sends through the door's HTTP client; waits on this thread.

No method here ever suspends; `run_sync` would say so at once. Two attempts at once have a thread each: nothing else could
turn away from the slower one.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ..cache.flights import Flight
from ..cache.streams import Stream
from ..cache.waiting import wait
from ..http import responses
from ..http.homes import runs_here
from ..http.opening import Opening
from ..http.unwrapping import unwrapped
from ..values import Call, Endpoint, Reply
from .common import DoorRuntime, meaning, wanted_whole
from .protocol import run_sync


class ThreadRuntime(DoorRuntime):
    """One call of a sync client."""

    __slots__ = ()

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        send, request, gauge = self.door.target(call, endpoint, connect_s, Opening)
        began = self.now()
        try:
            native = unwrapped(send(request), request, endpoint, is_async=False)
            live = call.live and not wanted_whole(call, native)
            if not live and not native.is_closed:
                native.read()
        except Exception as error:
            meant = meaning(error, self.door, began)
            if meant is error:
                raise  # as it is, its cause included
            raise meant from None
        return responses.to_reply(native, live=live, gauge=gauge, sent=call.size)

    async def first(
        self, main: Coroutine[Any, Any, bool], spare: Callable[[], Coroutine[Any, Any, bool] | None], after_s: float
    ) -> None:
        ended: queue.SimpleQueue[bool | BaseException] = queue.SimpleQueue()
        _begin(main, ended)
        running = 1
        pause_s: float | None = after_s
        while running:
            try:
                last = ended.get(timeout=pause_s)
            except queue.Empty:
                pause_s, steps = None, spare()
                if steps is not None:
                    _begin(steps, ended)
                    running += 1
                continue
            running -= 1
            if isinstance(last, BaseException):
                raise last
            if last:
                return
            if pause_s is not None:
                return  # it failed in time: what comes next is no hedge

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self, reply: Reply) -> None:
        reply.native.close()

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        wait(flight, longest_s)
        return flight.landed is True

    def beside(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        go = partial(contextvars.copy_context().run, lambda: run_sync(steps()))
        try:
            threading.Thread(target=go, name="edgeclient-refresh", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def can_follow(self, stream: Stream) -> bool:
        home = stream.source.home if stream.source is not None else None
        return home is None or not runs_here(home)


def _begin(steps: Coroutine[Any, Any, bool], ended: queue.SimpleQueue[bool | BaseException]) -> None:
    """Run steps in a thread of their own, in a copy of this one's context; here, where there is none to be had."""

    def go() -> None:
        try:
            ended.put(run_sync(steps))
        except BaseException as error:
            ended.put(error)

    try:
        threading.Thread(
            target=contextvars.copy_context().run, args=(go,), name="edgeclient-attempt", daemon=True
        ).start()
    except RuntimeError:
        go()
