"""Waits for a flight to land, so long at the most. Written twice because threads and tasks truly differ: one blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .flights import Flight


def wait(flight: Flight, longest_s: float) -> None:
    """Wait on this thread. A bare lock, not an event: an event is made of a lock and a condition, and costs twice."""
    landed = threading.Lock()
    landed.acquire()
    flight.when_landed(landed.release)
    landed.acquire(timeout=longest_s)


async def wait_async(flight: Flight, longest_s: float) -> None:
    """Wait as a task of asyncio or trio; whoever lands the flight may be another thread."""
    import anyio

    landed = anyio.Event()
    on_loop = _thread_safe_call()
    flight.when_landed(lambda: on_loop(landed.set))
    with anyio.move_on_after(longest_s):
        await landed.wait()


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
