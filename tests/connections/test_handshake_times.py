"""Round-trip times from the opening of connections, where the kernel tells none: each colour, HTTP/1.1 and 2, TLS too."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from calling import ASK, OPENAI, Asking, Tls, edge_at, own_family
from counting import Server, Tunnel

from edgeclient.http import opening, sockets
from edgeclient.http.opening import AsyncOpening, Opening


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulates a platform without TCP_INFO."""
    monkeypatch.setattr(sockets, "kernel_tells", lambda: False)
    monkeypatch.setattr(sockets, "kernel_rtt", lambda sock: None)


@pytest.mark.anyio
@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize("kind", ["http1", "http1-tls", "http2"])
async def test_a_new_connection_is_a_sample_and_a_warm_one_is_none(asking: Asking, tls: Tls, kind: str) -> None:
    with Server(None if kind == "http1" else tls.server) as server:
        edge = edge_at(server)
        client = asking.client(edge, http2=kind == "http2")
        first, second = await asking.ask(client), await asking.ask(client)
        assert server.connections == 1 and len(server.posts) == 2
        assert (":method" in server.posts[0].headers) is (kind == "http2")
        assert first.rtt_ms is not None and 0 < first.rtt_ms < 60_000
        assert second.rtt_ms is None
        assert edge.status().endpoints[0].rtt_ms == first.rtt_ms


@pytest.mark.anyio
@pytest.mark.parametrize("source", ["connect", "kernel", "http"])
async def test_the_setting_says_what_measures(asking: Asking, tls: Tls, source: str) -> None:
    with Server(tls.server) as server:
        client = asking.client(edge_at(server, rtt_source=source))
        samples = [(await asking.ask(client)).rtt_ms is not None for _ in range(2)]
    kernel = [sockets.kernel_tells()] * 2
    assert samples == {"connect": [True, False], "kernel": kernel, "http": [False, False]}[source]


@pytest.mark.anyio
@pytest.mark.parametrize("tells", [True, False])
async def test_the_callers_own_trace_keeps_working(
    asking: Asking, tls: Tls, tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "kernel_tells", lambda: tells)
    seen: list[str] = []

    async def note_later(name: str, info: Any) -> None:
        seen.append(name)

    trace = note_later if asking.is_async else lambda name, info: seen.append(name)
    with Server(tls.server) as server:
        edge = edge_at(server)
        async with asking.edges_http_client(edge) as http_client:
            sent = http_client.post(OPENAI, json=ASK, extensions={"trace": trace})
            response = await sent if asking.is_async else sent
        measured = edge.status().endpoints[0].rtt_ms
    assert response.status_code == 200 and measured is not None
    assert "connection.connect_tcp.complete" in seen and "connection.start_tls.complete" in seen


@pytest.mark.anyio
@pytest.mark.parametrize("tells", [True, False])
async def test_nothing_is_watched_where_the_kernel_tells(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    watched: list[str] = []
    monkeypatch.setattr(sockets, "kernel_tells", lambda: tells)
    monkeypatch.setattr(opening._Watching, "_note", lambda self, name, info: watched.append(name))
    with Server() as server:
        await asking.ask(asking.client(edge_at(server)))
    assert bool(watched) is not tells


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_through_a_proxy_the_tunnels_handshake_is_the_sample(
    asking: Asking, tls: Tls, tunnel: Tunnel, scheme: str
) -> None:
    with Server(tls.server if scheme == "https" else None) as server:
        client = asking.client(edge_at(server), transport=asking.transport(proxy=own_family().Proxy(tunnel.url)))
        notes = await asking.ask(client)
    assert tunnel.passed == ["CONNECT" if scheme == "https" else "POST"]
    assert (notes.rtt_ms is not None) is (scheme == "https")


# -- the rule, on scripted events


def _tls(version: str) -> dict[str, Any]:
    ssl_object = SimpleNamespace(version=lambda: version)
    return {"return_value": SimpleNamespace(get_extra_info=lambda name: ssl_object)}


_CASES = {
    "a plain connection": (False, [("connection.connect_tcp", 0.030, {})], 0.030),
    "the name had to be looked up": (
        False,
        [("connection.connect_tcp", 0.080, {}), ("connection.start_tls", 0.032, _tls("TLSv1.3"))],
        0.032,
    ),
    "TLS 1.2 takes two": (
        False,
        [("connection.connect_tcp", 0.080, {}), ("connection.start_tls", 0.062, _tls("TLSv1.2"))],
        0.031,
    ),
    "the server was busy": (
        False,
        [("connection.connect_tcp", 0.030, {}), ("connection.start_tls", 0.300, _tls("TLSv1.3"))],
        0.030,
    ),
    "a backend that tells no version": (
        False,
        [("connection.connect_tcp", 0.080, {}), ("connection.start_tls", 0.062, {})],
        0.031,
    ),
    "a warm connection": (False, [("http11.send_request_headers", 0.001, {})], None),
    "a proxy that forwards": (True, [("connection.connect_tcp", 0.001, {})], None),
    "a tunnel": (
        True,
        [
            ("connection.connect_tcp", 0.001, {}),
            ("connection.start_tls", 0.002, _tls("TLSv1.3")),  # a proxy that speaks TLS itself
            ("http11.receive_response_headers", 0.001, {}),
            ("proxy.start_tls", 0.040, _tls("TLSv1.3")),
        ],
        0.040,
    ),
    "SOCKS": (True, [("socks.connect_tcp", 0.001, {}), ("socks.start_tls", 0.040, _tls("TLSv1.3"))], 0.040),
    "a second try": (
        False,
        [("connection.connect_tcp", None, {}), ("connection.connect_tcp", 0.030, {})],
        0.030,
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_the_shorter_handshake_is_the_sample(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxied, events, expected = _CASES[case]
    clock = [100.0]
    monkeypatch.setattr(opening.time, "perf_counter", lambda: clock[0])
    watching = Opening(None, proxied=proxied)
    for name, took_s, info in events:
        watching(f"{name}.started", {})
        clock[0] += took_s or 1.0
        watching(f"{name}.{'failed' if took_s is None else 'complete'}", info)
    assert watching.read(None) == (None if expected is None else pytest.approx(expected))


def test_a_trace_function_of_the_wrong_colour_fails_as_it_would_without_us() -> None:
    async def wrong(name: str, info: Any) -> None: ...

    returned = Opening(wrong, proxied=False)("http11.x.started", {})
    assert hasattr(returned, "close"), "httpcore looks at what it returns"
    returned.close()
    assert AsyncOpening(wrong, proxied=False).rtt_s is None


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this platform has none")
def test_this_kernel_tells() -> None:
    sockets.kernel_tells.cache_clear()
    assert sockets.kernel_tells()


def test_without_the_option_or_a_loopback_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError

    try:
        for name, value in (("create_server", refused), ("create_connection", refused)):
            with monkeypatch.context() as changed:
                changed.setattr(sockets.socket, name, value)
                sockets.kernel_tells.cache_clear()
                assert not sockets.kernel_tells()
        monkeypatch.setattr(sockets, "_TCP_INFO", None)
        sockets.kernel_tells.cache_clear()
        assert not sockets.kernel_tells()
    finally:
        sockets.kernel_tells.cache_clear()
