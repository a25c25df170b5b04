"""Origins and the ways to run a scenario, for the tests of the drop-in."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator

import pytest
import ways
from recording import Origin
from talking import Net


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture(params=["threads", "asyncio"])
def way_name(request: pytest.FixtureRequest) -> str:
    """A file whose subject waits for others (`test_edge_cache`) adds trio: nothing else of ours differs there."""
    return str(request.param)


@pytest.fixture
def anyio_backend(way_name: str) -> str:
    """A scenario with sync clients never suspends; it runs inside asyncio like any sync code that an async program calls."""
    return "trio" if way_name == "trio" else "asyncio"


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDKs' own pause before a retry that no header asked for: none."""
    for sdk in ("openai", "anthropic"):
        monkeypatch.setattr(f"{sdk}._base_client.INITIAL_RETRY_DELAY", 0.0)


@pytest.fixture(autouse=True)
def _no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here speaks TLS; reading the list of authorities takes 30 ms for each client that an SDK makes."""
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *args, **kwargs: None)


@pytest.fixture(params=["openai", "anthropic"])
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def way(way_name: str) -> AsyncIterator[ways.Way]:
    async with ways.opened(way_name) as opened:
        yield opened


@pytest.fixture
def net(sdk: str, way: ways.Way, origin: Origin) -> Iterator[Net]:
    with Origin("fra") as fra, Origin("nyc") as nyc, Origin("bom") as bom:
        yield Net(sdk, way, origin, {"fra": fra, "nyc": nyc, "bom": bom})
