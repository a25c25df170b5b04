"""Another site answers at an anycast address: one new connection, and nothing learned of the old path lingers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from calling import ASK, Asking, Tls, edge_at
from counting import Server

import edgeclient
from edgeclient.http import pools, sockets
from edgeclient.pops.identity import Pop
from edgeclient.pops.track import Track

FRA, SIN = {"cf-ray": "8f1e5c2b6d4a1f3c-FRA"}, {"cf-ray": "8f1e5c2b6d4a1f3c-SIN"}


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the path is by the kernel's figure (emulated), in seconds."""
    rtt_s = [0.010]
    monkeypatch.setattr(sockets, "path_rtt", lambda native: rtt_s[0])
    monkeypatch.setattr(sockets, "kernel_tells", lambda: True)
    return rtt_s


async def streamed(asking: Asking, client: Any) -> None:
    """One answer that is not read before the edge has seen its head."""
    opened = client.chat.completions.with_streaming_response.create(**ASK)
    if asking.is_async:
        async with opened as response:
            await response.read()
    else:
        with opened as response:
            response.read()


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["whole", "streamed"])
@pytest.mark.parametrize("http2", [False, True])
async def test_a_farther_site_gets_one_new_connection(
    asking: Asking, tls: Tls, path: list[float], http2: bool, form: str
) -> None:
    with Server(tls.server) as server:
        edge = edge_at(server)
        client = asking.client(edge, http2=http2)

        async def call() -> int:
            await (asking.ask(client) if form == "whole" else streamed(asking, client))
            return server.posts[-1].connection

        server.headers = FRA
        assert [await call() for _ in range(3)] == [1, 1, 1]
        server.headers, path[0] = SIN, 0.180
        assert await call() == 1, "it came on the old connection, and tells"
        assert edge.status().endpoints[0].rtt_ms == 180, "two samples of 10 ms are forgotten"
        assert [await call() for _ in range(3)] == [2, 2, 2]
        assert edge.status().endpoints[0].pop == "SIN"
        assert server.settled() == 2


@pytest.mark.anyio
async def test_a_site_as_near_gets_none(asking: Asking, path: list[float]) -> None:
    with Server() as server:
        client = asking.client(edge_at(server))
        for headers, path[0] in ((FRA, 0.010), (SIN, 0.014), (FRA, 0.002), (SIN, 0.006), (FRA, 0.003)):
            server.headers = headers
            await asking.ask(client)
        await asking.ask(client)
        assert server.settled() == 1


@pytest.mark.anyio
async def test_one_that_changes_all_the_time_gets_three_an_hour(asking: Asking, path: list[float]) -> None:
    with Server() as server:
        client = asking.client(edge_at(server))
        for n in range(20):
            server.headers, path[0] = (SIN, 0.180) if n % 2 else (FRA, 0.010)
            await asking.ask(client)
        assert server.settled() == 1 + 3


@pytest.mark.anyio
async def test_a_users_own_http_client_is_left_alone(asking: Asking, path: list[float]) -> None:
    with Server() as server:
        http_client = asking.http_client()
        edge = edge_at(server)
        made = edge.AsyncOpenAI if asking.is_async else edge.OpenAI
        client = made(api_key="sk-any", http_client=http_client, max_retries=0)
        for headers, path[0] in ((FRA, 0.010), (SIN, 0.180), (SIN, 0.180)):
            server.headers = headers
            await asking.ask(client)
        await client.close() if asking.is_async else client.close()
        assert server.settled() == 1


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["threads"])
async def test_a_connection_under_way_is_not_taken_from_its_call(asking: Asking, path: list[float]) -> None:
    """A second call, at the time of which the first one's answer is still being written."""
    entered, leave = threading.Event(), threading.Event()
    with Server() as server:
        client = asking.client(edge_at(server))
        server.headers = FRA
        await asking.ask(client)
        server.headers, path[0] = SIN, 0.180
        await asking.ask(client)  # gives connection 1 up
        way = client._client
        given_up = list(way._edge_given_up)
        assert len(given_up) == 1
        way._edge_given_up.clear()

        def hold() -> None:
            server.on_post = lambda: None
            entered.set()
            assert leave.wait(20)

        server.on_post = hold
        said: list[Any] = []
        slow = threading.Thread(target=lambda: said.append(client.chat.completions.create(**ASK)))
        slow.start()
        assert entered.wait(20)
        way._edge_given_up.extend(given_up)  # now connection 1 is in use
        assert (await asking.ask(client)).endpoint == "a"
        assert server.posts[-1].connection == 2 and len(way._edge_given_up) == 1
        leave.set()
        slow.join(20)
        assert edgeclient.notes(said[0]).endpoint == "a"
        await asking.ask(client)
        assert server.posts[-1].connection == 2 and not way._edge_given_up
        assert server.settled() == 2


def test_a_pool_of_an_unknown_kind_is_left_as_it_is() -> None:
    class Transport:
        _pool = type("Pool", (), {"connections": [object(), type("C", (), {"_connection": object()})()]})()

    stream = type("Stream", (), {})()
    way: Any = Transport()
    native = type("Native", (), {"extensions": {"network_stream": stream}})()
    pools.give_up(way, native)
    way._edge_given_up = []
    pools.give_up(way, native)
    assert len(way._edge_given_up) == 1
    pools.expire(way)
    assert way._edge_given_up == []


# -- the rule


def track_at(*rtts_s: float) -> Track:
    track = Track()
    for n, rtt_s in enumerate(rtts_s):
        track.rtt.add(rtt_s, float(n))
    return track


@pytest.mark.parametrize(
    ("rtts_s", "rtt_s", "farther"),
    [
        ([0.010, 0.010, 0.016], 0.016, True),
        ([0.010, 0.010, 0.015], 0.015, False),  # within 5 ms
        ([0.100, 0.100, 0.109], 0.109, False),  # within 10 %
        ([0.100, 0.100, 0.111], 0.111, True),
        ([0.100, 0.020], 0.020, False),  # nearer
        ([0.180], 0.180, False),  # nothing is known of the old path
        ([0.010, 0.010], None, False),  # nor of the new one
        ([], None, False),
    ],
)
def test_farther_is_what_another_endpoint_would_have_to_be(
    rtts_s: list[float], rtt_s: float | None, farther: bool
) -> None:
    track = track_at(*rtts_s)
    before = track.rtt.estimate_s
    assert track.answers_from(Pop("SIN"), rtt_s, 10.0) is farther
    assert track.pop == Pop("SIN")
    assert track.rtt.estimate_s == (rtt_s if farther else before)


def test_the_hours_bound_opens_again() -> None:
    track = Track()

    def change(now: float) -> bool:
        track.rtt.add(0.010, now)
        track.rtt.add(0.200, now)
        return track.answers_from(Pop("SIN"), 0.200, now)

    assert [change(float(n)) for n in range(4)] == [True, True, True, False]
    assert change(3599.0) is False and change(3600.5) is True and change(3600.6) is False
