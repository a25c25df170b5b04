"""What the runtimes of threads and of tasks have in common: everything that neither sends nor waits. Asks the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..cache.stores import Store
from ..cache.streams import Stream
from ..http import failing, families, pools
from ..http.doors import Door
from ..values import Call, Endpoint, Entry, Reply
from .protocol import AttemptFailed, Learn

if TYPE_CHECKING:
    from ..cache.embedders.vectors import Vectors

T = TypeVar("T")


def _clock_that_never_sleeps() -> Callable[[], float]:
    """Linux has one (`time.monotonic` stands still in a sleep there, and on macOS); elsewhere it is the wall clock."""
    number = getattr(time, "CLOCK_BOOTTIME", None)
    if number is None:
        return time.time
    try:
        time.clock_gettime(number)
    except OSError:  # an emulated kernel that does not know it
        return time.time
    return partial(time.clock_gettime, number)


class DoorRuntime:
    """One call that came in at a door."""

    __slots__ = ("door",)

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)
    uptime = staticmethod(_clock_that_never_sleeps())

    def __init__(self, door: Door) -> None:
        self.door = door

    def can_follow(self, stream: Stream) -> bool:
        return True

    async def load(self, store: Store, key: str) -> Entry | None:
        return store.load(key, self.wall())

    async def claim(self, store: Store, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return store.claim(key, usable, longest_s)

    async def load_many(self, store: Store, keys: Sequence[str]) -> list[Entry | None]:
        return store.load_many(keys, self.wall())

    async def vector(self, vectors: Vectors, text: str) -> Any | None:
        return vectors.vector(text)

    async def apart(self, work: Callable[[], T], size: int) -> T:
        return work()

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        return self.door.prober.start(due, learn)

    def replace(self, reply: Reply) -> None:
        pools.give_up(self.door.way, reply.native)

    def broken(self, why: str) -> BaseException:
        return families.native_error(self.door.native, "RemoteProtocolError", why)


def meaning(error: Exception, door: Door, began: float) -> Exception:
    """The failed attempt that an exception of the HTTP library means; itself, when it is not about the attempt."""
    failure = failing.failure_of(error, early=time.monotonic() - began < pools.early_s(door.way))
    return error if failure is None else AttemptFailed(failure, error)


def wanted_whole(call: Call, native: Any) -> bool:
    """True for an error, whose body says what it means: the SDKs read it too."""
    return call.dialect is not None and native.status_code >= 400
