"""When a connection changes between its two stages: scripted streams under real sockets, and a far end that reads slowly."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from edgeclient import Edge
from edgeclient.http import families, sockets, thinking
from edgeclient.http.sockets import UnderWay

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this platform has no such option")

LIMIT, ALIVE = (socket.IPPROTO_TCP, getattr(socket, "TCP_USER_TIMEOUT", -1)), (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
ACKNOWLEDGED, UNDER_WAY, STALLED = UnderWay(0, 0.0, 9.0), UnderWay(3, 0.0, 0.1), UnderWay(3, 0.0, 1.5)


class TimedOut(Exception):
    """What the pool of these streams raises."""


class Inner:
    """A connection whose reads end as they are told: by an exception, or with bytes."""

    def __init__(self, sock: socket.socket, *reads: Any) -> None:
        self.sock, self.reads, self.waited = sock, list(reads), []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.waited.append(timeout)
        told = self.reads.pop(0)
        if isinstance(told, Exception):
            raise told
        return bytes(told)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        assert info == "socket"
        return self.sock


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as far, socket.create_connection(far.getsockname()) as near:
        near.setsockopt(*LIMIT, 2000)
        yield near


def staged(inner: Inner, *, alone: bool = True) -> thinking.Stream:
    changing = thinking.stages([(*LIMIT, 2000)])
    assert changing is not None
    return thinking.Stream(inner, changing, alone, TimedOut)


def thinks(sock: socket.socket) -> bool:
    limit, alive = sock.getsockopt(*LIMIT), sock.getsockopt(*ALIVE)
    assert (limit, alive) in ((0, 1), (2000, 0))
    return limit == 0


def says(monkeypatch: pytest.MonkeyPatch, *said: UnderWay | None) -> None:
    turns = iter(said)
    monkeypatch.setattr(sockets, "under_way", lambda sock: next(turns))


def test_without_a_limit_or_with_a_long_one_there_is_one_stage() -> None:
    assert thinking.stages([]) is None
    assert thinking.stages([(*ALIVE, 1)]) is None
    assert thinking.stages([(*LIMIT, 0)]) is None
    assert thinking.stages([(*LIMIT, 15_000)]) is None, "probes could not have failed sooner"


def test_what_an_sdk_has_set_comes_back() -> None:
    idle = (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    under_way, thinks = thinking.stages([(*ALIVE, 1), (*idle, 60), (*LIMIT, 700)]) or ((), ())
    assert {option[:2]: option[2] for option in under_way} == {LIMIT: 700, ALIVE: 1, idle: 60}
    assert {LIMIT: 0, ALIVE: 1}.items() <= {option[:2]: option[2] for option in thinks}.items()


def test_a_quick_answer_changes_nothing(sock: socket.socket) -> None:
    stream = staged(Inner(sock, b"ok"))
    stream.write(b"asked")
    assert stream.read(99, 600.0) == b"ok" and not thinks(sock)


def test_the_read_takes_no_longer_than_it_may(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, UNDER_WAY, UNDER_WAY, ACKNOWLEDGED)
    inner = Inner(sock, *[TimedOut() for _ in range(4)])
    with pytest.raises(TimedOut):
        staged(inner).read(99, 20.0)
    assert inner.waited == [3.0, 3.0, 3.0, 11.0], "once all is acknowledged nothing is left to be looked at"
    assert thinks(sock)


def test_a_short_patience_is_left_alone(sock: socket.socket) -> None:
    inner = Inner(sock, TimedOut())
    with pytest.raises(TimedOut):
        staged(inner).read(99, 3.0)
    assert inner.waited == [3.0] and not thinks(sock)


def test_for_ever_is_for_ever(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, UNDER_WAY, ACKNOWLEDGED)
    inner = Inner(sock, TimedOut(), TimedOut(), b"late")
    assert staged(inner).read(99) == b"late" and inner.waited == [3.0, 3.0, None]


def test_the_next_write_changes_back(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, ACKNOWLEDGED)
    stream = staged(Inner(sock, TimedOut(), b"late"))
    assert stream.read(99, 600.0) == b"late" and thinks(sock)
    stream.write(b"asked again")
    assert not thinks(sock)


def test_a_dead_path_is_told_at_once(sock: socket.socket) -> None:
    """The kernel's error is a timeout to pools too; a second read would find an end of the stream."""
    dead = TimedOut()
    dead.__cause__ = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    inner = Inner(sock, dead, b"")
    with pytest.raises(TimedOut) as raised:
        staged(inner).read(99, 600.0)
    assert raised.value is dead


def test_over_http_2_others_write_while_one_reads(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, ACKNOWLEDGED, UNDER_WAY, STALLED)
    inner = Inner(sock, TimedOut(), TimedOut(), TimedOut(), b"late")
    stream = staged(inner, alone=False)
    seen = []
    monkeypatch.setattr(
        stream, "_look", lambda error: [thinking.Stream._look(stream, error), seen.append(thinks(sock))][0]
    )
    assert stream.read(99, 600.0) == b"late" and inner.waited == [3.0] * 4
    assert seen == [True, True, False], "bytes that get on have time; those that do not are timed"


def test_a_kernel_that_does_not_tell_is_not_asked_again(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, None)
    inner = Inner(sock, TimedOut(), b"late")
    assert staged(inner).read(99, 600.0) == b"late" and not thinks(sock)


def test_a_long_upload_has_time_and_a_short_one_has_not(sock: socket.socket) -> None:
    stream = staged(Inner(sock, b"ok"))
    for _ in range(2):
        stream.write(b"x" * 40_000)
    assert thinks(sock)
    stream.read(99, 600.0)
    stream.write(b"short")
    assert not thinks(sock)


def test_a_closed_socket_is_left_to_what_follows(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = staged(Inner(sock, b""))
    sock.close()
    stream.write(b"x" * 100_000)
    assert stream.read(99, 600.0) == b""


def test_a_far_end_may_read_slowly() -> None:
    """It reads nothing until long after the limit; its kernel's window is full by then. Plain clients wait."""
    size, waiting = 8_000_000, threading.Event()

    def far_end(listening: socket.socket) -> None:
        conn, _ = listening.accept()
        with conn, conn.makefile("rb") as lines:
            while lines.readline().strip():
                pass
            waiting.wait(1.2)
            assert len(lines.read(size)) == size
            conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with Edge(notes=True, dead_path_s=0.3) as edge, socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=far_end, args=(listening,))
        thread.start()
        with edge.http_client(families.of_openai()) as client:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/files"
            try:
                assert client.post(url, content=b"x" * size).text == "ok"
            finally:
                waiting.set()
                thread.join()
