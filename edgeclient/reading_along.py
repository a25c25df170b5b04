"""Step 4 of a streamed call: what its leader lets others read along, and the answer of one who does. No I/O of its own."""

from __future__ import annotations

from .cache.sharing import Reader
from .cache.streams import Stream
from .cache.tee import Tee
from .noting import Notes
from .policies import Policies
from .recalling import recall
from .runtime.protocol import Runtime
from .telemetry.events import Event
from .values import Call, Reply

_ENCODINGS = (
    "",
    "identity",
    "gzip",
    "deflate",
)  # what every caller's HTTP library undoes; others need an extra of its own


def stream_key(call: Call) -> str:
    """What streams must have in common: the question, and what the stream shall tell beside the answer."""
    return f"{call.key} {call.body.get('stream_options')}"


def offer(stream: Stream, reply: Reply | None, *, stored: bool) -> None:
    """The leader has its answer: let others read it along where it is an event stream, else release them at once.

    `stored`: it is in the cache, for them too.
    """
    tee = reply.tee if reply is not None and _is_stream(reply) else None
    if reply is None or not isinstance(tee, Tee):
        stream.no_head(stored=stored)
        return
    reply.shared = stream
    stream.head(reply.headers, reply.notes, tee)


def _is_stream(reply: Reply) -> bool:
    return (
        reply.status == 200
        and reply.native is not None
        and reply.header(b"content-type").lower().startswith("text/event-stream")
        and reply.header(b"content-encoding").lower() in _ENCODINGS
    )


async def read_along(call: Call, edge: Policies, rt: Runtime, began: float, stream: Stream) -> Reply | None:
    """The answer of a stream whose head is here, from its first byte; or of the cache, when the stream is over by now.

    None: ask alone.
    """
    try:
        reader = await _aboard(edge, rt, began, stream)
    except Exception as error:
        edge.telemetry.mishap("live stream", error)
        return None
    if reader is None:
        return await recall(call, edge, rt, began, collapsed=True)
    led = stream.notes if stream.notes is not None else Notes()
    notes = Notes(
        route=call.route.value,
        endpoint=led.endpoint,
        pop=led.pop,
        cache="miss",
        upstream_cache=led.upstream_cache,
        upstream_age_s=led.upstream_age_s,
        key=call.key,
        collapsed=True,
        took_ms=(rt.now() - began) * 1e3,
        model=call.model,
        asked_model=call.asked_model,
    )
    edge.telemetry.emit(Event(rt.wall(), call.model, notes, status=200))
    return Reply(200, stream.headers, notes=notes, shared=reader)


async def _aboard(edge: Policies, rt: Runtime, began: float, stream: Stream) -> Reader | None:
    """A reader of the stream, when the part that its leader waits for has come."""
    if stream.tee is None or not rt.can_follow(stream):
        return None
    shared = stream.share()
    if shared.ready.landed is None:
        left_s = edge.settings.flight_wait_s - (rt.now() - began)
        await rt.wait(shared.ready, max(0.0, left_s))
    return shared.board() if shared.ready.landed else None
