"""Connections that are kept warm: the client's own, over TLS, in every colour; without a key, bounded, and for an end."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from calling import OPENAI, Asking, Tls, edge_at
from counting import Server

from edgeclient import SettingsError
from edgeclient.http import requests, warming
from edgeclient.pops import warmth
from edgeclient.pops.warmth import Allowance, Warmth
from edgeclient.settings import load
from edgeclient.values import Endpoint

LONG_S = 20.0  # never waited for unless a test fails


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_SETTLE_S", 0.01)
    monkeypatch.setattr(warming, "_LOOK_S", 0.01)


async def until(said: Callable[[], bool]) -> None:
    with anyio.fail_after(LONG_S):
        while not said():
            await anyio.sleep(0.01)


def threads() -> int:
    return sum(thread.name == "edgeclient-warm" for thread in threading.enumerate())


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("http2", [False, True])
async def test_the_first_call_after_leaving_the_nearest_finds_an_open_connection(
    asking: Asking, tls: Tls, http2: bool
) -> None:
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=2)
        client = asking.client(edge, http2=http2)
        assert (await asking.ask(client)).endpoint == "a"
        await until(lambda: len(next_one.gets) == 1)
        await until(lambda: edge.status().endpoints[1].rtt_ms is not None)  # its answer has been read
        assert (near.connections, next_one.connections) == (1, 1)
        near.status = 503
        notes = await asking.ask(client)
        assert notes.endpoint == "b"
        assert (next_one.connections, next_one.handshakes) == (1, 1), "the call opened a connection of its own"
        assert [(one.connection, one.method) for one in next_one.asked] == [(1, "GET"), (1, "POST")]
        edge.close()


@pytest.mark.anyio
async def test_without_the_setting_nothing_is_sent_and_no_thread_runs(asking: Asking, tls: Tls) -> None:
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one)
        await asking.ask(asking.client(edge))
        assert edge.warmer is None and next_one.connections == 0 and threads() == 0


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_what_is_sent_has_no_key_and_is_seen_by_no_hook(asking: Asking, tls: Tls) -> None:
    hooked: list[str] = []

    async def hook_later(request: Any) -> None:
        hooked.append(request.method)

    hook = hook_later if asking.is_async else lambda request: hooked.append(request.method)
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=True, key=lambda: "sk-of-the-endpoint")
        client = asking.client(edge, event_hooks={"request": [hook]}, auth=None, cookies={"session": "secret"})
        await asking.ask(client)
        await until(lambda: len(next_one.gets) == 1)
        edge.close()
    (asked,) = next_one.gets
    assert asked.path == "/" and "sk-" not in str(asked.headers) and "cookie" not in asked.headers
    assert set(asked.headers) == {"host", "user-agent", "accept-encoding"}
    assert hooked == ["POST"]


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_it_goes_on_between_calls_and_ends_with_close(
    asking: Asking, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=2)
        client = asking.client(edge)
        await asking.ask(client)
        monkeypatch.setattr(warmth, "_EVERY_S", 0.02)  # not before: during a call its connection is taken
        await until(lambda: len(near.gets) >= 3 and len(next_one.gets) >= 3)
        assert (near.connections, next_one.connections) == (1, 1)
        edge.close()
        await until(lambda: threads() == 0)
        await anyio.sleep(0.05)  # a request that was under way
        seen = len(near.gets)
        await asking.ask(client)  # clients stay usable
        await anyio.sleep(0.1)
        assert len(near.gets) == seen and threads() == 0


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("why", ["closed", "idle"])
async def test_it_ends_with_the_client_and_with_silence(
    asking: Asking, tls: Tls, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(warmth, "_EVERY_S", 0.02)
    monkeypatch.setattr(warming, "_ACTIVE_S", 0.1 if why == "idle" else LONG_S)
    with Server(tls.server) as near:
        edge = edge_at(near, keep_warm=1)
        client = asking.client(edge)
        await asking.ask(client)
        keeper = edge.warmer._keepers[client._client]
        if why == "closed":
            await until(lambda: len(near.gets) >= 2)
            await client.close() if asking.is_async else client.close()
        await until(lambda: not keeper.is_running)
        assert threads() == 0 or asking.is_async is False
        if why == "idle":
            before = len(near.gets)
            await asking.ask(client)
            await until(lambda: len(near.gets) > before)  # and begins again
        edge.close()
        await until(lambda: threads() == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_an_edges_own_http_client_is_kept_warm_too(asking: Asking, tls: Tls) -> None:
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=2)
        async with asking.edges_http_client(edge) as http_client:
            sent = http_client.post(OPENAI, json={"model": "gpt-4o", "messages": []})
            assert (await sent if asking.is_async else sent).status_code == 200
            await until(lambda: len(next_one.gets) == 1)
        assert not edge.warmer._keepers, "closed transports are forgotten"
        await until(lambda: threads() == 0)


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_the_allowance_bounds_what_is_sent(asking: Asking, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmth, "_EVERY_S", 0.0)
    monkeypatch.setattr(warmth, "_AN_HOUR", 5)
    with Server(tls.server) as near:
        edge = edge_at(near, keep_warm=1)
        await asking.ask(asking.client(edge))
        await until(lambda: len(near.gets) == 5)
        await anyio.sleep(0.1)
        assert len(near.gets) == 5
        edge.close()


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_so_many_clients_are_kept_warm(asking: Asking, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_CLIENTS", 2)
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=2)
        clients = [asking.client(edge) for _ in range(4)]  # one that is collected is kept warm no longer
        for client in clients:
            await asking.ask(client)
        await until(lambda: len(next_one.gets) == 2)
        await anyio.sleep(0.1)
        assert len(next_one.gets) == 2 and threads() in (0, 2)
        edge.close()


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_an_endpoint_that_does_not_answer_costs_nobody_anything(asking: Asking, tls: Tls) -> None:
    with Server(tls.server) as near, Server(tls.server) as gone:
        edge = edge_at(near, gone, keep_warm=2)
    with Server(tls.server, port=near.port) as near:
        client = asking.client(edge)
        for _ in range(3):
            assert (await asking.ask(client)).endpoint == "a"
            await anyio.sleep(0.02)
        assert edge.status().endpoints[1].state == "ready" and not edge.status().mishaps
        edge.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("way", ["threads"])
@pytest.mark.anyio
async def test_a_forked_child_begins_anew(asking: Asking, tls: Tls) -> None:
    with Server(tls.server) as near:
        edge = edge_at(near, keep_warm=1)
        client = asking.client(edge)
        await asking.ask(client)
        assert threads() == 1
        child = os.fork()
        if not child:
            os._exit(0 if not edge.warmer._keepers and threads() == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert threads() == 1
        edge.close()


# -- the setting, and the rule


@pytest.mark.parametrize(
    ("said", "meant"), [(True, 3), (False, 0), ("on", 3), ("true", 3), ("off", 0), (1, 1), ("2", 2), (10, 10)]
)
def test_the_setting_takes_a_number_or_a_word(said: Any, meant: int) -> None:
    assert load({"keep_warm": said})[0].keep_warm.connections == meant


@pytest.mark.parametrize("said", [-1, 11, "always", 1.5, None])
def test_the_setting_refuses_the_rest(said: Any) -> None:
    with pytest.raises(SettingsError, match=r"argument keep_warm: keep_warm(\.connections)?: .*"):
        load({"keep_warm": said})


A, B = Endpoint("a", "https://a.example.com/v1"), Endpoint("b", "https://b.example.com/v1")


class _Even(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_what_was_used_is_due_after_the_pause() -> None:
    kept = Warmth(_Even())
    kept.used(A, 100.0)
    assert kept.due([A, B], 100.0) == [B]
    assert kept.due([A, B], 144.9) == [B] and kept.due([A, B], 145.0) == [A, B]
    kept.refreshed(A, 145.0, lasted=True)
    assert kept.due([A], 189.9) == [] and kept.due([A], 190.0) == [A]


def test_a_connection_that_did_not_last_is_opened_ever_less_often() -> None:
    kept, now, pauses = Warmth(_Even()), 0.0, []
    kept.refreshed(A, now, lasted=False)  # the first one is new
    for _ in range(9):
        pause = next(s for s in range(45, 4000, 45) if kept.due([A], now + s) or s >= 3600)
        now += pause
        pauses.append(pause)
        kept.refreshed(A, now, lasted=False)
    assert pauses == [45, 90, 180, 360, 720, 1440, 2880, 3600, 3600]
    kept.refreshed(A, now, lasted=True)
    assert kept.due([A], now + 45)


def test_the_allowance_fills_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmth, "_AN_HOUR", 2)
    allowance = Allowance(3)
    assert [allowance.take(10.0) for _ in range(7)] == [True] * 6 + [False]
    assert not allowance.take(10.0 + 599) and allowance.take(10.0 + 601) and not allowance.take(10.0 + 602)
    assert [allowance.take(1e6) for _ in range(7)] == [True] * 6 + [False]


@pytest.mark.anyio
@pytest.mark.usefixtures("soon")
async def test_what_is_no_failure_of_an_endpoint_is_counted(
    asking: Asking, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours, say: nothing is kept warm, and somebody hears of it."""

    def broken(*_: object) -> object:
        class Transport:
            def handle_request(self, request: object) -> object:
                raise ZeroDivisionError("a bug")

            async def handle_async_request(self, request: object) -> object:
                raise ZeroDivisionError("a bug")

        return Transport(), None

    monkeypatch.setattr(requests, "unpaid", broken)
    with Server(tls.server) as near, Server(tls.server) as next_one:
        edge = edge_at(near, next_one, keep_warm=2)
        client = asking.client(edge)
        await asking.ask(client)
        await until(lambda: edge.status().mishaps.get("keeping warm", 0) > 0)
        edge.close()
