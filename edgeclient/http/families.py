"""The one file that knows httpx and httpx2, and it speaks whichever family a request came from. Opens nothing.

A request tells its family by its module, so no family is imported here and one that nobody uses costs nothing.
"""

from __future__ import annotations

import datetime
import errno
import importlib
import json
import socket
import ssl
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from .. import noting as said
from ..cache.key import CREDENTIALS, counts
from ..values import UNSAID, Call, Endpoint, Failure, Json, Product, Reply, Request
from . import bodies, credentials, following, led, pacing, sockets, telling

T = TypeVar("T")

_LONG = 64 * 2**10  # bytes of a request by which the speed of its path can be told
_OF_ONE_CALL = ("idempotency-key", "x-stainless-retry-count", "x-client-request-id")
_PAID_S = 120.0  # the longest wait for a model that is started for nobody
_UNPAID_S = 2.0  # the longest wait for each step of a request that nobody waits for
_ENCODING = ("content-encoding", "content-length", "transfer-encoding")


Gauge = Callable[[Any], "float | None"]  # a response -> the round-trip time of its path in seconds, where it tells


def family_of(native: Any) -> Any:
    """The module (httpx or httpx2) whose request or response this is, subclasses included."""
    kind: Any = type(native)
    return sys.modules[_family_name(kind)]


@lru_cache(maxsize=64)
def _family_name(kind: type) -> str:
    for parent in kind.__mro__:
        root = parent.__module__.partition(".")[0]
        if root in ("httpx2", "httpx"):
            return root
    raise TypeError(f"neither an httpx nor an httpx2 object: {kind!r}")


if TYPE_CHECKING:
    import httpx
    import httpx2

    class SyncBase(httpx.BaseTransport, httpx2.BaseTransport):  # type: ignore[misc]
        """What our transports are to type checkers: either family's."""

    class AsyncBase(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):  # type: ignore[misc]
        """The same for async ones."""

else:
    SyncBase = AsyncBase = object


def of_openai() -> str:
    """The HTTP family that the installed openai runs on."""
    return _family_name(importlib.import_module("openai").DefaultHttpxClient)


@dataclass(frozen=True, slots=True)
class Base:
    """A client's base URL, taken apart once."""

    sdk: str  # "openai" | "anthropic" | "" when only the URL is known
    is_default: bool  # the SDK's own origin
    origin: str  # without its last slash
    scheme: str
    host: str
    port: int | None
    folder: str  # its path, with its last slash


def base_of(url: Any, sdk: str, default: str) -> Base:
    """Takes a family's URL apart; `default` is the SDK's own origin."""
    origin, folder = str(url).rstrip("/"), url.path.rstrip("/") + "/"
    return Base(sdk, origin == default, origin, url.scheme, url.host, url.port, folder)


def read_request(
    native: Any, base: Base, *, live: bool | None, hidden: bool = False, residency: str = ""
) -> Request | None:
    """What the pipeline wants to know of a request; None when it is not below the base URL.

    `residency`: the region that the client was made for. `hidden`: the credential is not in the request yet (an auth flow
    adds it), so nobody can tell callers apart by it.
    """
    url = native.url
    path = url.path
    if not path.startswith(base.folder) or (url.scheme, url.host, url.port) != (base.scheme, base.host, base.port):
        return None
    try:
        body = native.content
    except Exception:  # the family's RequestNotRead: an upload that streams, or a body given as an iterator
        body = b""
    lines = _lines(native.headers) or native.headers.raw
    headers, signed = [], False
    for n, name in _meant(tuple([line[0] for line in lines])):
        value = lines[n][-1].decode("latin-1")
        signed = signed or (name == "authorization" and value.startswith("AWS4-"))
        if not (hidden and name in credentials.CALLERS):
            headers.append((name, value))
    return Request(
        sdk=base.sdk,
        method=native.method,
        origin=base.origin,
        path=path[len(base.folder) - 1 :],
        query=url.query.decode("ascii", "replace"),
        headers=headers,
        body=body,
        live=live,
        default_origin=base.is_default,
        residency=residency,
        fixed=hidden or signed,
    )


@lru_cache(maxsize=256)
def _meant(names: tuple[bytes, ...]) -> tuple[tuple[int, str], ...]:
    """Which of a request's headers mean something to the pipeline; an SDK sends the same ones with every call."""
    return tuple((n, name) for n, raw in enumerate(names) if (name := _meaning(raw)))


def _meaning(raw: bytes) -> str:
    """A header's name in lower case if it means something to the pipeline, else "" (most of an SDK's headers do not)."""
    name = credentials.lower(raw)
    ours = name in ("cache-control", "idempotency-key", "x-stainless-retry-count") or name.startswith("edge-")
    return name if ours or name in CREDENTIALS or counts(name) else ""


def without(native: Any, seen: Request, taken_out: tuple[str, ...]) -> Any:
    """The request, or a copy of it without these headers when it has any of them.

    An origin that the user chose may be a gateway or a PoP: words for a cache are for its cache too.
    """
    ours, lighter = taken_out if seen.default_origin else (), native
    for name, _ in seen.headers:
        if name in ours or name.startswith("edge-"):
            if lighter is native:
                lighter = _copied(native)
                lighter.headers = native.headers.copy()
            lighter.headers.pop(name, None)  # one that comes twice goes at once
    return lighter


def aim(native: Any, endpoint: Endpoint, call: Call, *, connect_s: float | None) -> Any:
    """A shallow copy of the request, pointed at an endpoint. Its credentials become those the endpoint was given.

    A copy costs an eighth of a new request and keeps its extensions (timeouts, trace).
    """
    kind: Any = type(native)
    product, aimed = endpoint.product, _copied(native)
    path = call.path if product is None else product.path(call)
    aimed.url, host = _url(kind, endpoint.base(call.sdk) + path, native.url.query)
    aimed.headers = native.headers.copy()
    credentials.replace(aimed.headers, endpoint.key, product.key_header(call.sdk) if product is not None else "")
    lines = _lines(aimed.headers)
    if lines and lines[0][1] == b"host":  # where the families put it
        lines[0] = (lines[0][0], b"host", host)
    else:
        aimed.headers["host"] = host.decode("ascii")
    if connect_s is not None or call.silent_s is not None:
        timeout = dict(native.extensions.get("timeout") or {})
        for what, longest_s in (("connect", connect_s), ("read", call.silent_s)):
            if longest_s is not None:
                said_s = timeout.get(what)
                timeout[what] = longest_s if said_s is None else min(said_s, longest_s)
        aimed.extensions = {**native.extensions, "timeout": timeout}
    for name, value in endpoint.headers.items():
        aimed.headers[name] = credentials.filled_in(value)
    there = endpoint.name_there(call.model, call.sdk)
    if product is not None and product.shapes(call) and call.dialect is not None:
        aimed = _shaped(aimed, product, call, there or call.model)
    elif call.stands_in:
        aimed = _with_body(aimed, {**call.body, "model": there or call.model})
    elif there not in (None, call.model):
        aimed = renamed(aimed, there or call.model)
    if call.controls is not UNSAID:
        telling.tell(aimed, endpoint, call)
    if product is not None and product.seals:
        for name, value in product.seal(aimed.method, str(aimed.url), aimed.headers, aimed.content).items():
            aimed.headers[name] = value
    return aimed


def _shaped(aimed: Any, product: Product, call: Call, model: str) -> Any:
    """The request as a product wants it."""
    had = json.loads(aimed.content)
    body = {**(call.body if call.stands_in else had), "model": model}
    for name, value in product.shape(call, body).items():
        aimed.headers[name] = value
    return aimed if body == had else _with_body(aimed, body)


def _lines(headers: Any) -> list[tuple[bytes, bytes, bytes]] | None:
    """The lines that the families' headers are made of (as written, in lower case, value), to be changed in place.

    Private, and so None where it is not there; each public way of a change looks through all lines or makes them anew.
    """
    return getattr(headers, "_list", None)


def _copied(native: Any) -> Any:
    """A shallow copy. `copy.copy` would go through the family's pickling, which drops stream and extensions."""
    copied = object.__new__(type(native))
    copied.__dict__.update(native.__dict__)
    return copied


@lru_cache(maxsize=256)
def _url(kind: Any, address: str, query: bytes) -> tuple[Any, bytes]:
    """The URL at an endpoint, without what may be secret in the query, and its `Host`."""
    url, kept = sys.modules[_family_name(kind)].URL(address), credentials.harmless_query(query)
    return url.copy_with(query=kept) if kept else url, url.netloc


def renamed(native: Any, model: str) -> Any:
    """The request with another model's name in its body."""
    return _with_body(native, {**json.loads(native.content), "model": model})


def asking(native: Any, inputs: Any) -> Any:
    """The request with these inputs in its body instead, spelled as the SDKs do."""
    return _with_body(native, {**json.loads(native.content), "input": inputs})


def _with_body(native: Any, said: dict[str, Any]) -> Any:
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    headers = native.headers.copy()
    headers["Content-Length"] = str(len(body))  # as the families write it
    made = family_of(native).Request
    return made(native.method, native.url, headers=headers, content=body, extensions=native.extensions)


def failure_of(error: BaseException, *, early: bool = False) -> Failure | None:
    """What an exception says about the attempt; None when it is not the attempt's own failure (a bug, a cancellation).

    `early`: it came too soon to be the end of keep-alive probes, which follow only when all has been acknowledged.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if "HTTPStatusError" in names:  # raised by a response hook of the user's HTTP client
        status = getattr(getattr(error, "response", None), "status_code", 0)
        return Failure.THROTTLED if status == 429 else Failure.STATUS if status >= 500 else None
    if "PoolTimeout" in names:
        return Failure.POOL
    if "ConnectTimeout" in names:
        return Failure.CONNECT_TIMEOUT
    if "ConnectError" in names:
        return _connect_failure(error)
    if "TransportError" in names and (dead := _dead_path(error, early)):
        return dead
    if "TimeoutException" in names:
        return Failure.READ_TIMEOUT
    if names & {"ProtocolError", "DecodingError"}:
        parted = "disconnected" in str(error) or "closed connection" in str(error)
        return Failure.TERMINATED if parted else Failure.PROTOCOL
    if names & {"TransportError", "SSLError", "EndOfStream"}:
        return Failure.TERMINATED
    return None


def request_error(error: BaseException) -> str:
    """The name of the family's own class of an exception that a request ended with; "" for any other exception."""
    names = [kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] in ("httpx", "httpx2")]
    return names[0] if "RequestError" in names else ""


def _dead_path(error: BaseException, early: bool) -> Failure | None:
    """What it was when the kernel (ETIMEDOUT) or the watchdog gave the path up: no slow answer, in any case."""
    causes = _causes(error)
    if any(isinstance(cause, sockets.Unacknowledged) for cause in causes):
        return Failure.UNACKNOWLEDGED
    if any(isinstance(cause, OSError) and cause.errno == errno.ETIMEDOUT for cause in causes):
        return Failure.UNACKNOWLEDGED if early else Failure.TERMINATED
    return None


def _connect_failure(error: BaseException) -> Failure:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return Failure.TLS
        if isinstance(cause, socket.gaierror):
            return Failure.DNS
        if isinstance(cause, ConnectionRefusedError):
            return Failure.REFUSED
    text = str(error)
    if "SSL" in text or "CERTIFICATE" in text:
        return Failure.TLS
    return Failure.CONNECT


def _causes(error: BaseException) -> list[BaseException]:
    """The error and what it came from, innermost last; exception groups of connection races are opened."""
    found: list[BaseException] = []
    open_ones: list[BaseException | None] = [error]
    while open_ones and len(found) < 32:
        one = open_ones.pop()
        if one is not None and one not in found:
            found.append(one)
            open_ones += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


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
    kept = _lines(native.headers)
    if kept is None:
        native.headers = type(native.headers)([*native.headers.raw, *lines])  # a list field may come in several lines
    else:
        for name, value in lines:
            kept.append((name, name, value))


def native_error(native: Any, kind: str, why: str) -> BaseException:
    """The family's own exception of that class name; the SDKs map it and retry."""
    error: BaseException = getattr(family_of(native), kind)(why, request=native)
    return error


def base_of_request(native: Any, defaults: dict[str, str], listed: Iterable[str]) -> Base:
    """The base URL of a request whose client is not known: an SDK's own origin, a listed one, else the root of its host."""
    family, address = family_of(native), str(native.url)
    for sdk, origin in defaults.items():
        if address.startswith(f"{origin}/"):
            return base_of(family.URL(origin), sdk, origin)
    for origin in sorted(listed, key=len, reverse=True):
        if address.startswith(f"{origin}/"):
            return base_of(family.URL(origin), "", "")
    return base_of(native.url.copy_with(path="/", query=None), "", "")


def through(client: Any, wrap: Callable[[Any], Any]) -> Any:
    """A client whose transports are wrapped, those of the environment's proxies too.

    A `transport=` argument would make the client ignore proxies and drop its connection limits.
    """
    client._transport = wrap(client._transport)
    client._mounts = {k: None if t is None else wrap(t) for k, t in client._mounts.items()}
    return client


def smallest(native: Any, body: Json) -> Any:
    """A request like this one with another body, and without what is of one call only."""
    small = _with_body(native, dict(body))
    for name in _OF_ONE_CALL:
        small.headers.pop(name, None)
    timeout = {
        what: min(seconds or _PAID_S, _PAID_S) for what, seconds in (small.extensions.get("timeout") or {}).items()
    }
    small.extensions = {"timeout": timeout} if timeout else {}
    return small


def transport_of(way: Any, url: Any) -> Any:
    """The transport by which a client reaches a URL; a transport itself."""
    choose = getattr(way, "_transport_for_url", None)
    return way if choose is None else choose(url)


def unpaid(family: Any, way: Any, base: str, path: str) -> tuple[Any, Any]:
    """The transport by which a client (or itself) reaches a base URL, and a GET of a path of its host, without a key."""
    parts = urlsplit(base)
    url = family.URL(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}")
    headers = {"user-agent": "edgeclient-probe", "accept-encoding": "identity"}
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), _UNPAID_S)
    request = family.Request("GET", url, headers=headers, extensions={"timeout": timeout})
    return transport_of(way, url), request


def watched(native: Any, watching: Callable[..., T], *, proxied: bool) -> tuple[Any, T]:
    """A copy of the request with another `trace` function, made of the one that it had, and that function."""
    made = watching(native.extensions.get("trace"), proxied=proxied)
    copied = _copied(native)
    copied.extensions = {**native.extensions, "trace": made}
    return copied, made
