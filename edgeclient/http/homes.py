"""The event loops that async responses belong to, and how to have something done there from anywhere; asyncio, trio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol


class Home(Protocol):
    """One event loop, while it runs."""

    @property
    def loop(self) -> object: ...

    def begin(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have steps run there as a task of their own; from any thread. Raises when it has ended, or does not run now."""


class _OfAsyncio:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._task: Any = None  # an event loop does not hold its tasks

    def begin(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def start() -> None:
            self._task = asyncio.ensure_future(steps())

        if not self.loop.is_running():
            raise RuntimeError("the event loop of this stream does not run any more")
        self.loop.call_soon_threadsafe(start)


class _OfTrio:
    def __init__(self) -> None:
        import trio

        self._trio, self.loop = trio, trio.lowlevel.current_trio_token()

    def begin(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.loop.run_sync_soon(lambda: self._trio.lowlevel.spawn_system_task(steps))


def home() -> Home:
    """That of the task which asks. Raises RuntimeError, or ImportError without trio, where no event loop runs."""
    try:
        return _OfAsyncio(asyncio.get_running_loop())
    except RuntimeError:
        return _OfTrio()


def runs_here(loop: object) -> bool:
    """True on a thread that runs this event loop itself: who waits there for the loop stops it."""
    try:
        return home().loop is loop
    except (ImportError, RuntimeError):  # no event loop runs here
        return False
