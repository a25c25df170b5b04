"""The prober on real loopback sockets: what it measures, whom it asks, and that one round runs at a time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edgeclient.http.sockets import kernel_rtt
from edgeclient.pops.prober import Prober, RttSource
from edgeclient.values import Endpoint

LONG_S = 20.0  # never waited for unless a test fails


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        self.seen.append((self.client_address[1], self.path, dict(self.headers)))
        self.send_response(404)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"no")

    def log_message(self, *said: object) -> None: ...


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str]]]]]:
    handler = type("Handler", (_Handler,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/v1", handler.seen
        running.shutdown()
        thread.join(LONG_S)


@pytest.fixture
def closed() -> Iterator[str]:
    """An address that refuses: bound, so that nobody else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _no_kernel(sock: socket.socket) -> None:
    return None


@pytest.mark.parametrize("source", ["auto", "kernel", "connect"])
def test_a_connect_measures_without_a_request(source: RttSource, server: tuple[str, list[object]]) -> None:
    url, seen = server
    rtts = Prober(source, kernel_rtt).measure(Endpoint("a", url))
    assert len(rtts) == 3 and all(0 < rtt < LONG_S for rtt in rtts)
    assert seen == []


def test_the_kernel_is_believed_where_it_tells(server: tuple[str, list[object]]) -> None:
    asked: list[socket.socket] = []

    def kernel(sock: socket.socket) -> tuple[float, float]:
        asked.append(sock)
        return 0.25, 0.125

    endpoint = Endpoint("a", server[0])
    assert Prober("auto", kernel).measure(endpoint) == [0.25] * 3  # the two part: see of_kernel
    assert len(asked) == 3
    assert Prober("connect", kernel).measure(endpoint) != [0.25] * 3 and len(asked) == 3
    assert len(Prober("auto", _no_kernel).measure(endpoint)) == 3


def test_http_asks_the_probe_path_three_times_on_one_connection(
    server: tuple[str, list[tuple[str, str, dict[str, str]]]],
) -> None:
    url, seen = server
    rtts = Prober("http", kernel_rtt).measure(Endpoint("a", url, probe="/healthz", key="secret"))
    assert len(rtts) == 3 and all(0 < rtt < LONG_S for rtt in rtts)
    assert [path for _, path, _ in seen] == ["/healthz"] * 3 and len({port for port, *_ in seen}) == 1
    names = {name.lower() for _, _, headers in seen for name in headers}
    assert names <= {"host", "user-agent", "accept-encoding"}  # and no credential


@pytest.mark.parametrize("source", ["auto", "kernel", "connect", "http"])
def test_an_endpoint_that_refuses_has_no_rtt(source: RttSource, closed: str) -> None:
    assert Prober(source, kernel_rtt).measure(Endpoint("a", closed)) == []


def test_an_endpoint_that_speaks_no_http_has_no_rtt_by_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.com\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert Prober("http", kernel_rtt).measure(Endpoint("a", url)) == []
        thread.join(LONG_S)


def test_an_anthropic_endpoint_is_probed_at_its_own_address(server: tuple[str, list[object]]) -> None:
    assert len(Prober("auto", kernel_rtt).measure(Endpoint("a", anthropic=server[0]))) == 3


def test_a_round_tells_each_result(closed: str, server: tuple[str, list[object]]) -> None:
    good, bad = Endpoint("good", server[0]), Endpoint("bad", closed)
    told: dict[str, list[tuple[int, float]]] = {"good": [], "bad": []}

    def learn(endpoint: Endpoint, rtts_s: list[float], took_s: float) -> None:
        told[endpoint.name].append((len(rtts_s), took_s))

    Prober("auto", kernel_rtt).run([good, bad], learn)
    assert [count for count, _ in told["good"]] == [1, 2], "the first sample is told at once: somebody may wait for it"
    assert [count for count, _ in told["bad"]] == [0]
    assert all(took_s > 0 for found in told.values() for _, took_s in found)


def test_nothing_due_starts_nothing() -> None:
    prober = Prober("auto", kernel_rtt)
    assert not prober.start([], lambda *told: None)
    assert not prober._running.locked()


class _Waiting(Prober):
    """Measures until it is told to go on."""

    def __init__(self) -> None:
        super().__init__("auto", kernel_rtt)
        self.go_on, self.measuring = threading.Event(), threading.Event()

    def measure(self, endpoint: Endpoint, tries: int = 3) -> list[float]:
        self.measuring.set()
        assert self.go_on.wait(LONG_S)
        return [0.1]


def _end(prober: _Waiting) -> None:
    prober.go_on.set()
    for thread in threading.enumerate():
        if thread.name == "edgeclient-probe":
            thread.join(LONG_S)


def test_one_round_runs_at_a_time() -> None:
    prober, told = _Waiting(), []
    assert prober.start([Endpoint("a", "http://a")], lambda *what: told.append(what[0].name))
    assert prober.measuring.wait(LONG_S)
    assert not prober.start([Endpoint("b", "http://b")], lambda *what: told.append(what[0].name))
    _end(prober)
    assert told == ["a", "a"]
    assert prober.start([Endpoint("c", "http://c")], lambda *what: told.append(what[0].name))
    _end(prober)
    assert told == ["a", "a", "c", "c"]


def test_a_forked_child_may_probe_again() -> None:
    prober = _Waiting()
    parents = prober._running
    assert parents.acquire(blocking=False)  # the parent's round, whose thread is not in the child
    prober.after_fork()
    assert prober.start([Endpoint("a", "http://a")], lambda *told: None)
    _end(prober)


def test_no_thread_to_be_had_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    prober = Prober("auto", kernel_rtt)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert not prober.start([Endpoint("a", "http://a")], lambda *told: None)
    assert not prober._running.locked()


def test_what_is_known_is_renewed_by_one_sample(server: tuple[str, object]) -> None:
    prober, told = Prober("auto", kernel_rtt), []
    for _ in range(2):
        done = threading.Event()
        assert prober.start([Endpoint("a", server[0])], lambda _, rtts_s, __: (told.append(len(rtts_s)), done.set()))  # noqa: B023
        assert done.wait(LONG_S)
        for thread in threading.enumerate():
            if thread.name == "edgeclient-probe":
                thread.join(LONG_S)
    prober.run([Endpoint("a", server[0])], lambda _, rtts_s, __: told.append(len(rtts_s)))
    assert told == [1, 2, 1, 1, 2]
