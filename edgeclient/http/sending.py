"""From an SDK's request to a call and back: what happens behind the send seam of an active edge."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable
from typing import Any, Protocol

from .. import pipeline
from ..classifying import classify
from ..errors import EdgeError, RouteError
from ..policies import Policies
from ..pops.prober import Prober, RttSource
from ..runtime.protocol import run_sync
from ..runtime.tasks import TaskRuntime
from ..runtime.threads import ThreadRuntime
from ..values import Call
from . import families, playing, requests, responses, taping
from .doors import Door, Warms

_SDK_ERRORS = {"openai": "OpenAIError", "anthropic": "AnthropicError"}
DEFAULT_ORIGINS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


class ActiveEdge(Protocol):
    """What the seam needs of an edge."""

    @property
    def active(self) -> bool:
        """False where only a tape is the reason to come here."""

    policies: Policies
    prober: Prober

    @property
    def taken_out(self) -> tuple[str, ...]:
        """Request headers that are words for us and go no further."""

    @property
    def rtt_source(self) -> RttSource: ...

    @property
    def warmer(self) -> Warms | None: ...


def open_door(
    edge: ActiveEdge, client: Any, request: Any, sdk: str, stream: bool, kwargs: dict[str, Any], forward: Any
) -> tuple[Call, Door] | None:
    """The call that a request of an SDK client is, and its door; None when it is none of ours (another host, a redirect)."""
    http_client = client._client
    hidden = (
        "auth" in kwargs
        or getattr(http_client, "auth", None) is not None
        or getattr(client, "_workload_identity_auth", None) is not None
    )
    residency = getattr(client, "_data_residency", None) or "global"
    seen = requests.read_request(
        request, _base(client, sdk), live=stream, hidden=hidden, residency="" if residency == "global" else residency
    )
    if seen is None:
        return None
    call = classify(seen, edge.policies)
    dispatch = functools.partial(http_client.send, stream=stream, auth=None, follow_redirects=False)
    native = requests.renamed(request, call.model) if call.asked_model else request
    native = requests.without(native, seen, edge.taken_out)
    return call, Door(native, forward, dispatch, edge.prober, edge.rtt_source, http_client, edge.warmer)


def _base(client: Any, sdk: str) -> families.Base:
    """The client's base URL, taken apart once and kept with the client while it is the same object."""
    url = client.base_url
    kept = client.__dict__.get("_edge_base")
    if kept is None or kept[0] is not url:
        kept = client.__dict__["_edge_base"] = url, families.base_of(url, sdk, DEFAULT_ORIGINS[sdk])
    base: families.Base = kept[1]
    return base


def _as_sdk_error(error: EdgeError, sdk: str) -> Exception:
    """The same error as one of the SDK's own: SDKs wrap and retry what is not theirs, and a second try changes nothing."""
    base = getattr(sys.modules[sdk], _SDK_ERRORS[sdk])
    kind = type(error)
    both = type(kind.__name__, (kind, base), {"__module__": kind.__module__})
    return both(str(error))  # type: ignore[no-any-return]


def send(
    edge: ActiveEdge, client: Any, request: Any, sdk: str, stream: bool, kwargs: dict[str, Any], forward: Any
) -> Any:
    """Send a request of a sync client through the pipeline; or let a test's tape answer it."""
    tape = taping.current
    if tape is not None:
        go = functools.partial(_passed, edge, client, sdk, stream, kwargs, forward) if edge.active else forward
        try:
            return playing.play(tape, request, go, live=stream)
        except EdgeError as error:
            raise _as_sdk_error(error, sdk) from None
    return _passed(edge, client, sdk, stream, kwargs, forward, request)


def _passed(
    edge: ActiveEdge, client: Any, sdk: str, stream: bool, kwargs: dict[str, Any], forward: Any, request: Any
) -> Any:
    opened = open_door(edge, client, request, sdk, stream, kwargs, forward)
    if opened is None:
        return forward(request)
    call, door = opened
    try:
        reply = run_sync(pipeline.respond(call, edge.policies, ThreadRuntime(door)))
    except RouteError as error:
        raise _as_sdk_error(error, sdk) from None
    return responses.hand_over(reply, request, live=call.live, is_async=False, way=door.way)


def send_async(
    edge: ActiveEdge, client: Any, request: Any, sdk: str, stream: bool, kwargs: dict[str, Any], forward: Any
) -> Awaitable[Any]:
    """The same for an async client."""
    tape = taping.current
    if tape is None:
        return _passed_async(edge, client, sdk, stream, kwargs, forward, request)
    go = functools.partial(_passed_async, edge, client, sdk, stream, kwargs, forward) if edge.active else forward
    return _played_async(tape, request, go, sdk, stream)


async def _played_async(tape: taping.Tape, request: Any, go: Any, sdk: str, stream: bool) -> Any:
    try:
        return await playing.play_async(tape, request, go, live=stream)
    except EdgeError as error:
        raise _as_sdk_error(error, sdk) from None


async def _passed_async(
    edge: ActiveEdge, client: Any, sdk: str, stream: bool, kwargs: dict[str, Any], forward: Any, request: Any
) -> Any:
    opened = open_door(edge, client, request, sdk, stream, kwargs, forward)
    if opened is None:
        return await forward(request)
    call, door = opened
    try:
        reply = await pipeline.respond(call, edge.policies, TaskRuntime(door))
    except RouteError as error:
        raise _as_sdk_error(error, sdk) from None
    return responses.hand_over(reply, request, live=call.live, is_async=True, way=door.way)
