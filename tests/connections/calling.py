"""One question to servers of these tests, in every colour: clients of an edge over HTTP clients that trust them."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
from counting import Server

import edgeclient

ASK: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello?"}]}
OPENAI = "https://api.openai.com/v1/chat/completions"  # nothing is sent there: the edges have endpoints, and no origin


@dataclass
class Tls:
    """A context for servers, and one for clients that trust it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def own_family() -> Any:
    """The HTTP package that the installed openai runs on."""
    base = openai.DefaultHttpxClient.__mro__[1]
    return sys.modules[base.__module__.partition(".")[0]]


class Asking:
    """Clients of an edge in one colour, and one question to them."""

    def __init__(self, way: str, stack: AsyncExitStack, trusted: ssl.SSLContext) -> None:
        self.is_async, self._stack, self._trusted = way != "threads", stack, trusted

    def http_client(self, **options: Any) -> Any:
        """An HTTP client of the family that the installed openai runs on."""
        family = own_family()
        kind = family.AsyncClient if self.is_async else family.Client
        return kind(**{"verify": self._trusted, "trust_env": False, **options})

    @asynccontextmanager
    async def edges_http_client(self, edge: edgeclient.Edge) -> AsyncIterator[Any]:
        """The HTTP client that an edge makes."""
        if self.is_async:
            async with edge.async_http_client(verify=self._trusted) as http_client:
                yield http_client
        else:
            with edge.http_client(verify=self._trusted) as http_client:
                yield http_client

    def transport(self, **options: Any) -> Any:
        """A transport of that family."""
        family = own_family()
        kind = family.AsyncHTTPTransport if self.is_async else family.HTTPTransport
        return kind(**{"verify": self._trusted, **options})

    def client(self, edge: edgeclient.Edge, **options: Any) -> Any:
        """A client whose calls go to the edge's endpoints; `options` are the HTTP client's."""
        http_client = self.http_client(**options)
        edge.keep_alive(http_client)
        made: Any = edge.AsyncOpenAI if self.is_async else edge.OpenAI
        client = made(api_key="sk-callers-own", http_client=http_client, max_retries=0)
        close = client.close if self.is_async else self._soon(client.close)
        self._stack.push_async_callback(close)
        return client

    async def ask(self, client: Any, **more: Any) -> Any:
        """The notes of an answer."""
        answer = client.chat.completions.create(**{**ASK, **more})
        return edgeclient.notes(await answer if self.is_async else answer)

    @staticmethod
    def _soon(close: Any) -> Any:
        async def closing() -> None:
            close()

        return closing


def edge_at(*servers: Server, **options: Any) -> edgeclient.Edge:
    """An edge whose endpoints are these servers, by the names a, b, c."""
    endpoints = [edgeclient.Endpoint(server.url, name="abcdef"[n]) for n, server in enumerate(servers)]
    said = {"key": "passthrough", "probe": False, "remember": False, "origin": "never", **options}
    return edgeclient.Edge(endpoints=endpoints, **said)
