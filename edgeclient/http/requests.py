"""Requests of either family: what they ask, and copies of them for an endpoint. Opens nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..cache.key import CREDENTIALS, counts
from ..values import UNSAID, Call, Endpoint, Json, Product, Request
from . import credentials, telling
from .families import Base, family_name, family_of, lines_of, transport_of

T = TypeVar("T")

_OF_ONE_CALL = ("idempotency-key", "x-stainless-retry-count", "x-client-request-id")
_PAID_S = 120.0  # the longest wait for a model that is started for nobody
_UNPAID_S = 2.0  # the longest wait for each step of a request that nobody waits for


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
    lines = lines_of(native.headers) or native.headers.raw
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
    lines = lines_of(aimed.headers)
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


@lru_cache(maxsize=256)
def _url(kind: Any, address: str, query: bytes) -> tuple[Any, bytes]:
    """The URL at an endpoint, without what may be secret in the query, and its `Host`."""
    url, kept = sys.modules[family_name(kind)].URL(address), credentials.harmless_query(query)
    return url.copy_with(query=kept) if kept else url, url.netloc


def _copied(native: Any) -> Any:
    """A shallow copy. `copy.copy` would go through the family's pickling, which drops stream and extensions."""
    copied = object.__new__(type(native))
    copied.__dict__.update(native.__dict__)
    return copied


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
