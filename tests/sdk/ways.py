"""The three ways a scenario runs (threads, asyncio, trio), written once; and HTTP clients that never leave loopback.

A scenario is an `async def` over `settled`, `each` and `entered`. With a sync client it never suspends.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
from recording import Origin

SDKS: Mapping[str, Any] = {"openai": openai, "anthropic": anthropic}
DEFAULT_HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}


def own_family(sdk: str) -> Any:
    """The HTTP package that the installed SDK runs on: httpx before openai 3 and anthropic 1, httpx2 since."""
    base = SDKS[sdk].DefaultHttpxClient.__mro__[1]
    return sys.modules[base.__module__.partition(".")[0]]


def families(sdk: str) -> list[str]:
    """The names of the families whose clients the installed SDK takes: openai 3 takes those of httpx too."""
    own: str = own_family(sdk).__name__
    return [own, "httpx"] if sdk == "openai" and own == "httpx2" else [own]


async def settled(value: Any) -> Any:
    """The value, awaited if that is needed."""
    return await value if inspect.isawaitable(value) else value


async def each(items: Any) -> AsyncIterator[Any]:
    """The items of anything that iterates, in either colour."""
    items = await settled(items) if not hasattr(items, "__aiter__") else items
    if hasattr(items, "__aiter__"):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """A context manager of either colour."""
    if hasattr(manager, "__aenter__"):
        async with manager as inside:
            yield inside
    else:
        with manager as inside:
            yield inside


async def close(client: Any) -> None:
    await settled(client.aclose() if hasattr(client, "aclose") else client.close())


def loopback_transport(family: Any, is_async: bool, hosts: Mapping[str, Origin], **options: Any) -> Any:
    """A real transport that takes hosts of the internet for origins on loopback, and goes nowhere else."""

    def on_loopback(request: Any) -> Any:
        host = request.url.host
        if host == "127.0.0.1":
            return request
        assert host in hosts, f"a request left loopback: {request.url}"
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=hosts[host].port)
        return family.Request(
            request.method, url, headers=request.headers.raw, stream=request.stream, extensions=request.extensions
        )

    class Loopback(family.HTTPTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(on_loopback(request))

    class AsyncLoopback(family.AsyncHTTPTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(on_loopback(request))

    return (AsyncLoopback if is_async else Loopback)(verify=False, **options)


@dataclass
class Way:
    """One way to run a scenario. Makes clients and closes them at the end of the test."""

    name: str  # threads | asyncio | trio
    stack: AsyncExitStack

    @property
    def is_async(self) -> bool:
        return self.name != "threads"

    def cls(self, module: Any, name: str) -> Any:
        """`OpenAI` or `AsyncOpenAI` of an SDK, of a mirror or of an `Edge`."""
        return getattr(module, f"Async{name}" if self.is_async else name)

    def keep(self, client: Any) -> Any:
        """Have a client closed at the end."""
        self.stack.push_async_callback(close, client)
        return client

    def http_client(
        self, family: Any, hosts: Mapping[str, Origin] | None = None, *, connections: int | None = None, **options: Any
    ) -> Any:
        limits = {"limits": family.Limits(max_connections=connections)} if connections else {}
        transport = loopback_transport(family, self.is_async, hosts or {}, **limits)
        options.setdefault("follow_redirects", True)
        made = self.cls_of_family(family)(transport=transport, **options)
        return self.keep(made)

    def cls_of_family(self, family: Any) -> Any:
        return family.AsyncClient if self.is_async else family.Client


@asynccontextmanager
async def way_of(name: str) -> AsyncIterator[Way]:
    async with AsyncExitStack() as stack:
        yield Way(name, stack)


def opened(name: str) -> AbstractAsyncContextManager[Way]:
    """The way of that name; leave it to close what was made."""
    return way_of(name)
