"""What the pipeline may ask of the outside world, and how a pipeline that never suspends is run. No I/O here.

The pipeline is written once, as `async def`, over `Runtime`. The runtime of async clients awaits. The runtime of sync
clients has the same methods, async in shape only: none of them ever suspends, so one `send(None)` takes the whole call to
its end. A third runtime lives in virtual time and simulates hours of traffic in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..cache.flights import Flight
from ..cache.stores import Store
from ..cache.streams import Stream
from ..values import Call, Endpoint, Entry, Failure, Reply

if TYPE_CHECKING:
    from ..cache.embedders.vectors import Vectors

T = TypeVar("T")

Learn = Callable[[Endpoint, list[float], float], None]


class AttemptFailed(Exception):
    """An attempt got no response. `error` is the HTTP library's own exception, which the SDK knows how to map."""

    def __init__(self, failure: Failure, error: BaseException) -> None:
        super().__init__(failure.value)
        self.failure, self.error = failure, error


class Runtime(Protocol):
    """One call's way to the outside world."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def wall(self) -> float:
        """Seconds since the epoch."""

    def uptime(self) -> float:
        """Seconds on a clock that goes on while the machine sleeps; where `now` does not, the two part."""

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        """Send the call to an endpoint; wait at most `connect_s` (None: as the caller said) for a connection.

        Raises AttemptFailed when no response came, and nothing else but what is not an attempt's failure.
        """

    async def first(
        self, main: Coroutine[Any, Any, bool], spare: Callable[[], Coroutine[Any, Any, bool] | None], after_s: float
    ) -> None:
        """Run `main`; if it has not ended after so many seconds, ask for a `spare` and run that beside it.

        Returns when one of the two gives True, or all that run have ended. What still runs then is cancelled, or is left to
        end by itself where nothing can be cancelled.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def close(self, reply: Reply) -> None:
        """Give up a reply whose body nobody will read."""

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        """Wait for a flight to land; True when its answer is in the cache now."""

    def can_follow(self, stream: Stream) -> bool:
        """False where waiting for a part of it would stop the event loop that reads it."""

    async def load(self, store: Store, key: str) -> Entry | None:
        """Ask a store, in the way that fits: one that waits is awaited by tasks, and blocks a thread."""

    async def claim(self, store: Store, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        """Lead the calls for a key among all processes, or wait for the answer of the one that does; see `Store.claim`."""

    async def vector(self, vectors: Vectors, text: str) -> Any | None:
        """The vector of a text, within the embedder's time budget; None when there is none."""

    async def apart(self, work: Callable[[], T], size: int) -> T:
        """Do some work on a text of so many characters; a long one's leaves the event loop to others."""

    async def load_many(self, store: Store, keys: Sequence[str]) -> list[Entry | None]:
        """The same for several keys at once."""

    def beside(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Run steps that outlive this call, and never raise an Exception; False when that cannot begin. Never waits."""

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        """Measure endpoints beside this call; False when that cannot begin now. Never waits, never raises."""

    def replace(self, reply: Reply) -> None:
        """Have the connection that this reply came on used for no further call. Never waits, never raises."""

    def broken(self, why: str) -> BaseException:
        """The HTTP library's own exception for an answer that is none."""


def run_sync(steps: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine whose runtime never suspends: one step takes it to its end."""
    try:
        steps.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    else:
        raise RuntimeError("a sync runtime suspended: one of its methods awaited something")
    finally:
        steps.close()
