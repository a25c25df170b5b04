"""The exact requests that each system gets for ten calls (one more where it has a cache), to be held against its pages.

`python -m pytest tests/systems/test_golden.py --golden` writes the files anew; look at what changed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from .asking import ask
from .cases import CASES
from .conftest import Running, client_of

pytestmark = pytest.mark.anyio

# The files hold what today's SDKs write; older ones order members otherwise and put Anthropic's key elsewhere.
OF_TODAY = int(openai.VERSION.partition(".")[0]) >= 3 and int(anthropic.__version__.partition(".")[0]) >= 1
GOLDEN = Path(__file__).parent / "golden"
_CHANGING = (
    r"secret-of-the-endpoint|token-of-the-gateway|\b[0-9a-f]{64}$|(?<=-)[0-9a-f]{32}$|\b\d{8}(?=/)|^\d{8}T\d{6}Z$"
)
_OURS = ("host", "accept-encoding", "connection", "user-agent", "content-length")
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("chat", {}), ("stream", {}), ("tools", {}), ("schema", {}), ("embeddings", {}), ("messages", {}), ("responses", {}),
    ("chat", {"max_tokens": 50}), ("chat", {"extra_headers": {"Cache-Control": "no-cache"}}), ("chat", {"temperature": 0}),
]  # fmt: skip

CACHED: tuple[str, dict[str, Any]] = (
    "chat", {"extra_headers": {"Edge-Cache-Ttl": "600", "Edge-Cache-Namespace": "tenant a"}},
)  # fmt: skip


@pytest.mark.parametrize("running", list(CASES), indirect=True)
async def test_the_requests_are_as_written_down(running: Running, request: pytest.FixtureRequest) -> None:
    if not OF_TODAY:
        return
    edge = running.edge(cache="exact")
    found = []
    for capability, more in [*CALLS, CACHED] if running.system.cache_words is not None else CALLS:
        if capability not in running.system.speaks or capability in running.case.lacks:
            continue
        async with client_of(edge, running.client(capability), "sync") as client:
            await ask(client, capability, running.model(capability), **more)
        found.append(
            {"call": f"{capability} {json.dumps(more)}" if more else capability, **_shown(running.emulator.seen[-1])}
        )
        edge.clear_cache()
    text = (
        json.dumps({"system": running.system.name, "sources": running.system.sources, "requests": found}, indent=1)
        + "\n"
    )
    path = GOLDEN / f"{re.sub(r'[^a-z0-9]+', '-', request.node.callspec.params['running'])}.json"
    if request.config.getoption("--golden"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"{path.name}: run with --golden and look at what changed"


def _shown(heard: Any) -> dict[str, Any]:
    """A request without what differs from run to run (a digest, from SDK to SDK), and without secrets."""
    headers = {
        name: re.sub(_CHANGING, "***", value)
        for name, value in sorted(heard.headers.items())
        if name not in _OURS and not name.startswith("x-stainless-")
    }
    return {"method": heard.method, "path": heard.path, "headers": headers, "body": heard.body}
