"""The other way in: transports around a transport, for callers who take no client but an HTTP client. Opens nothing itself.

They see final bytes: the SDK's authentication and signing have happened, its retries lie above. Either HTTP family goes.
"""

from __future__ import annotations

from typing import Any

from .. import pipeline
from ..runtime.protocol import run_sync
from ..runtime.tasks import TaskRuntime
from ..runtime.threads import ThreadRuntime
from ..surroundings import default_edge
from ..values import Call
from . import families
from .doors import Door
from .sending import DEFAULT_ORIGINS


class _Wrapped:
    """What both colours share."""

    def __init__(self, inner: Any, *, edge: Any = None) -> None:
        self._inner = inner
        self._edge: Any = edge if edge is not None else default_edge()

    def _open(self, request: Any, forward: Any) -> tuple[Call, Door] | None:
        seen = families.read_request(request, families.base_of_request(request, DEFAULT_ORIGINS), live=None)
        if seen is None:
            return None
        call = pipeline.classify(seen, self._edge.policies)
        native = families.without(request, seen, self._edge.taken_out)
        return call, Door(native, forward, forward, self._edge.prober, self._edge.reads_kernel)


class EdgeTransport(_Wrapped):
    """A sync transport: `httpx2.Client(transport=EdgeTransport(httpx2.HTTPTransport()))`, or the same with httpx.

    `edge`: an `Edge`; by default the one that the environment and `edgeclient.toml` describe.
    """

    def handle_request(self, request: Any) -> Any:
        opened = self._open(request, self._inner.handle_request) if self._edge.active else None
        if opened is None:
            return self._inner.handle_request(request)
        call, door = opened
        reply = run_sync(pipeline.respond(call, self._edge.policies, ThreadRuntime(door)))
        native = families.hand_over(reply, request, live=True, is_async=False)
        return families.whole(native) if native.is_closed else native

    def close(self) -> None:
        self._inner.close()

    def __enter__(self) -> EdgeTransport:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)


class AsyncEdgeTransport(_Wrapped):
    """The same for async clients: `httpx2.AsyncClient(transport=AsyncEdgeTransport(httpx2.AsyncHTTPTransport()))`."""

    async def handle_async_request(self, request: Any) -> Any:
        opened = self._open(request, self._inner.handle_async_request) if self._edge.active else None
        if opened is None:
            return await self._inner.handle_async_request(request)
        call, door = opened
        reply = await pipeline.respond(call, self._edge.policies, TaskRuntime(door))
        native = families.hand_over(reply, request, live=True, is_async=True)
        return families.whole(native) if native.is_closed else native

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> AsyncEdgeTransport:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)
