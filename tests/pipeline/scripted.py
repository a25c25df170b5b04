"""A runtime that does what a test says, and writes down what was asked of it. With requests and policies to go with it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from edgeclient.cache.flights import Flight, Flights
from edgeclient.cache.marks import Subject
from edgeclient.cache.stores import Store
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.cache.streams import Stream
from edgeclient.policies import Policies
from edgeclient.pops.selector import Selector
from edgeclient.runtime.protocol import AttemptFailed, Learn, run_sync
from edgeclient.settings import Settings
from edgeclient.telemetry.events import Hook, Telemetry
from edgeclient.values import Call, Endpoint, Entry, Failure, Reply, Request

T = TypeVar("T")
Answer = Reply | Failure | BaseException | Callable[[Call], Reply]

A, B, C = (Endpoint(name, f"https://{name}.example.com/v1") for name in "abc")
WALL = 1_700_000_000.0
JSON_HEADERS = [(b"content-type", b"application/json")]
EVENT_HEADERS = [(b"content-type", b"text/event-stream")]
CHAT = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip


class Native(Exception):
    """Stands for the HTTP library's own exception."""


def ok(**changed: Any) -> Reply:
    """A complete answer of chat completions."""
    return Reply(200, [*JSON_HEADERS, (b"x-request-id", b"req_1")], json.dumps({**CHAT, **changed}).encode(), object())


def says(status: int, *headers: tuple[bytes, bytes], body: bytes = b'{"error":{}}') -> Reply:
    return Reply(status, [*JSON_HEADERS, *headers], body, object())


class Scripted:
    """Each endpoint gives its answers in their order, the last one again and again. `took_s`: how long an attempt takes.

    With `suspends` each method lets other tasks run first, as the runtime of async clients does.
    """

    def __init__(self, *, suspends: bool = False, took_s: float = 0.0, **answers: Answer | list[Answer]) -> None:
        self.answers = {name: list(said) if isinstance(said, list) else [said] for name, said in answers.items()}
        self.suspends, self.took_s, self.time = suspends, took_s, 1000.0
        self.slept_s = 0.0  # of the machine: `now` stood still, the other clocks went on
        self.sent: list[str] = []
        self.connect_s: list[float | None] = []
        self.closed: list[Reply] = []
        self.waited: list[float] = []
        self.slept: list[float] = []  # by the runtime's own sleep
        self.probed: list[str] = []
        self.beside_ones: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self.may_go_beside = True
        self.hedged_after_s: list[float] = []
        self.spare_first = True
        self.learn: Learn = lambda endpoint, rtts_s, took_s: None
        self.while_waiting: Callable[[Flight], object] = lambda flight: None

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return WALL + self.uptime()

    def uptime(self) -> float:
        return self.time + self.slept_s

    async def send(self, call: Call, endpoint: Endpoint, connect_s: float | None) -> Reply:
        await self._let_others()
        self.sent.append(endpoint.name)
        self.connect_s.append(connect_s)
        self.time += self.took_s
        said = self.answers[endpoint.name]
        answer = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(answer, Failure):
            raise AttemptFailed(answer, Native(endpoint.name, answer))
        if isinstance(answer, BaseException):
            raise answer
        return answer(call) if callable(answer) else answer

    async def first(
        self, main: Coroutine[Any, Any, bool], spare: Callable[[], Coroutine[Any, Any, bool] | None], after_s: float
    ) -> None:
        """As a slow `main`: the spare always starts. `spare_first` says which of the two ends first."""
        self.hedged_after_s.append(after_s)
        steps = spare()
        if steps is None:
            await main
        elif self.spare_first:
            if await steps:
                main.close()
            else:
                await main
        elif await main:
            steps.close()
        else:
            await steps

    async def sleep(self, seconds: float) -> None:
        await self._let_others()
        self.slept.append(seconds)
        self.time += seconds

    async def close(self, reply: Reply) -> None:
        await self._let_others()
        self.closed.append(reply)

    async def wait(self, flight: Flight, longest_s: float) -> bool:
        await self._let_others()
        self.waited.append(longest_s)
        self.while_waiting(flight)
        if flight.landed is None:
            self.time += longest_s
        return flight.landed is True

    def can_follow(self, stream: Stream) -> bool:
        return True

    async def load(self, store: Store, key: str) -> Entry | None:
        await self._let_others()
        return await store.load_async(key, self.wall()) if self.suspends else store.load(key, self.wall())

    async def claim(self, store: Store, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        await self._let_others()
        if self.suspends:
            return await store.claim_async(key, usable, longest_s)
        return store.claim(key, usable, longest_s)

    async def load_many(self, store: Store, keys: Sequence[str]) -> list[Entry | None]:
        await self._let_others()
        return await store.load_many_async(keys, self.wall()) if self.suspends else store.load_many(keys, self.wall())

    def beside(self, steps: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        if self.may_go_beside:
            self.beside_ones.append(steps)
        return self.may_go_beside

    async def go_beside(self) -> None:
        """Run what was to run beside the calls so far."""
        begun, self.beside_ones = self.beside_ones, []
        for steps in begun:
            await steps()

    def probe(self, due: Sequence[Endpoint], learn: Learn) -> bool:
        self.probed += [endpoint.name for endpoint in due]
        self.learn = learn
        return True

    def broken(self, why: str) -> BaseException:
        return Native("broken", why)

    async def _let_others(self) -> None:
        if self.suspends:
            await asyncio.sleep(0)


class Run:
    """Runs the same scenario to its end in one of two ways: without ever suspending, or as a task of asyncio."""

    def __init__(self, suspends: bool) -> None:
        self.suspends = suspends

    def runtime(self, **said: Any) -> Scripted:
        return Scripted(suspends=self.suspends, **said)

    def __call__(self, steps: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(steps) if self.suspends else run_sync(steps)


both_ways = pytest.mark.parametrize("run", [Run(False), Run(True)], ids=["sync", "async"])


class BrokenStore:
    """A store with which nothing works."""

    waits = False
    leases = True

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        raise OSError("claim is broken")

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        raise OSError("claim is broken")

    def release(self, key: str) -> None: ...

    def load(self, key: str, now: float) -> Entry | None:
        raise OSError("load is broken")

    async def load_async(self, key: str, now: float) -> Entry | None:
        raise OSError("load is broken")

    def load_many(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        raise OSError("load is broken")

    async def load_many_async(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        raise OSError("load is broken")

    def save(self, entry: Entry, now: float) -> bool:
        raise OSError("save is broken")

    def delete(self, key: str) -> None:
        raise OSError("delete is broken")

    def invalidate(self, subject: Subject, at: float) -> None:
        raise OSError("invalidate is broken")

    def gone(self, entry: Entry) -> bool:
        raise OSError("gone is broken")

    async def gone_async(self, entry: Entry) -> bool:
        raise OSError("gone is broken")

    def clear(self) -> None:
        raise OSError("clear is broken")

    def usage(self) -> tuple[int, int]:
        raise OSError("usage is broken")

    def close(self) -> None:
        raise OSError("close is broken")

    def after_fork(self) -> None:
        raise OSError("after_fork is broken")


def policies(
    *endpoints: Endpoint, store: Store | None = None, cached: bool = True, hooks: Sequence[Hook] = (), **settings: Any
) -> Policies:
    """The policies of an edge with these endpoints and settings, and a cache."""
    said = Settings(**settings)
    return Policies(
        settings=said,
        endpoints=endpoints,
        origins=frozenset(said.origins),
        selector=Selector(endpoints, random.Random(1)),
        store=store if store is not None else MemoryStore(2**20) if cached else None,
        flights=Flights(),
        telemetry=Telemetry(hooks),
    )


def request(
    prompt: str = "Is it?", *headers: tuple[str, str], path: str = "/chat/completions", default_origin: bool = True,
    fixed: bool = False, live: bool | None = False, origin: str = "https://api.openai.com/v1", method: str = "POST",
    credential: str = "Bearer k", **body: Any,
) -> Request:  # fmt: skip
    """A request as a door reads it: of chat completions, to the SDK's own origin."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **body}
    shown = [("authorization", credential)] if credential else []
    return Request(
        sdk="openai", method=method, origin=origin, path=path, query="", headers=[*shown, *headers],
        body=json.dumps(asked).encode(), live=live, default_origin=default_origin, fixed=fixed,
    )  # fmt: skip
