"""Certificates that the clients of these tests trust, and the ways in which an openai client asks."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import trustme
from calling import Asking, Tls
from counting import Tunnel


@pytest.fixture(scope="session")
def tls() -> Tls:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", "::1", "localhost").configure_cert(server)
    authority.configure_trust(client)
    server.set_alpn_protocols(["h2", "http/1.1"])
    return Tls(server, client)


@pytest.fixture(params=["threads", "asyncio", "trio"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def anyio_backend(way: str) -> str:
    return "trio" if way == "trio" else "asyncio"


@pytest.fixture
async def asking(way: str, tls: Tls) -> AsyncIterator[Asking]:
    async with AsyncExitStack() as stack:
        yield Asking(way, stack, tls.client)


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with Tunnel() as running:
        yield running
