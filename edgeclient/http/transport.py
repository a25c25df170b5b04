"""The other way in: transports around a transport, for callers who take no client but an HTTP client. Opens nothing itself.

They see final bytes: the SDK's authentication and signing have happened, its retries lie above. Either HTTP family goes.
"""

from __future__ import annotations

from typing import Any

from .. import pipeline
from ..classifying import classify
from ..runtime.protocol import run_sync
from ..runtime.tasks import TaskRuntime
from ..runtime.threads import ThreadRuntime
from ..values import Call
from . import families, playing, requests, responses, taping
from .doors import Door
from .sending import DEFAULT_ORIGINS


class _Wrapped:
    """What both colours share."""

    def __init__(self, inner: Any, edge: Any) -> None:
        self._inner, self._edge = inner, edge

    def _open(self, request: Any, forward: Any) -> tuple[Call, Door] | None:
        seen = requests.read_request(
            request, families.base_of_request(request, DEFAULT_ORIGINS, self._edge.policies.origins), live=None
        )
        if seen is None:
            return None
        call = classify(seen, self._edge.policies)
        native = requests.renamed(request, call.model) if call.asked_model else request
        native = requests.without(native, seen, self._edge.taken_out)
        edge = self._edge
        return call, Door(native, forward, forward, edge.prober, edge.rtt_source, self._inner, edge.warmer)

    def _closing(self) -> None:
        if self._edge.active and self._edge.warmer is not None:
            self._edge.warmer.forget(self._inner)


class SyncTransport(_Wrapped, families.SyncBase):
    """Sends what an `httpx.Client` or an `httpx2.Client` asks for through the pipeline."""

    def handle_request(self, request: Any) -> Any:
        tape = taping.current
        if tape is not None and not taping.going_out.get():
            return playing.play(tape, request, self._passed, live=True)
        return self._passed(request)

    def _passed(self, request: Any) -> Any:
        opened = self._open(request, self._inner.handle_request) if self._edge.active else None
        if opened is None:
            return self._inner.handle_request(request)
        call, door = opened
        reply = run_sync(pipeline.respond(call, self._edge.policies, ThreadRuntime(door)))
        native = responses.hand_over(reply, request, live=True, is_async=False, way=door.way)
        return responses.whole(native) if native.is_closed else native

    def close(self) -> None:
        self._closing()
        self._inner.close()

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing()
        self._inner.__exit__(*error)


class AsyncTransport(_Wrapped, families.AsyncBase):
    """The same for async clients."""

    async def handle_async_request(self, request: Any) -> Any:
        tape = taping.current
        if tape is not None and not taping.going_out.get():
            return await playing.play_async(tape, request, self._passed, live=True)
        return await self._passed(request)

    async def _passed(self, request: Any) -> Any:
        opened = self._open(request, self._inner.handle_async_request) if self._edge.active else None
        if opened is None:
            return await self._inner.handle_async_request(request)
        call, door = opened
        reply = await pipeline.respond(call, self._edge.policies, TaskRuntime(door))
        native = responses.hand_over(reply, request, live=True, is_async=True, way=door.way)
        return responses.whole(native) if native.is_closed else native

    async def aclose(self) -> None:
        self._closing()
        await self._inner.aclose()

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._closing()
        await self._inner.__aexit__(*error)
