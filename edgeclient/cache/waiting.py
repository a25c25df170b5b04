"""Waits for a flight to land, so long at the most. Written twice because threads and tasks truly differ: one blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .flights import Flight


def wait(flight: Flight, longest_s: float) -> None:
    """Wait on this thread. A bare lock, not an event: an event is made of a lock and a condition, and costs twice."""
    landed = threading.Lock()
    landed.acquire()
    flight.when_landed(landed.release)
    landed.acquire(timeout=longest_s)


async def wait_async(flight: Flight, longest_s: float) -> None:
    """Wait as a task of asyncio or trio; whoever lands the flight may be another thread."""
    import sniffio

    if sniffio.current_async_library() == "trio":
        await _wait_on_trio(flight, longest_s)
    else:
        await _wait_on_asyncio(flight, longest_s)


async def _wait_on_asyncio(flight: Flight, longest_s: float) -> None:
    """A bare future and a timer: an event within a cancel scope costs several times as much."""
    import asyncio

    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def wake() -> None:
        if not over.done():
            over.set_result(None)

    flight.when_landed(_ignoring(RuntimeError, loop.call_soon_threadsafe, wake))
    timer = loop.call_later(longest_s, wake)
    try:
        await over
    finally:
        timer.cancel()


async def _wait_on_trio(flight: Flight, longest_s: float) -> None:
    import trio

    landed, token = trio.Event(), trio.lowlevel.current_trio_token()
    flight.when_landed(_ignoring(trio.RunFinishedError, token.run_sync_soon, landed.set))
    with trio.move_on_after(longest_s):
        await landed.wait()


def _ignoring(error: type[Exception], call: Callable[..., object], wake: Callable[[], object]) -> Callable[[], object]:
    """Wakes from any thread. An event loop that has closed has nobody to wake."""

    def run() -> None:
        try:
            call(wake)
        except error:
            pass

    return run
