"""Remembered between processes, with real ones: the second one's first call goes to the nearest endpoint."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import programs
import pytest

LONG_S = 20.0  # never waited for unless a test fails
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
}  # fmt: skip


@dataclass
class Pop:
    """An endpoint on loopback that takes its time for probes; `silent`: it answers none before the end."""

    delay_s: float
    silent: bool = False
    end: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        pop = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if pop.silent:
                    pop.end.wait(LONG_S)
                    return
                time.sleep(pop.delay_s)
                self.answer(b"{}")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.answer(json.dumps(ANSWER).encode())

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *said: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def pops() -> Iterator[dict[str, Pop]]:
    """The farther one is configured first."""
    found = {"far": Pop(0.1), "near": Pop(0.01)}
    yield found
    for pop in found.values():
        pop.close()


PROGRAM = """
import socket, sys, time
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *said, **more: real("127.0.0.1", *said, **more)
from edgeclient import Edge, Endpoint, notes
endpoints = [Endpoint(url, name=name) for name, url in {urls!r}.items()]
with Edge(endpoints=endpoints, key="passthrough", rtt_source="http", origin="never", {options}) as edge:
    with edge.OpenAI(api_key="secret-of-the-caller") as client:
        def ask():
            message = {{"role": "user", "content": "Is it?"}}
            return notes(client.chat.completions.create(model="gpt-4o", messages=[message])).endpoint
        print(ask(), [status.rtt_ms for status in edge.status().endpoints], edge.status().mishaps)
        {more}
"""
UNTIL_MEASURED = """
        while any(status.rtt_ms is None for status in edge.status().endpoints):
            time.sleep(0.01)
        print(ask())
"""


def run(pops: dict[str, Pop], cwd: Path, *, options: str = "", more: str = "") -> list[str]:
    urls = {name: f"http://user:password@{name}.example.com:{pop.server.server_port}/v1" for name, pop in pops.items()}
    return programs.run(PROGRAM.format(urls=urls, options=options, more=more), cwd).splitlines()


def test_the_first_call_of_the_second_process_goes_to_the_nearest(pops: dict[str, Pop], tmp_path: Path) -> None:
    first, last = run(pops, tmp_path, more=UNTIL_MEASURED)
    assert first.startswith("near ") and last == "near"
    for pop in pops.values():
        pop.silent = True
    assert run(pops, tmp_path) == ["near [None, None] {}"]
    assert run(pops, tmp_path, options="remember=False") == ["far [None, None] {}"]
    (file,) = (tmp_path / "cache" / "edgeclient").iterdir()
    text = file.read_text("utf-8")
    assert not [word for word in ("secret", "password", "user", "v1", str(Path.home()), "Is it?") if word in text]


def test_a_process_that_does_not_close_its_edge_is_remembered(pops: dict[str, Pop], tmp_path: Path) -> None:
    stays = UNTIL_MEASURED + (
        "        import os\n"
        "        while not os.path.exists(os.environ['XDG_CACHE_HOME'] + '/edgeclient/paths.json'):\n"
        "            time.sleep(0.01)\n"
        "        sys.stdout.flush()\n"
        "        os._exit(0)\n"
    )
    assert run(pops, tmp_path, more=stays)[-1] == "near"
    assert run(pops, tmp_path, options="probe=False") == ["near [None, None] {}"]


def test_a_forked_child_calls_and_writes_though_its_parent_held_the_locks(pops: dict[str, Pop], tmp_path: Path) -> None:
    child = """
        import os, warnings
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        memory = edge.policies.memory
        with memory._recalling, memory._writing:
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                import faulthandler
                faulthandler.dump_traceback_later(20, exit=True)
                edge.policies.wake.woke(0.0, 0.0)  # so that the next call is the first one after a sleep
                edge.probe()
                edge.close()
                with edge.OpenAI(api_key="k") as client:
                    print(ask())
                sys.stdout.flush()
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        with open(os.environ["XDG_CACHE_HOME"] + "/edgeclient/paths.json") as file:
            print(file.read().count("rtt_ms"))
"""
    assert run(pops, tmp_path, more=child)[-2:] == ["near", "2"]
