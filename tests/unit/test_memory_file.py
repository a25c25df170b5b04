"""The file between processes: when it is read and written, by whom it may be read, and what happens when it is broken."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgeclient import Edge
from edgeclient.pops import memory, memory_file, remembering
from edgeclient.pops.memory_file import FileShelf, cache_folder
from edgeclient.pops.remembering import Remembering
from edgeclient.pops.selector import Selector
from edgeclient.values import Endpoint, Outcome

FAR, NEAR = (Endpoint(name, f"https://user:secret@{name}.example.com/private") for name in ("far", "near"))
HERE = Endpoint("here", "http://127.0.0.1:8000/v1")
WALL = 1_700_000_000.0
ADDRESS = remembering._address
LONG_S = 20.0  # never waited for unless a test fails


@dataclass
class Process:
    """What one process knows and remembers. `network`: where it is."""

    endpoints: tuple[Endpoint, ...] = (FAR, NEAR, HERE)
    mishaps: list[BaseException] = field(default_factory=list)
    wall: float = WALL

    def __post_init__(self) -> None:
        self.selector = Selector(self.endpoints, random.Random(1))
        self.memory = Remembering(
            self.endpoints,
            self.selector,
            FileShelf(),
            lambda what, error: self.mishaps.append(error),
            wall=lambda: self.wall,
        )

    def visit(self, now: float = 0.0, *, slept: bool = False) -> Process:
        """A visit, and the end of what it began."""
        self.memory.visit(now, slept=slept)
        for thread in threading.enumerate():
            if thread.name == "edgeclient-memory":
                thread.join(LONG_S)
        return self

    def measure(self, **rtts_ms: float) -> Process:
        for endpoint in self.endpoints:
            for _ in range(3 if endpoint.name in rtts_ms else 0):
                self.selector.record(Outcome(endpoint, rtt_s=rtts_ms[endpoint.name] / 1e3), 0.0)
        return self

    def order(self) -> list[str]:
        return [endpoint.name for endpoint in self.selector.plan(self.endpoints, 0.0)[0]]


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Threads write at once, and the network is `home` until a test says otherwise."""
    monkeypatch.setattr(remembering, "_SETTLE_S", 0.0)

    def move(name: str) -> None:
        monkeypatch.setattr(Remembering, "_network_now", lambda self: name)

    move("home")
    return move


def document() -> dict[str, Any]:
    said: dict[str, Any] = json.loads((cache_folder() / "paths.json").read_bytes())["networks"]
    return said


def put(text: bytes) -> Path:
    """Something in the place of the file."""
    cache_folder().mkdir(parents=True)
    file = cache_folder() / "paths.json"
    file.write_bytes(text)
    return file


def remembered() -> None:
    Process().measure(far=95, near=20, here=1).memory.close()


# -- what is kept


def test_the_next_process_begins_with_the_order_of_the_last() -> None:
    assert Process().visit().order() == ["far", "near", "here"]
    remembered()
    following = Process().visit()
    assert following.order() == ["near", "far", "here"]
    assert following.selector.known() == {} and following.mishaps == []


def test_no_credential_no_path_and_nothing_of_this_machine_is_in_the_file() -> None:
    remembered()
    text = (cache_folder() / "paths.json").read_text("utf-8")
    assert not [word for word in ("secret", "user", "private", "here", "127.0.0.1") if word in text]
    assert set(document()["home"]) == {"far.example.com:443", "near.example.com:443"}
    assert document()["home"]["near.example.com:443"] == {"rtt_ms": 20.0, "at": WALL, "pop": "", "times": 1}


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_only_its_owner_may_read_it() -> None:
    before = os.umask(0)
    try:
        remembered()
        remembered()
    finally:
        os.umask(before)
    assert stat.S_IMODE((cache_folder() / "paths.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(cache_folder().stat().st_mode) == 0o700
    assert os.listdir(cache_folder()) == ["paths.json"]


def test_another_network_has_an_order_of_its_own(network: Callable[[str], None]) -> None:
    remembered()
    network("office")
    assert Process().visit().order() == ["far", "near", "here"]
    Process().measure(far=1, near=2).memory.close()
    assert set(document()) == {"home", "office"}


def test_what_is_older_than_a_week_orders_nothing() -> None:
    remembered()
    assert Process(wall=WALL + 7 * 86_400 + 1).visit().order() == ["far", "near", "here"]


def test_of_two_endpoints_at_one_place_the_nearer_counts() -> None:
    other = Endpoint("other", "https://near.example.com/v2")
    for near_ms, other_ms in ((60, 40), (20, 30)):
        Process((NEAR, FAR, other)).measure(near=near_ms, far=95, other=other_ms).memory.close()
        assert document()["home"]["near.example.com:443"]["rtt_ms"] == min(near_ms, other_ms)
    assert Process((FAR, NEAR, other)).visit().order() == ["near", "other", "far"]


# -- when it is read and written


def test_nothing_is_read_before_the_first_visit_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    text = memory_file._text
    monkeypatch.setattr(memory_file, "_text", lambda file, most: reads.append(file) or text(file, most))
    remembered()
    reads.clear()
    process = Process()
    assert reads == []
    process.visit().visit().visit(1000.0)
    assert len(reads) == 1


def test_the_first_round_of_probes_is_written_without_another_call(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process()
    monkeypatch.setattr(time, "sleep", lambda delay_s: process.measure(far=95, near=20))
    process.visit()
    assert len(document()["home"]) == 2


def test_news_are_written_once_a_minute_at_the_most_and_others_never(monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []
    replace = memory_file._replace
    monkeypatch.setattr(memory_file, "_replace", lambda *said: writes.append(said) or replace(*said))
    process = Process().visit().measure(far=95, near=20)
    process.visit(59.0)
    assert (process.memory.next_at, writes) == (60.0, [])
    process.visit(61.0)
    assert (process.memory.next_at, len(writes)) == (121.0, 1)
    process.measure(near=21).visit(130.0).visit(200.0)
    assert len(writes) == 1
    process.measure(near=15).visit(300.0)
    assert len(writes) == 2
    process.memory.close()
    assert len(writes) == 2
    process.measure(near=30).memory.close()
    assert len(writes) == 3 and document()["home"]["near.example.com:443"]["times"] == 3


def test_a_write_happens_in_a_thread_that_ends_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process().visit().measure(far=95, near=20)
    begun, go_on = threading.Event(), threading.Event()
    by, waited = list[threading.Thread](), list[bool]()

    def slow(*said: object) -> None:
        by.append(threading.current_thread())
        begun.set()
        waited.append(go_on.wait(LONG_S))

    monkeypatch.setattr(memory_file, "_replace", slow)
    monkeypatch.setattr(remembering, "_PATIENCE_S", 0.0)
    process.memory.visit(61.0, slept=False)
    assert begun.wait(LONG_S)
    process.memory.visit(122.0, slept=False)  # while the first write is under way
    process.memory.close()  # without patience
    assert waited == []
    go_on.set()
    for thread in by:
        thread.join(LONG_S)
    assert by and all(thread.daemon and not thread.is_alive() for thread in by)


def test_where_no_thread_is_to_be_had_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    process = Process().visit().measure(near=20).visit(61.0)
    assert process.mishaps == [] and not cache_folder().exists()


def test_whoever_comes_second_waits_for_what_is_recalled(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered()
    process, reading, go_on, reads = Process(), threading.Event(), threading.Event(), []
    text = memory_file._text

    def slow(file: Path, most: int) -> bytes:
        reads.append(file)
        reading.set()
        go_on.wait(LONG_S)
        return text(file, most)

    monkeypatch.setattr(memory_file, "_text", slow)
    first = threading.Thread(target=process.visit)
    first.start()
    reading.wait(LONG_S)
    assert process.memory.next_at == float("-inf")  # so that the second one visits, too
    found = list[list[str]]()

    def plan() -> None:
        process.memory.visit(0.0, slept=False)
        found.append(process.order())

    second = threading.Thread(target=plan)
    second.start()
    go_on.set()
    first.join(LONG_S)
    second.join(LONG_S)
    assert found == [["near", "far", "here"]] and len(reads) == 1


def test_two_writers_lose_nothing_of_one_another() -> None:
    other = Endpoint("other", "https://other.example.com/v1")
    one, two = Process((FAR, NEAR)).visit(), Process((NEAR, other)).visit()
    one.measure(far=95, near=20).memory.close()
    two.measure(near=30, other=50).memory.close()
    paths = {place: path["rtt_ms"] for place, path in document()["home"].items()}
    assert paths == {"far.example.com:443": 95, "near.example.com:443": 30, "other.example.com:443": 50}


def test_after_a_sleep_it_is_recalled_for_the_network_of_now(network: Callable[[str], None]) -> None:
    remembered()
    network("office")
    Process().measure(far=2, near=40).memory.close()
    process = Process().visit().measure(far=2, near=40)
    network("home")
    process.selector.woke()
    assert process.visit(5.0, slept=True).order() == ["near", "far", "here"]


def test_what_was_measured_in_two_networks_is_written_for_neither(network: Callable[[str], None]) -> None:
    remembered()
    network("office")
    process = Process().visit().measure(far=2, near=40)
    network("home")
    process.memory.close()
    assert set(document()) == {"home"} and document()["home"]["far.example.com:443"]["rtt_ms"] == 95
    assert process.order() == ["near", "far", "here"] and process.selector.known() == {}
    process.measure(far=96, near=50).memory.close()
    assert document()["home"]["near.example.com:443"]["rtt_ms"] == 50


# -- broken files and places


BROKEN = {
    "empty": b"",
    "cut": b'{"edgeclient_paths": 1, "netw',
    "foreign": b'{"version": 3}',
    "bytes": bytes(range(256)),
    "nested": b"[" * 100_000,
    "enormous": b'{"edgeclient_paths": 1}' + b" " * 2**21,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_ignored_said_and_replaced(text: bytes) -> None:
    put(text)
    process = Process().visit()
    assert process.order() == ["far", "near", "here"] and len(process.mishaps) == 1
    process.measure(far=95, near=20).memory.close()
    assert Process().visit().order() == ["near", "far", "here"]


def test_a_broken_file_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    put(b"broken")
    edge = Edge(endpoints=[FAR.url, NEAR.url], key="none", probe=False)
    assert edge.policies.memory is not None
    with caplog.at_level(logging.WARNING):
        for now in (0.0, 1.0):
            edge.policies.memory.visit(now, slept=True)
    assert edge.status().mishaps == {"remembering": 2}
    assert len(caplog.records) == 1


def test_a_document_of_a_later_release_is_left_alone() -> None:
    file = put(b'{"edgeclient_paths": 2, "networks": "somehow else"}')
    process = Process().visit().measure(far=95, near=20)
    process.memory.close()
    assert file.read_bytes().startswith(b'{"edgeclient_paths": 2')
    assert process.mishaps and {type(error) for error in process.mishaps} == {memory.Newer}


def test_entries_that_cannot_be_believed_order_nothing() -> None:
    table = {
        "far.example.com:443": {"rtt_ms": float("nan"), "at": WALL},
        "near.example.com:443": {"rtt_ms": -1, "at": WALL},
    }
    put(json.dumps({"edgeclient_paths": 1, "networks": {"home": table}}).encode())
    process = Process().visit()
    assert process.order() == ["far", "near", "here"] and process.mishaps == []


def test_a_file_in_place_of_the_directory_costs_nothing_but_the_memory() -> None:
    """As on a read-only file system: nothing can be made there."""
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("in the way")
    process = Process().visit().measure(far=95, near=20)
    process.memory.close()
    assert process.order() == ["near", "far", "here"]
    assert all(isinstance(error, OSError) for error in process.mishaps) and len(process.mishaps) >= 2
    assert cache_folder().read_text() == "in the way"


def test_a_write_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*said: object) -> None:
        raise OSError(28, "No space left on device")

    remembered()
    monkeypatch.setattr(os, "replace", full)
    process = Process().measure(far=1, near=2)
    process.memory.close()
    assert len(process.mishaps) == 1 and os.listdir(cache_folder()) == ["paths.json"]
    assert document()["home"]["far.example.com:443"]["rtt_ms"] == 95


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_or_a_directory_in_place_of_the_file_blocks_nobody() -> None:
    cache_folder().mkdir(parents=True)
    os.mkfifo(cache_folder() / "paths.json")
    process = Process().visit()
    assert len(process.mishaps) == 1
    process.measure(far=95, near=20).memory.close()
    assert len(document()["home"]) == 2
    (cache_folder() / "paths.json").unlink()
    (cache_folder() / "paths.json").mkdir()
    process = Process().visit().measure(far=95, near=20)
    process.memory.close()
    assert len(process.mishaps) >= 2


def test_a_broken_selector_of_ours_fails_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Selector, priors: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Selector, "expect", broken)
    assert [type(error) for error in Process().visit().mishaps] == [KeyError]


# -- where it is


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/edgeclient"),
        ("linux", {}, "/home/me/.cache/edgeclient"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/edgeclient"),
        ("darwin", {}, "/home/me/Library/Caches/edgeclient"),
        ("win32", {"LOCALAPPDATA": "/local", "XDG_CACHE_HOME": "/x"}, "/local/edgeclient"),
        ("win32", {}, ""),
        ("linux", {"HOME": "nowhere"}, ""),
    ],
)
def test_where_the_file_is(
    platform: str, variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    if folder:
        assert cache_folder() == Path(folder)
    else:
        with pytest.raises(OSError, match="no cache directory"):
            cache_folder()
        assert len(Process().visit().mishaps) == 1


def test_no_test_writes_into_the_users_own_directory() -> None:
    assert Path(tempfile.gettempdir()) in cache_folder().parents


def test_the_network_is_found_without_a_packet_and_absent_ones_have_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ADDRESS() and len(memory.fingerprint(ADDRESS())) == 16

    class Nowhere(socket.socket):
        def connect(self, address: object) -> None:
            assert self.type == socket.SOCK_DGRAM
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Nowhere)
    assert ADDRESS() == ""


# -- which edges have one


URLS = [FAR.url, NEAR.url]


@pytest.mark.parametrize(
    ("said", "variable", "has"),
    [
        ({}, "", True),
        ({"remember": False}, "", False),
        ({"remember": True}, "K_SERVICE", True),
        *(({}, name, False) for name in ("AWS_LAMBDA_RUNTIME_API", "FUNCTIONS_WORKER_RUNTIME", "K_SERVICE", "VERCEL")),
        ({"endpoints": URLS[:1]}, "", False),
        ({"endpoints": ["http://127.0.0.1:1/v1", "http://localhost:2/v1"]}, "", False),
    ],
)
def test_which_edges_remember(said: dict[str, Any], variable: str, has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_LAMBDA_RUNTIME_API", "FUNCTIONS_WORKER_RUNTIME", "K_SERVICE", "VERCEL"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "x")
    edge = Edge(**{"endpoints": URLS, "key": "none", **said})
    assert (edge.policies.memory is not None) is has
    edge.close()
    assert not cache_folder().exists()


def test_a_variable_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLIENT_REMEMBER", "false")
    assert Edge(endpoints=URLS, key="none").policies.memory is None


def test_closing_an_edge_writes() -> None:
    with Edge(endpoints=URLS, key="none") as edge:
        edge.policies.selector.probed(edge.policies.endpoints[0], [0.02], 0.0, 0.02)
    assert document()["home"]["far.example.com:443"]["rtt_ms"] == 20


def test_a_forked_child_visits_though_its_parent_held_the_locks() -> None:
    remembered()
    edge = Edge(endpoints=URLS, key="none")
    own = edge.policies.memory
    assert isinstance(own, Remembering)
    own._recalling.acquire()
    own._writing.acquire()
    edge.after_fork()
    edge.policies.selector.probed(edge.policies.endpoints[0], [0.5], 0.0, 0.5)
    own.visit(0.0, slept=False)
    edge.close()
    assert document()["home"]["far.example.com:443"]["rtt_ms"] == 500
