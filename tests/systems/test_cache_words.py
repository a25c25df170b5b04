"""What a caller says about caching, as each system's own cache is told it; and those that have no word for it get none."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from .asking import ask
from .conftest import Running, client_of

pytestmark = pytest.mark.anyio

_HTTP = {
    "no-cache": "cache-control: no-cache",
    "no-store": "cache-control: no-store",
    "max-age=60": "cache-control: max-age=60",
}
# Written out from the vendors' documentation, not read from the table under test.
TOLD: Mapping[str, Mapping[str, str]] = {
    "cloudflare-gateway": dict.fromkeys(_HTTP, "cf-aig-skip-cache: true"),
    "prism": dict.fromkeys(_HTTP, "x-prism-cache: off"),
    "openrouter": {
        "no-cache": "x-openrouter-cache-clear: true",
        "no-store": "x-openrouter-cache: false",
        "max-age=60": "x-openrouter-cache-clear: true",
    },
    "fly": _HTTP,
    "fastly-compute": _HTTP,
    "lambda-edge": _HTTP,
}
_KNOWN = {said.partition(":")[0] for told in TOLD.values() for said in told.values()}


@pytest.mark.parametrize("words", [*_HTTP, "stale-if-error=5", ""])
async def test_a_refresh_is_a_refresh_everywhere(running: Running, words: str) -> None:
    edge = running.edge(cache="exact")
    capability = "messages" if "chat" not in running.system.speaks else "chat"
    said = {"extra_headers": {"Cache-Control": words}} if words else {}
    async with client_of(edge, capability, "sync") as client:
        await ask(client, capability, running.model(capability), **said)
    (heard,) = running.emulator.seen
    told = [f"{name}: {value}" for name, value in heard.headers.items() if name in _KNOWN]
    expected = TOLD.get(running.system.name, {}).get(words)
    assert told == ([expected] if expected else [])
