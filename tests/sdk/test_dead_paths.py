"""Dead paths over real sockets: which connections get the socket options, and what a call does that the watchdog cut."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import recording
import ways
from talking import CLIENTS, SECRET, Net, ask
from ways import settled

import edgeclient
from edgeclient.http import sockets, thinking
from edgeclient.http.sockets import UnderWay

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this platform has no such option"),
]

_NAMES = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")


async def options_of(client: Any) -> dict[str, int]:
    """What is set on the socket that a client's answer came on."""
    said = await ask(client, "raw")
    response = said.answer.http_response
    sock = response.extensions["network_stream"].get_extra_info("socket")
    found = {name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in _NAMES}
    return {**found, "SO_KEEPALIVE": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


def plain(net: Net) -> Any:
    """The plain SDK's client, with the HTTP client that it makes."""
    kind = net.way.cls(ways.SDKS[net.sdk], CLIENTS[net.sdk])
    return net.way.keep(kind(api_key=SECRET, base_url=net.base(net.origin), max_retries=0))


@pytest.mark.parametrize("watchdog", [False, True])
async def test_connections_of_an_active_edge_have_the_options(net: Net, watchdog: bool) -> None:
    own = await options_of(plain(net))
    ours = await options_of(net.direct(net.edge(notes=True, watchdog=watchdog), net.origin))
    assert ours == {**own, "TCP_USER_TIMEOUT": 2000}, "what the SDK has set stays, and probes are not added"


async def test_the_setting_says_how_long(net: Net) -> None:
    edge = net.edge(notes=True, dead_path_s=0.7)
    assert (await options_of(net.direct(edge, net.origin)))["TCP_USER_TIMEOUT"] == 700


@pytest.mark.parametrize("settings", [{}, {"notes": True, "dead_path_s": None}], ids=["no settings", "switched off"])
async def test_otherwise_they_are_the_sdks(net: Net, settings: dict[str, Any]) -> None:
    assert await options_of(net.direct(net.edge(**settings), net.origin)) == await options_of(plain(net))


async def test_a_users_own_http_client_is_left_alone(net: Net) -> None:
    family = ways.own_family(net.sdk)
    http_client = net.way.keep(net.way.cls_of_family(family)())
    client = net.direct(net.edge(notes=True, watchdog=True), net.origin, http_client=http_client)
    assert (await options_of(client))["TCP_USER_TIMEOUT"] == 0
    assert not hasattr(http_client, "_edge_early_s")


async def test_an_http_client_of_the_edge_has_them(net: Net) -> None:
    edge = net.edge(notes=True)
    make = edge.async_http_client if net.way.is_async else edge.http_client
    http_client = net.way.keep(make(ways.own_family(net.sdk).__name__))
    response = await settled(http_client.get(f"{net.origin.v1}/models"))
    sock = response.extensions["network_stream"].get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2000


async def test_an_upload_socket_without_tcp_keeps_its_options(net: Net) -> None:
    family = ways.own_family(net.sdk)
    edge = net.edge(notes=True)
    kind, make = (
        (family.AsyncHTTPTransport, edge.async_http_client)
        if net.way.is_async
        else (family.HTTPTransport, edge.http_client)
    )
    transport = kind(uds="/nowhere/at-all.sock")
    net.way.keep(make(family.__name__, transport=transport))
    assert not transport._pool._socket_options


async def test_a_call_that_the_watchdog_cut_goes_on_elsewhere(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is made to say that what went to `fra` was never acknowledged."""
    never = threading.Event()
    net.endpoints["fra"].always = recording.held(never, "fra")
    dead_port = net.endpoints["fra"].port

    def under_way(sock: Any) -> UnderWay:
        try:
            return UnderWay(int(sock.getpeername()[1] == dead_port), 0.0, 9.0)
        except OSError:  # closed
            return UnderWay(0, 0.0, 9.0)

    monkeypatch.setattr(sockets, "under_way", under_way)
    edge = net.edge("fra", "nyc", watchdog=True, origins=[net.base(net.origin)])
    client = net.direct(edge, net.origin)
    try:
        said = await ask(client)
    finally:
        never.set()
    assert said.text == "hello from nyc"
    tried = [(attempt.endpoint, attempt.outcome) for attempt in said.notes.tried]
    assert tried == [("fra", "connection_write_timeout"), ("nyc", "ok")]
    assert {e.name: e.state for e in edge.status().endpoints} == {"fra": "ejected", "nyc": "ready"}


async def test_when_it_was_the_last_the_error_is_the_sdks(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    net.endpoints["fra"].always = recording.held(never, "fra")
    monkeypatch.setattr(sockets, "under_way", lambda sock: UnderWay(1, 0.0, 9.0))
    edge = net.edge("fra", watchdog=True, origins=[net.base(net.origin)], origin="never")
    try:
        with pytest.raises(ways.SDKS[net.sdk].APIConnectionError, match="Connection error"):
            await ask(net.direct(edge, net.origin))
    finally:
        never.set()


async def test_nothing_is_watched_unless_it_is_said(net: Net) -> None:
    client = net.direct(net.edge("fra", origins=[net.base(net.origin)]), net.origin)
    assert (await ask(client)).text == "hello from fra"
    (connection,) = client._client._transport._pool.connections
    stream = connection._connection._network_stream
    assert type(stream) in (thinking.Stream, thinking.AsyncStream)
    assert type(stream._inner).__module__.startswith("httpcore")
    assert edgeclient.Edge()._watchdog is None


@pytest.mark.parametrize("settings", [{}, {"notes": True, "dead_path_s": None}], ids=["no settings", "switched off"])
async def test_otherwise_the_streams_are_the_pools_own(net: Net, settings: dict[str, Any]) -> None:
    client = net.direct(net.edge(**settings), net.origin)
    await ask(client)
    assert type(client._client._transport._pool._network_backend).__module__.startswith("httpcore")


async def test_a_call_that_is_thought_about_changes_its_options_and_the_next_one_changes_them_back(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far end's kernel acknowledges at once; the answer comes when the client's read has looked."""
    monkeypatch.setattr(thinking, "_LOOK_S", 0.02)
    looked, switched = threading.Event(), sockets.under_way

    def under_way(sock: Any) -> UnderWay | None:
        said = switched(sock)
        if said is not None and not said.unacked:
            looked.set()
        return said

    monkeypatch.setattr(sockets, "under_way", under_way)
    plainly = await options_of(plain(net))
    net.origin.always = recording.held(looked, "origin")
    client = net.direct(net.edge(notes=True), net.origin)
    thinks = await options_of(client)
    assert thinks == {
        "TCP_USER_TIMEOUT": 0, "TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "SO_KEEPALIVE": 1,
    }  # fmt: skip
    monkeypatch.setattr(thinking, "_LOOK_S", 60.0)
    quick = await options_of(client)
    assert (quick["TCP_USER_TIMEOUT"], quick["SO_KEEPALIVE"]) == (2000, plainly["SO_KEEPALIVE"])
    if plainly["SO_KEEPALIVE"]:
        assert quick == {**plainly, "TCP_USER_TIMEOUT": 2000}, "the SDK's own figures are back"
