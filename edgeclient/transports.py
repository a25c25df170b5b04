"""Transports for callers who take an HTTP client and no SDK client. Open nothing themselves."""

from __future__ import annotations

from typing import Any

from .default import default_edge
from .http.transport import AsyncTransport, SyncTransport


class EdgeTransport(SyncTransport):
    """A sync transport around another: `httpx2.Client(transport=EdgeTransport(httpx2.HTTPTransport()))`, or with httpx.

    `edge`: an `Edge`; by default the one that the environment and `edgeclient.toml` describe. `Edge.http_client()` makes
    a whole client and keeps the proxies of the environment, which a `transport=` argument switches off.
    """

    def __init__(self, inner: Any, *, edge: Any = None) -> None:
        super().__init__(inner, edge if edge is not None else default_edge())


class AsyncEdgeTransport(AsyncTransport):
    """The same for async clients: `httpx2.AsyncClient(transport=AsyncEdgeTransport(httpx2.AsyncHTTPTransport()))`."""

    def __init__(self, inner: Any, *, edge: Any = None) -> None:
        super().__init__(inner, edge if edge is not None else default_edge())
