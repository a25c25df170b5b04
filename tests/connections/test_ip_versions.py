"""IPv4 and IPv6 as two paths: both measured on real loopback addresses, the better one shown, and new connections take it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from calling import ASK, Asking
from counting import Server

import edgeclient
from edgeclient.http.sockets import kernel_rtt
from edgeclient.pops import ip_versions
from edgeclient.pops.ip_versions import IPV4, IPV6, Compared, IpVersions
from edgeclient.pops.prober import Prober
from edgeclient.values import Endpoint

HOST = "dual.example.com"


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that has the addresses ::1 and 127.0.0.1, in this order."""
    plain = socket.getaddrinfo

    def found(host: Any, port: Any, family: int = 0, *args: Any, **kwargs: Any) -> Any:
        if host not in (HOST, HOST.encode()):
            return plain(host, port, family, *args, **kwargs)
        both = [*plain("::1", port, 0, socket.SOCK_STREAM), *plain("127.0.0.1", port, 0, socket.SOCK_STREAM)]
        return [info for info in both if family in (0, info[0])]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture
def dual(named: None) -> Iterator[tuple[Server, Server]]:
    """Two servers at one port of it, by IPv4 and by IPv6."""
    with Server() as by_four, Server(host="::1", port=by_four.port) as by_six:
        yield by_four, by_six


def edge_there(port: int) -> edgeclient.Edge:
    url = f"http://{HOST}:{port}/v1"
    return edgeclient.Edge(endpoints=[url], key="passthrough", origin="never", remember=False)


def slow_by(version: int) -> Any:
    """The kernel's figure, with 100 ms more by one version: a path that is longer (emulated)."""

    def rtt(sock: socket.socket) -> tuple[float, float] | None:
        more_s = 0.1 if sock.family == version else 0.0
        said = kernel_rtt(sock)
        return (said[0] + more_s, said[1] + more_s) if said is not None else None

    return rtt


needs_kernel = pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this kernel does not tell")


@needs_kernel
@pytest.mark.parametrize(("slow", "better"), [(socket.AF_INET6, IPV4), (socket.AF_INET, ""), (0, "")])
def test_a_probe_measures_both_and_the_system_is_overruled_for_a_gain(
    dual: tuple[Server, Server], slow: int, better: str
) -> None:
    versions = IpVersions()
    prober = Prober("auto", slow_by(slow), versions)
    endpoint = Endpoint("a", f"http://{HOST}:{dual[0].port}/v1")
    prober.run([endpoint], lambda *_: None)
    compared = versions.of(HOST)
    assert compared is not None and compared.ipv4_s and compared.ipv6_s
    assert compared.better == better
    counts = [server.settled() for server in dual]
    prober.run([endpoint], lambda *_: None)
    assert dual[0].settled() == counts[0], "compared once: the system's order is IPv6"
    assert counts == [2, 5] and dual[0].asked == dual[1].asked == []


def test_one_version_is_not_compared() -> None:
    versions = IpVersions()
    with Server() as server:
        Prober("auto", kernel_rtt, versions).run([Endpoint("a", server.url)], lambda *_: None)
        assert server.settled() == 3
    assert versions.of("127.0.0.1") is None


@pytest.mark.anyio
async def test_new_connections_take_the_better_one_and_the_status_shows_it(
    asking: Asking, dual: tuple[Server, Server]
) -> None:
    by_four, by_six = dual
    edge = edge_there(by_four.port)
    edge._versions.learn(HOST, IPV6, [0.010], [0.050])
    client = asking.client(edge)
    assert (await asking.ask(client)).tried[-1].outcome == "ok"
    assert (len(by_four.posts), len(by_six.posts)) == (1, 0)
    (status,) = edge.status().endpoints
    assert (status.ipv4_ms, status.ipv6_ms, status.ip) == (10.0, 50.0, "IPv4")


@pytest.mark.anyio
async def test_without_a_gain_the_systems_order_counts(asking: Asking, dual: tuple[Server, Server]) -> None:
    by_four, by_six = dual
    edge = edge_there(by_four.port)
    edge._versions.learn(HOST, IPV6, [0.046], [0.050])
    await asking.ask(asking.client(edge))
    assert (len(by_four.posts), len(by_six.posts)) == (0, 1)


@pytest.mark.anyio
async def test_when_the_better_one_does_not_connect_the_other_one_serves(asking: Asking, named: None) -> None:
    with Server(host="::1") as by_six:
        edge = edge_there(by_six.port)
        edge._versions.learn(HOST, IPV6, [0.010], [0.050])
        notes = await asking.ask(asking.client(edge))
        assert [one.outcome for one in notes.tried] == ["ok"]
        assert len(by_six.posts) == 1
        assert edge.status().endpoints[0].ip == "", "it is not tried again until the next comparison"


@pytest.mark.anyio
async def test_a_users_own_http_client_is_left_alone(asking: Asking, dual: tuple[Server, Server]) -> None:
    by_four, by_six = dual
    edge = edge_there(by_four.port)
    edge._versions.learn(HOST, IPV6, [0.010], [0.050])
    http_client = asking.http_client()
    made = edge.AsyncOpenAI if asking.is_async else edge.OpenAI
    client = made(api_key="sk-any", http_client=http_client, max_retries=0)
    answer = client.chat.completions.create(**ASK)
    await answer if asking.is_async else answer
    await client.close() if asking.is_async else client.close()
    assert (len(by_four.posts), len(by_six.posts)) == (0, 1)


# -- the rule


@pytest.mark.parametrize(
    ("first", "ipv4_s", "ipv6_s", "better"),
    [
        (IPV6, [0.050], [0.040, 0.060], ""),
        (IPV6, [0.040], [0.046, 0.047], IPV4),
        (IPV6, [0.180], [0.190], ""),  # 10 % are more than 5 ms
        (IPV6, [0.170], [0.190], IPV4),
        (IPV4, [0.190], [0.170], IPV6),
        (IPV6, [0.300], [], IPV4),
        (IPV6, [], [0.300], ""),
        (IPV6, [], [], ""),
    ],
)
def test_the_first_one_stays_unless_there_is_a_gain(
    first: str, ipv4_s: list[float], ipv6_s: list[float], better: str
) -> None:
    versions = IpVersions()
    versions.learn(HOST, first, ipv4_s, ipv6_s)
    assert versions.of(HOST) == Compared(min(ipv4_s, default=None), min(ipv6_s, default=None), better)
    assert versions.local_address(HOST) == {IPV4: "0.0.0.0", IPV6: "::", "": None}[better]
    versions.failed(HOST)
    assert versions.local_address(HOST) is None
    assert versions.local_address("other.example.com") is None and versions.of("other.example.com") is None


def test_a_host_is_compared_every_three_hours() -> None:
    versions = IpVersions()
    assert versions.take_turn(HOST, 0.0) and not versions.take_turn(HOST, ip_versions._EVERY_S - 1)
    assert versions.take_turn("other.example.com", 1.0) and versions.take_turn(HOST, ip_versions._EVERY_S)
