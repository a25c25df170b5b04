"""Keeps clients' connections to their nearest endpoints open. Starts a thread for each sync client, tasks for async ones.

Only where `keep_warm` says so. What is sent is a GET of the endpoint's `probe` path, without a key, through the client's own
transport: so the connection is one of the client's own pool, with TLS done, and the next call finds it there. The HTTP
client's hooks, cookies and authentication do not see it. Where it names models, they are asked for a token now and then, too
(`waking`). A keeper begins at a client's first call to an endpoint, and ends ten minutes after its last one (later, where
models are kept longer), when the client is closed or gone, and with the edge's `close`.
"""

from __future__ import annotations

import contextvars
import random
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..policies import Policies
from ..pops.keeping import Keeping, Pair
from ..pops.prober import RttSource
from ..pops.warmth import Allowance, Warmth
from ..values import ORIGIN, Call, Endpoint
from . import failing, families, pools, requests, sockets
from .waking import Sample, Waker

if TYPE_CHECKING:
    from ..settings import KeepWarm

_SETTLE_S = 1.0  # after the first call: by then the first probes have mostly been answered
_LOOK_S = 10.0
_ACTIVE_S = 600.0
_CLIENTS = 4  # the first ones; who makes a client for each call has nothing to keep
_LONGEST = 64 * 2**10  # bytes of an answer that are read: a connection with more of it is given up
_PATIENCE_S = 3.0  # of `close` with a request that is under way


class Warmer:
    """The keepers of one edge. Never raises, never waits but in `close`."""

    def __init__(self, said: KeepWarm, policies: Policies, source: RttSource) -> None:
        self.count, self.policies = said.connections, policies
        self.waker: Waker | None = None
        self.active_s = _ACTIVE_S
        if said.models and said.calls_an_hour is not None:
            keeping = Keeping(said.calls_an_hour, said.cost_a_day, said.for_s)
            self.waker = Waker(frozenset(said.models), keeping, policies)
            self.active_s = max(_ACTIVE_S, said.for_s)
        self.reads_kernel = source in ("auto", "kernel")
        self.allowance = Allowance(self.count)
        self.is_closed = False
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child there is no thread and no task, and the parent's connections are not its own."""
        self._keepers: weakref.WeakKeyDictionary[Any, Keeper] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self.allowance = Allowance(self.count)
        if self.waker is not None:
            self.waker.keeping.after_fork()

    def used(self, way: Any, native: Any, call: Call, endpoint: Endpoint) -> None:
        """A call goes to an endpoint now, through this HTTP client or transport."""
        if self.is_closed:
            return
        try:
            keeper = self._keepers.get(way)
            if keeper is None or not keeper.is_at_home():
                keeper = self._new(way, families.family_of(native))
            if keeper is not None:
                keeper.used(native, call, endpoint, time.monotonic())
        except Exception as error:  # a transport of a user's own that cannot be hashed, or referred to weakly
            self.policies.telemetry.mishap("keeping warm", error)

    def _new(self, way: Any, family: Any) -> Keeper | None:
        with self._lock:
            if sum(keeper.is_running for keeper in self._keepers.values()) >= _CLIENTS:
                return None
            kind: Callable[[Warmer, Any, Any], Keeper] = AsyncKeeper if hasattr(way, "aclose") else SyncKeeper
            self._keepers[way] = keeper = kind(self, way, family)
            return keeper

    def forget(self, way: Any) -> None:
        """This transport has been closed."""
        keeper = self._keepers.pop(way, None)
        if keeper is not None:
            keeper.end()

    def close(self) -> None:
        """End all keepers, for good."""
        self.is_closed = True
        for keeper in list(self._keepers.values()):
            keeper.end()


class Keeper(ABC):
    """What keepers of both colours share."""

    def __init__(self, warmer: Warmer, way: Any, family: Any) -> None:
        self._warmer, self._way, self._family = warmer, weakref.ref(way), family
        self._warmth = Warmth(random.Random())
        self._call: Call | None = None  # the last one: it tells the candidates
        self._samples: dict[Pair, Sample] = {}  # of models that are kept
        self._called_at = 0.0
        self._running = False
        self._over = False

    @property
    def is_running(self) -> bool:
        return self._running

    def is_at_home(self) -> bool:
        """False when it belongs to an event loop that is not running here."""
        return True

    def used(self, native: Any, call: Call, endpoint: Endpoint, now: float) -> None:
        self._call, self._called_at = call, now
        self._warmth.used(endpoint, now)
        waker = self._warmer.waker
        sample = waker.sample(native, call, endpoint, now) if waker is not None else None
        if sample is not None:
            self._samples[sample.pair] = sample
        if not self._running:
            self._running = True
            self._start()

    def end(self) -> None:
        self._over = True

    @abstractmethod
    def _start(self) -> None: ...

    def _due(self) -> list[Endpoint] | None:
        """The endpoints to send something to now; None when this is over."""
        way, now, call, policies = self._way(), time.monotonic(), self._call, self._warmer.policies
        gone = way is None or getattr(way, "is_closed", False)
        if gone or call is None or self._over or now - self._called_at > self._warmer.active_s:
            self._running = False
            return None
        candidates = policies.candidates.of(call.sdk, call.model, call.route, call.residency)
        near = [e for e in policies.selector.nearest(candidates, now) if e is not ORIGIN][: self._warmer.count]
        return [e for e in self._warmth.due(near, now) if self._warmer.allowance.take(now)]

    def _prepared(self, endpoint: Endpoint) -> tuple[Any, Any] | None:
        """The transport that leads to an endpoint, and what to send with it."""
        way, call = self._way(), self._call
        if way is None or call is None or self._over:
            return None
        return requests.unpaid(self._family, way, endpoint.base(call.sdk), endpoint.probe)

    def _sleepy(self) -> Iterator[tuple[Waker, Sample, Any, Any]]:
        """The models to ask for a token now, each with the transport that leads there and the request."""
        waker = self._warmer.waker
        for sample in list(self._samples.values()) if waker is not None else ():
            way = self._way()
            if waker is None or way is None or self._over or not waker.due(sample, time.monotonic(), _LOOK_S):
                continue
            prepared = waker.prepared(way, sample)
            if prepared is not None:
                yield (waker, sample, *prepared)

    def _failed(self, error: Exception) -> None:
        """An endpoint that cannot be reached, or does not answer, is found out by calls; anything else is a mishap."""
        if failing.failure_of(error) is None:
            self._warmer.policies.telemetry.mishap("keeping warm", error)

    def _learn(self, endpoint: Endpoint, native: Any, transport: Any, request: Any) -> None:
        """`native`: what came; None when nothing did, which harms nobody."""
        now = time.monotonic()
        self._warmth.refreshed(endpoint, now, lasted=native is not None and not sockets.is_new(native))
        if native is None:
            return
        rtt_s = None
        if self._warmer.reads_kernel and not pools.is_proxied(transport, request.url):
            rtt_s = sockets.path_rtt(native)
        self._warmer.policies.selector.warmed(endpoint, rtt_s, now)


class SyncKeeper(Keeper):
    """Of a sync client: a thread."""

    def __init__(self, warmer: Warmer, way: Any, family: Any) -> None:
        super().__init__(warmer, way, family)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def end(self) -> None:
        super().end()
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE_S)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="edgeclient-warm", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread to be had: at interpreter exit, or at the limit
            self._running, self._thread = False, None

    def _run(self) -> None:
        pause_s = _SETTLE_S
        while not self._ended.wait(pause_s) and (due := self._due()) is not None:
            for endpoint in due:
                self._refresh(endpoint)
            for sleepy in self._sleepy():
                self._wake(*sleepy)
            pause_s = _LOOK_S

    def _wake(self, waker: Waker, sample: Sample, transport: Any, request: Any) -> None:
        began = time.monotonic()
        try:
            native = transport.handle_request(request)
            native.request = request
            native.read()
        except Exception as error:
            return waker.told(sample, None, began, error)
        waker.told(sample, native, began)

    def _refresh(self, endpoint: Endpoint) -> None:
        prepared, native = self._prepared(endpoint), None
        if prepared is None:
            return
        transport, request = prepared
        try:
            native, left = transport.handle_request(request), _LONGEST
            for part in native.stream:
                left -= len(part)
                if left < 0:
                    break
            native.stream.close()
        except Exception as error:
            native = None
            self._failed(error)
        self._learn(endpoint, native, transport, request)


class AsyncKeeper(Keeper):
    """Of an async client: a task of its event loop. On asyncio a timer stands between two, as nobody awaits them."""

    def __init__(self, warmer: Warmer, way: Any, family: Any) -> None:
        super().__init__(warmer, way, family)
        self._loop = _loop()
        self._task: Any = None  # an event loop refers to its tasks weakly

    def is_at_home(self) -> bool:
        return self._loop is _loop()

    def _start(self) -> None:
        if hasattr(self._loop, "call_later"):
            self._later(_SETTLE_S)
        else:
            import trio

            trio.lowlevel.spawn_system_task(self._run_on_trio)

    def _later(self, pause_s: float) -> None:
        self._loop.call_later(pause_s, self._begin, context=contextvars.Context())  # no part of anybody's call

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._round())
        self._task.add_done_callback(self._end)

    def _end(self, task: Any) -> None:
        if not task.cancelled() and task.exception() is None and task.result():
            self._later(_LOOK_S)
        else:
            self._running = False

    async def _run_on_trio(self) -> None:
        import trio

        await trio.sleep(_SETTLE_S)
        while await self._round():
            await trio.sleep(_LOOK_S)

    async def _round(self) -> bool:
        due = self._due()
        for endpoint in due or ():
            await self._refresh(endpoint)
        for sleepy in self._sleepy() if due is not None else ():
            await self._wake(*sleepy)
        return due is not None

    async def _wake(self, waker: Waker, sample: Sample, transport: Any, request: Any) -> None:
        began = time.monotonic()
        try:
            native = await transport.handle_async_request(request)
            native.request = request
            await native.aread()
        except Exception as error:
            return waker.told(sample, None, began, error)
        waker.told(sample, native, began)

    async def _refresh(self, endpoint: Endpoint) -> None:
        prepared, native = self._prepared(endpoint), None
        if prepared is None:
            return
        transport, request = prepared
        try:
            native, left = await transport.handle_async_request(request), _LONGEST
            async for part in native.stream:
                left -= len(part)
                if left < 0:
                    break
            await native.stream.aclose()
        except Exception as error:
            native = None
            self._failed(error)
        self._learn(endpoint, native, transport, request)


def _loop() -> Any:
    """What runs this task: an event loop of asyncio, or a token of trio."""
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_trio_token()
    import asyncio

    return asyncio.get_running_loop()
