"""Responses of either family: as replies to the pipeline, and as answers to the caller. Opens nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from .. import noting as said
from ..values import Reply
from . import bodies, following, led, pacing, sockets
from .families import family_of, lines_of

_LONG = 64 * 2**10  # bytes of a request by which the speed of its path can be told
_ENCODING = ("content-encoding", "content-length", "transfer-encoding")

Gauge = Callable[[Any], "float | None"]  # a response -> the round-trip time of its path in seconds, where it tells


def to_reply(native: Any, *, live: bool, gauge: Gauge | None, sent: int = 0) -> Reply:
    """A response as the pipeline sees it; its body is read unless it goes out live.

    `gauge`: measures the path that it came on; `sent`: bytes of the request.
    """
    reply = Reply(native.status_code, native.headers.raw, None if live else native.content, native)
    reply.cold = sockets.is_new(native)
    if gauge is not None:
        reply.rtt_s = gauge(native)
        if gauge is sockets.path_rtt and sent >= _LONG:
            reply.upload_bytes_s = sockets.of_response(native, sockets.upload_bytes_s)
    if live and "content-encoding" in native.headers:
        family, headers = family_of(native), native.headers
        reply.decode = lambda body: family.Response(200, headers=headers, content=body).content
    return reply


def hand_over(reply: Reply, request: Any, *, live: bool, is_async: bool, way: Any = None) -> Any:
    """The reply as a response of the request's family. What came over the wire goes on as it came, with its notes.

    `way`: the HTTP client, which those who read a stream along keep alive.
    """
    shared = reply.shared
    if reply.native is None:
        if reply.paced is not None:
            return _streaming(reply, pacing.paced(family_of(request), is_async)(reply.paced), request)
        return _followed(reply, shared, request, is_async) if shared is not None else _made(reply, request, live=live)
    native = reply.native
    _annotate(native, reply.notes)
    if shared is not None:
        native.stream = led.led(family_of(native), is_async)(native.stream, reply.tee, shared, request, way)
    elif reply.tee is not None:
        native.stream = bodies.teed(family_of(native), is_async)(native.stream, reply.tee)
    return native


def _made(reply: Reply, request: Any, *, live: bool) -> Any:
    """A response out of the cache. `live`: still to be read, as the caller of a stream expects."""
    family, body, notes = family_of(request), reply.body or b"", reply.notes
    headers = [*reply.headers, (b"content-length", b"%d" % len(body))]
    if notes is not None:
        headers += said.headers(notes)
    content = {"stream": family.ByteStream(body)} if live else {"content": body}
    native = family.Response(
        reply.status, headers=headers, request=request, extensions={"edgeclient": notes}, **content
    )
    native.elapsed = datetime.timedelta(milliseconds=(notes.took_ms or 0.0) if notes is not None else 0.0)
    return native


def _followed(reply: Reply, reader: object, request: Any, is_async: bool) -> Any:
    """A response like the leader's, whose body is read along."""
    return _streaming(reply, following.following(family_of(request), is_async)(reader, request), request)


def _streaming(reply: Reply, stream: Any, request: Any) -> Any:
    family, notes = family_of(request), reply.notes
    headers = [*reply.headers, *(said.headers(notes) if notes is not None else [])]
    native = family.Response(
        reply.status, headers=headers, request=request, extensions={"edgeclient": notes}, stream=stream
    )
    native.elapsed = datetime.timedelta(milliseconds=(notes.took_ms or 0.0) if notes is not None else 0.0)
    return native


def whole(native: Any) -> Any:
    """The same response, read already, still to be read by the client above a transport."""
    family = family_of(native)
    headers = [(name, value) for name, value in native.headers.raw if name.decode().lower() not in _ENCODING]
    stream = family.ByteStream(native.content)
    return family.Response(native.status_code, headers=headers, stream=stream, extensions=native.extensions)


def _annotate(native: Any, notes: said.Notes | None) -> None:
    if notes is None:
        return
    native.extensions["edgeclient"] = notes
    lines = said.headers(notes)
    kept = lines_of(native.headers)
    if kept is None:
        native.headers = type(native.headers)([*native.headers.raw, *lines])  # a list field may come in several lines
    else:
        for name, value in lines:
            kept.append((name, name, value))
