"""What the watchdog takes for dead, and how its one thread lives; sockets are real, what the kernel says of them is not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from edgeclient.http import sockets, watchdog
from edgeclient.http.sockets import UnderWay
from edgeclient.http.watchdog import Watchdog, is_dead


@pytest.mark.parametrize(
    ("unacked", "srtt_ms", "elapsed_ms", "dead"),
    [
        (0, 40, 10_000, False),  # the server thinks
        (1, 0, 250, False),
        (1, 0, 251, True),
        (1, 40, 281, False),  # one lost segment: sent again after 240 ms, answered after 280
        (1, 40, 331, True),
        (9, 150, 549, False),
        (9, 150, 551, True),
        (1, 600, 1899, False),
        (1, 600, 1901, True),
    ],
)
def test_what_is_dead(unacked: int, srtt_ms: float, elapsed_ms: float, dead: bool) -> None:
    assert is_dead(unacked, srtt_ms / 1e3, elapsed_ms / 1e3) is dead


class Stream:
    def __init__(self) -> None:
        self.cut = False
        self.near, self.far = socket.socketpair()

    def socket(self) -> Any:
        return self.near


@pytest.fixture
def stream() -> Any:
    made = Stream()
    with made.near, made.far:
        yield made


class Kernel:
    """Says what it is told of every socket."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, said: UnderWay | None) -> None:
        self.said = said
        monkeypatch.setattr(sockets, "under_way", lambda sock: self.said)


def quiet(now: Callable[[], float]) -> Watchdog:
    """One without its thread: the test looks itself."""
    made = Watchdog(now)
    made._running = True
    return made


def test_it_cuts_what_stays_unacknowledged(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> None:
    Kernel(monkeypatch, UnderWay(1, 0.04, 9.0))
    time_s = [100.0]
    dog = quiet(lambda: time_s[0])
    dog.sent(stream)
    dog.look()
    time_s[0] = 100.3
    dog.look()
    assert not stream.cut
    time_s[0] = 100.4
    dog.look()
    assert stream.cut and stream.near.recv(1) == b"" and stream.far.recv(1) == b""


def test_an_upload_that_makes_progress_is_left_alone(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> None:
    Kernel(monkeypatch, UnderWay(40, 0.04, 0.05))
    time_s = [100.0]
    dog = quiet(lambda: time_s[0])
    dog.sent(stream)
    time_s[0] = 160.0
    dog.look()
    assert not stream.cut


@pytest.mark.parametrize("said", [UnderWay(0, 0.04, 0.1), None], ids=["acknowledged", "not known"])
def test_what_has_nothing_under_way_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, stream: Stream, said: UnderWay | None
) -> None:
    kernel = Kernel(monkeypatch, said)
    time_s = [100.0]
    dog = quiet(lambda: time_s[0])
    dog.sent(stream)
    dog.look()
    time_s[0], kernel.said = 200.0, UnderWay(1, 0.04, 99.0)
    dog.look()
    assert not stream.cut
    dog.sent(stream)  # counted from now
    dog.look()
    assert not stream.cut


def test_a_socket_that_was_closed_meanwhile_harms_nobody(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> None:
    Kernel(monkeypatch, UnderWay(1, 0.0, 9.0))
    dog = Watchdog(iter((0.0, 9.0)).__next__)
    dog._running = True
    dog.sent(stream)
    stream.near.close()
    dog.look()
    assert stream.cut


def test_its_thread_begins_with_the_first_bytes_and_ends_by_itself(
    monkeypatch: pytest.MonkeyPatch, stream: Stream
) -> None:
    monkeypatch.setattr(watchdog, "_POLL_S", 0.001)
    monkeypatch.setattr(watchdog, "_IDLE_S", 0.01)
    Kernel(monkeypatch, UnderWay(0, 0.0, 0.0))
    dog = Watchdog()
    assert not dog.running
    for _ in range(2):
        dog.sent(stream)
        until = time.monotonic() + 20
        while dog.running and time.monotonic() < until:
            time.sleep(0.001)
        assert not dog.running


def test_without_a_thread_nothing_is_watched(monkeypatch: pytest.MonkeyPatch, stream: Stream) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    dog = Watchdog()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        dog.sent(stream)
    assert not dog.running and not dog._under_way


def test_a_forked_child_begins_anew(stream: Stream) -> None:
    dog = quiet(time.monotonic)
    dog.sent(stream)
    dog.after_fork()
    assert not dog.running and not dog._under_way
