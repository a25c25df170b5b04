"""The runtime of simulations: virtual time, a network that is a function, no sockets, no sleeping. One seed, one answer.

A `World` is a queue of events. Coroutines that await a `Pause` are its tasks; there is no event loop, no thread and no
clock beside it, so hours of traffic take seconds:

    world = World()
    rt = VirtualRuntime(world, network)
    world.at(0.5, respond(call, edge.policies, rt))  # `call` and policies as anywhere else
    world.run()
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..cache.flights import Flight
from ..cache.stores import Store
from ..cache.streams import Stream
from ..values import UNSENT, Call, Endpoint, Entry, Failure, Reply
from .protocol import AttemptFailed, Learn

if TYPE_CHECKING:
    from ..cache.embedders.vectors import Vectors

T = TypeVar("T")

_EPOCH_S = 1_700_000_000.0  # wall-clock time when virtual time is 0


class Lost(Exception):
    """Stands for the HTTP library's own exception, which a virtual network does not have."""


class Network(Protocol):
    """The paths and what is at their ends, as functions of virtual time. One with a seed makes the whole run repeatable."""

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        """What becomes of an attempt that starts now, and after how many seconds.

        `math.inf` with a `Failure` of the connection: nothing comes back, and the caller's connect timeout ends it.
        Make a new `Reply` each time: the pipeline writes on it. Its `rtt_s` is what the kernel would tell.
        """

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        """The round-trip time that a probe measures now; None when it cannot connect."""


class Pause:
    """Await this to go on at a virtual time or, with a flight, at its landing if that is earlier."""

    __slots__ = ("flight", "until")

    def __init__(self, until: float, flight: Flight | None = None) -> None:
        self.until, self.flight = until, flight

    def __await__(self) -> Generator[Pause, None, None]:
        yield self


class World:
    """A discrete-event scheduler. What is due at the same time runs in the order in which it was put there."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept_s = 0.0  # add to it, and the machine has slept for so long: `now` stood still, other clocks went on
        self._queue: list[tuple[float, int, _Turn]] = []
        self._numbers = count()

    def at(self, when: float, task: Coroutine[Any, Any, object]) -> None:
        """Start a coroutine at a time; at once when that is past."""
        self._put(when, _Turn(task))

    def run(self, until: float = math.inf) -> None:
        """Run until nothing is left to do, or until that time. An error of a task ends the run and is raised here."""
        while self._queue and self._queue[0][0] <= until:
            when, _, turn = heapq.heappop(self._queue)
            if turn.taken:  # its flight landed before its time was out
                continue
            turn.taken = True
            self.now = when
            self._step(turn.task)
        if math.isfinite(until):
            self.now = max(self.now, until)

    def _step(self, task: Coroutine[Pause, None, object]) -> None:
        try:
            pause = task.send(None)
        except StopIteration:
            return
        turn = _Turn(task)
        if pause.until < math.inf:
            self._put(pause.until, turn)
        if pause.flight is not None:
            pause.flight.when_landed(lambda: self._put(self.now, turn))

    def _put(self, when: float, turn: _Turn) -> None:
        heapq.heappush(self._queue, (max(when, self.now), next(self._numbers), turn))


@dataclass(eq=False, slots=True)
class _Turn:
    """The next step of a task. It may be queued twice (its time, its flight) and is taken once."""

    task: Coroutine[Pause, None, object]
    taken: bool = False


class VirtualRuntime:
    """The `Runtime` of a world. One serves all calls. `connect_s`: the callers' own connect timeout, in seconds."""

    def __init__(self, world: World, network: Network, *, connect_s: float = 5.0) -> None:
        self._world, self._network, self._connect_s = world, network, connect_s
        self.now: Callable[[], float] = lambda: world.now
        self.uptime: Callable[[], float] = lambda: world.now + world.slept_s
        self.wall: Callable[[], float] = lambda: _EPOCH_S + self.uptime()

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        delay_s, answer = self._network.answer(call, endpoint, self._world.now)
        if isinstance(answer, Failure):
            longest_s = self._connect_s if connect_s is None else connect_s
            connecting = answer in UNSENT and answer is not Failure.UNACKNOWLEDGED
            await self._spend(min(delay_s, longest_s) if connecting else delay_s)
            raise AttemptFailed(answer, Lost(f"{endpoint.name}: {answer.value}"))
        await self._spend(delay_s)
        return answer

    async def first(
        self, main: Coroutine[Any, Any, bool], spare: Callable[[], Coroutine[Any, Any, bool] | None], after_s: float
    ) -> None:
        over, running = Flight(""), 1

        async def run(steps: Coroutine[Any, Any, bool]) -> None:
            nonlocal running
            good = await steps
            running -= 1
            if good or not running:
                for wake in over.land(True):
                    wake()

        self._world.at(self._world.now, run(main))
        await Pause(self._world.now + after_s, over)
        if over.landed is None:
            steps = spare()
            if steps is not None:
                running += 1
                self._world.at(self._world.now, run(steps))
            await Pause(math.inf, over)

    async def sleep(self, seconds: float) -> None:
        await self._spend(seconds)

    async def close(self, reply: Reply) -> None: ...

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        if flight.landed is None:
            await Pause(self._world.now + longest_s, flight)
        return flight.landed is True

    def can_follow(self, stream: Stream) -> bool:
        return True

    async def load(self, store: Store, key: str) -> Entry | None:
        return store.load(key, self.wall())

    async def claim(self, store: Store, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return None  # there is one process

    async def load_many(self, store: Store, keys: Sequence[str]) -> list[Entry | None]:
        return store.load_many(keys, self.wall())

    async def vector(self, vectors: Vectors, text: str) -> Any | None:
        return vectors.vector(text)

    async def apart(self, work: Callable[[], T], size: int) -> T:
        return work()

    def beside(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        self._world.at(self._world.now, steps())
        return True

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        for endpoint in due:
            self._world.at(self._world.now, self._measure(endpoint, learn))
        return True

    def replace(self, reply: Reply) -> None: ...

    def broken(self, why: str) -> BaseException:
        return Lost(why)

    async def _measure(self, endpoint: Endpoint, learn: Learn) -> None:
        rtt_s = self._network.rtt_s(endpoint, self._world.now)
        took_s = self._connect_s if rtt_s is None else rtt_s
        await self._spend(took_s)
        learn(endpoint, [] if rtt_s is None else [rtt_s], took_s)

    async def _spend(self, seconds: float) -> None:
        await Pause(self._world.now + seconds)
