"""What the kernel tells of real connections, and that everything else it is asked about is "not known", never an error."""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edgeclient.http import sockets


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.sendall(b"x")
    far.recv(1)
    return near, far


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this kernel does not tell")
def test_a_connection_has_a_round_trip_time() -> None:
    near, far = _connected()
    with near, far:
        said = sockets.kernel_rtt(near)
    assert said is not None
    smoothed_s, minimum_s = said
    assert 0 < minimum_s <= smoothed_s < 5


def test_what_is_no_open_tcp_connection_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        assert sockets.kernel_rtt(one) is None
    assert sockets.kernel_rtt(one) is None  # closed
    assert sockets.kernel_rtt(object()) is None
    with socket.socket() as fresh:
        assert sockets.kernel_rtt(fresh) is None
    assert (
        sockets.kernel_rtt(SimpleNamespace(getsockopt=lambda *_: b"\x01" * 24)) is None
    )  # an old kernel's short answer
    monkeypatch.setattr(sockets, "_TCP_INFO", None)
    near, far = _connected()
    with near, far:
        assert sockets.kernel_rtt(near) is None


def _response(**extensions: Any) -> Any:
    return SimpleNamespace(extensions=extensions)


def test_a_response_without_a_socket_has_none() -> None:
    def unknown(name: str) -> None:
        raise RuntimeError(name)

    silent = (unknown, lambda _: None)
    responses = [_response(), *(_response(network_stream=SimpleNamespace(get_extra_info=said)) for said in silent)]
    assert [sockets.of_response(response, sockets.kernel_rtt) for response in responses] == [None, None, None]


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="this platform has no such option")
def test_the_kernel_tells_how_fast_an_upload_was() -> None:
    near, far = _connected()
    with near, far:
        reader = threading.Thread(target=lambda: [far.recv(2**16) for _ in range(64)], daemon=True)
        reader.start()
        near.sendall(b"x" * 2**20)
        rate = sockets.upload_bytes_s(near)
        near.close()
        reader.join()
    assert rate is not None and rate > 2**20, "a megabyte a second is nothing on loopback"
    assert sockets.upload_bytes_s(near) is None


@pytest.mark.parametrize(
    ("variables", "host", "expected"),
    [
        ({}, "api.example", False),
        ({"https_proxy": "http://127.0.0.1:3128"}, "api.example", True),
        ({"https_proxy": "http://127.0.0.1:3128", "no_proxy": "example"}, "api.example", False),
        ({"all_proxy": "socks5://127.0.0.1:1080"}, "api.example", True),
        ({"ftp_proxy": "http://127.0.0.1:3128"}, "api.example", False),
    ],
)
def test_a_proxy_of_the_environment_stands_between(
    variables: dict[str, str], host: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sockets.behind_proxy(host) is expected


TIMEOUT = (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", -1))
ALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.fixture
def _fresh() -> Iterator[None]:
    sockets.dead_path_options.cache_clear()
    yield
    sockets.dead_path_options.cache_clear()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this platform has no such option")
def test_a_user_timeout_stands_alone() -> None:
    assert sockets.dead_path_options(2.0) == ((*TIMEOUT, 2000),)
    assert sockets.dead_path_options(1e-5) == ((*TIMEOUT, 1),)


@pytest.mark.usefixtures("_fresh")
def test_where_there_is_none_probes_have_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    options = sockets.dead_path_options(2.0)
    assert options[0] == (*ALIVE, 1)
    assert [value for _, _, value in options[1:]] == [5, 2, 5], "five lost ones in a row, 15 seconds"


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this platform has no such option")
def test_a_timeout_before_any_probe_could_fail_means_unacknowledged() -> None:
    idle, pause = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)
    ours = (*TIMEOUT, 2000)
    assert sockets.first_probe_failure_s([ours]) == math.inf, "no probes at all"
    assert sockets.first_probe_failure_s([ours, (*ALIVE, 0)]) == math.inf
    assert sockets.first_probe_failure_s([ours, (*ALIVE, 1), idle, pause]) == 120.0
    assert sockets.first_probe_failure_s([(*ALIVE, 1), idle, pause]) == 0.0, "the system's own patience"
