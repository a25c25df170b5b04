"""Twelve endpoints with a key each, failovers forced in every way: no host ever sees a key that is not its own.

120 calls for each SDK and colour; with `--slow` 3,000, more than 20,000 requests in all.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import recording
import ways
from recording import Origin
from talking import CLIENTS, SECRET, ask

import edgeclient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

_COUNT = 12


def _key(number: int) -> str:
    return f"sk-endpoint-{number:02}-{'x' * 20}"


@pytest.fixture
def endpoints(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Origin]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(Origin(f"e{number}")) for number in range(_COUNT)]
        for number in range(_COUNT):
            monkeypatch.setenv(f"KEY_{number}", _key(number))
        yield servers


def _faults(chance: random.Random, servers: list[Origin]) -> recording.Fault:
    elsewhere = chance.choice(servers)
    return chance.choice(
        [
            recording.status(503), recording.status(429), recording.hang_up(), recording.html(), recording.cut_json(),
            recording.short(), recording.redirect(f"{elsewhere.v1}/chat/completions"),
        ]
    )  # fmt: skip


async def _run(way: ways.Way, sdk: str, servers: list[Origin], origin: Origin, calls: int) -> int:
    chance = random.Random(f"{sdk} {way.name}")
    settings = [
        edgeclient.Endpoint(
            name=server.name, key=f"env:KEY_{number}", headers={"x-second": f"Bearer env:KEY_{number}"},
            **({"url": server.v1} if sdk == "openai" else {"anthropic": server.url}),
        )
        for number, server in enumerate(servers)
    ]  # fmt: skip
    edge = edgeclient.Edge(
        endpoints=settings, probe=False, cache="exact", max_attempts=10, origins=[origin.v1, origin.url]
    )
    make = way.cls(edge, CLIENTS[sdk])
    client = way.keep(make(api_key=SECRET, base_url=origin.v1 if sdk == "openai" else origin.url, max_retries=1))
    answered = 0
    for number in range(calls):
        for server in chance.sample(servers, chance.randint(1, _COUNT)):
            if not server.faults:
                server.fail(_faults(chance, servers))
        try:
            await ask(client, chance.choice(["plain", "stream", "raw"]), f"Question {number}?")
            answered += 1
        except (ways.SDKS[sdk].APIError, ways.own_family(sdk).TransportError):  # a stream that was cut
            pass
        if number % 20 == 0:  # all of them are tried again and again
            for track in edge.policies.selector._tracks.values():
                track.health.__init__()  # type: ignore[misc]
    return answered


async def test_no_host_sees_a_key_that_is_not_its_own(
    sdk: str, way: ways.Way, endpoints: list[Origin], origin: Origin, request: pytest.FixtureRequest
) -> None:
    calls = 3_000 if request.config.getoption("--slow") else 120
    answered = await _run(way, sdk, endpoints, origin, calls)
    keys = [_key(number) for number in range(_COUNT)]
    requests: dict[str, int] = {}
    for number, server in enumerate(endpoints):
        seen = server.take()
        requests[server.name] = len(seen)
        for one in seen:
            shown = one.raw.decode("latin-1")
            assert keys[number] in shown
            assert [key for key in [*keys, SECRET] if key in shown] == [keys[number]]
    seen = origin.take()
    assert all(SECRET.encode() in one.raw and not any(key.encode() in one.raw for key in keys) for one in seen)
    assert min(requests.values()) > 0 and answered > calls / 2, "all of them were tried, and most calls were answered"
    print(f"{sum(requests.values()) + len(seen)} requests for {calls} calls")
