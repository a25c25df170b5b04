"""Runs what `edgeclient deploy` writes, in the vendor's real runtime on loopback, in front of a given origin.

Starts processes; each is ended by its pid when its `with` block ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import runtimes

from edgeclient import deploy

HERE = Path(__file__).parent
# What the operator of a PoP gives it: clients by name, and the providers' keys.
TOKENS = {"mobile": "4f1c0d8a7b6e", "web": "9b07ffe1c2d3"}
KEYS = {"OPENAI_API_KEY": "sk-of-the-provider", "ANTHROPIC_API_KEY": "sk-ant-of-the-provider"}
_START_S = 20.0


class MissingRuntimeError(Exception):
    """The vendor's runtime is not on this machine; tests/deploy/runtimes.py fetches it."""


@dataclass(frozen=True)
class Pop:
    """A running PoP."""

    url: str  # without /v1
    code: str  # its PoP's code, as the vendor says it
    caches: bool = True  # POSTs
    further: Mapping[str, str] = ()  # type: ignore[assignment]  # the same project elsewhere: url by name
    pids: tuple[int, ...] = ()


@contextlib.contextmanager
def workers(folder: Path, origin: str, **further: str) -> Iterator[Pop]:
    """The Workers project in workerd, at two data centres; `front.js` and `shelves.js` stand for what is around it."""
    binary = runtimes.workerd()
    if not binary.exists():
        raise MissingRuntimeError(f"no workerd at {binary}")
    deploy.write("workers", folder)
    for path in (HERE / "workerd").iterdir():
        shutil.copy(path, folder)
    command = [str(binary), "serve", "--control-fd=1", str(folder / "config.capnp")]
    with _running(command, {**_given(origin), **further}, folder) as child:
        assert child.stdout is not None
        ports: dict[str, int] = {}
        while len(ports) < 3:
            line = child.stdout.readline()
            assert line, f"workerd ended: {(folder / 'stderr').read_text()}"
            said = json.loads(line)
            ports[said["socket"]] = said["port"]
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Pop(urls["BOM"], "BOM", further=urls, pids=(child.pid,))


RIGS = {"workers": workers}
# What a project does not promise, as its vendor's cache cannot do it; its README says why.
LACKS: dict[str, tuple[str, ...]] = {}


def _given(origin: str) -> dict[str, str]:
    return {
        "EDGE_TOKENS": " ".join(f"{name}={token}" for name, token in TOKENS.items()),
        **KEYS,
        "OPENAI_ORIGIN": origin,
        "ANTHROPIC_ORIGIN": origin,
        "CACHE_TTL_S": "3600",
        "CACHE_EPOCH": "1",
    }


@contextlib.contextmanager
def _running(command: list[str], given: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these variables; what it says on stderr goes to a file. Ended by its pid."""
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(folder), **given}
    with (folder / "stderr").open("wb") as said:
        child = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


@contextlib.contextmanager
def speaking(events: bytes) -> Iterator[tuple[str, list[str]]]:
    """An origin that answers every POST with this stream: its url, and the paths that it heard."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            heard.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("content-length", str(len(events)))
            self.end_headers()
            self.wfile.write(events)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
