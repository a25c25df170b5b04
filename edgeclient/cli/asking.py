"""Asks questions through clients of both SDKs, by threads and by asyncio tasks at the same time, and times each answer.

Starts threads (one of them runs an event loop) and makes calls. It asks as an application would: a stream that breaks
half-way is asked again from its start, because no library may start one again whose first words were already read.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import edgeclient

from .figures import CACHE, Answer
from .questions import Ask

WORKERS = 8  # threads, and as many tasks
_TRIES = 3
_CLIENTS = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}
_SYSTEM = "You answer a bank's customers. Answer in one or two short sentences."
MOST_TOKENS = 300


def arguments(ask: Ask, model: str) -> dict[str, Any]:
    """What `create` of the question's SDK is given."""
    asked = {"role": "user", "content": ask.text}
    if ask.sdk == "anthropic":
        said: dict[str, Any] = {"system": _SYSTEM, "messages": [asked], "max_tokens": MOST_TOKENS}
    else:
        said = {"messages": [{"role": "system", "content": _SYSTEM}, asked], "max_completion_tokens": MOST_TOKENS}
        if ask.streamed:
            said["stream_options"] = {"include_usage": True}  # else a stream's stored answer cannot serve a plain call
    return {"model": model, "stream": ask.streamed, **said}


class Hearing:
    """What one caller hears of one answer, whole or as events."""

    def __init__(self, ask: Ask, began: float) -> None:
        self._ask, self._began = ask, began
        self.begun = False  # a stream has begun
        self.first_s: float | None = None
        self.complete = False
        self.tokens = 0
        self.notes: edgeclient.Notes | None = None

    def whole(self, answer: Any) -> None:
        """A whole answer came."""
        openai = self._ask.sdk == "openai"
        text = answer.choices[0].message.content if openai else answer.content[0].text
        self.complete = bool(text)
        usage = answer.usage
        self.tokens = usage.total_tokens if openai else usage.input_tokens + usage.output_tokens

    def event(self, event: Any) -> None:
        """One event of a stream came."""
        if self._ask.sdk == "openai":
            words = bool(event.choices and event.choices[0].delta.content)
            self.complete |= bool(event.choices and event.choices[0].finish_reason)
            self.tokens += event.usage.total_tokens if event.usage else 0
        else:
            words = event.type == "content_block_delta"
            self.complete |= event.type == "message_stop"
            if event.type == "message_start":
                self.tokens += event.message.usage.input_tokens
            elif event.type == "message_delta":
                self.tokens += event.usage.output_tokens
        if words and self.first_s is None:
            self.first_s = time.perf_counter() - self._began


class Round:
    """One round of questions. `make(name)` gives a client of that class; `models` names the model of each SDK."""

    def __init__(
        self, asks: Iterable[Ask], make: Callable[[str], Any], models: Mapping[str, str], *, workers: int = WORKERS
    ) -> None:
        self.asks = tuple(asks)
        self._make, self._models, self._workers = make, models, workers
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._broken: list[BaseException] = []
        self._closing = ExitStack()
        self.began = 0.0

    def __enter__(self) -> Round:
        """Opens the clients and begins to ask."""
        sdks = sorted({ask.sdk for ask in self.asks})
        clients = {sdk: self._closing.enter_context(self._make(_CLIENTS[sdk][0])) for sdk in sdks}
        their = {sdk: self._make(_CLIENTS[sdk][1]) for sdk in sdks}
        by_threads, by_tasks = iter(self.asks[::2]), iter(self.asks[1::2])
        bodies: list[Callable[[], None]] = [lambda: asyncio.run(self._all_tasks(their, by_tasks))]
        bodies += [lambda: self._by_thread(clients, by_threads)] * min(self._workers, len(self.asks))
        self.began = time.perf_counter()
        for body in bodies:
            self._threads.append(threading.Thread(target=self._guarded, args=(body,), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *error: object) -> None:
        """Lets the calls under way end, asks no more, and closes the clients."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._closing.close()
        if self._broken and error[0] is None:
            raise self._broken[0]

    def answers(self) -> tuple[Answer, ...]:
        """The answers so far, in the order they came."""
        with self._lock:
            return tuple(self._answers)

    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.began

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; True at the end."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # -- inside

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # shown by the thread that opened the round
            self._broken.append(error)
            self._stop.set()

    def _next(self, asks: Iterator[Ask]) -> Ask | None:
        with self._lock:
            return None if self._stop.is_set() else next(asks, None)

    def _by_thread(self, clients: Mapping[str, Any], asks: Iterator[Ask]) -> None:
        while (ask := self._next(asks)) is not None:
            if self._stop.wait(max(0.0, ask.at_s - self.now())):
                return
            self._note(self._ask(clients[ask.sdk], ask))

    async def _all_tasks(self, clients: Mapping[str, Any], asks: Iterator[Ask]) -> None:
        async with AsyncExitStack() as closing:
            for client in clients.values():
                await closing.enter_async_context(client)
            await asyncio.gather(*(self._by_task(clients, asks) for _ in range(min(self._workers, len(self.asks)))))

    async def _by_task(self, clients: Mapping[str, Any], asks: Iterator[Ask]) -> None:
        while (ask := self._next(asks)) is not None:
            await asyncio.sleep(max(0.0, ask.at_s - self.now()))
            if self._stop.is_set():
                return
            self._note(await self._ask_async(clients[ask.sdk], ask))

    def _note(self, answer: Answer) -> None:
        with self._lock:
            self._answers.append(answer)

    def _ask(self, client: Any, ask: Ask) -> Answer:
        began = time.perf_counter()
        cut, error = 0, ""
        for _ in range(_TRIES):
            hearing = Hearing(ask, began)
            try:
                answer = _create(client, ask.sdk)(**arguments(ask, self._models[ask.sdk]))
                hearing.notes = edgeclient.notes(answer)
                hearing.begun = ask.streamed
                if ask.streamed:
                    with answer:
                        for event in answer:
                            hearing.event(event)
                else:
                    hearing.whole(answer)
                error = "" if hearing.complete else "incomplete answer"
            except Exception as failed:
                error = _words(failed)
            if not (error and hearing.begun):
                break
            cut += 1
        return self._answer(ask, began, hearing, cut, error)

    async def _ask_async(self, client: Any, ask: Ask) -> Answer:
        began = time.perf_counter()
        cut, error = 0, ""
        for _ in range(_TRIES):
            hearing = Hearing(ask, began)
            try:
                answer = await _create(client, ask.sdk)(**arguments(ask, self._models[ask.sdk]))
                hearing.notes = edgeclient.notes(answer)
                hearing.begun = ask.streamed
                if ask.streamed:
                    async with answer:
                        async for event in answer:
                            hearing.event(event)
                else:
                    hearing.whole(answer)
                error = "" if hearing.complete else "incomplete answer"
            except Exception as failed:
                error = _words(failed)
            if not (error and hearing.begun):
                break
            cut += 1
        return self._answer(ask, began, hearing, cut, error)

    def _answer(self, ask: Ask, began: float, hearing: Hearing, cut: int, error: str) -> Answer:
        notes = hearing.notes
        by = "" if notes is None else CACHE if notes.cache == "hit" else notes.endpoint
        return Answer(
            ask=ask,
            began_s=began - self.began,
            took_s=time.perf_counter() - began,
            first_s=hearing.first_s,
            by=by,
            attempts=1 if notes is None else notes.attempts,
            cut=cut,
            tokens=hearing.tokens,
            error=error,
        )


def _create(client: Any, sdk: str) -> Callable[..., Any]:
    create: Callable[..., Any] = client.chat.completions.create if sdk == "openai" else client.messages.create
    return create


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
