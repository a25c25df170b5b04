"""Runs what `edgeclient deploy` writes, in the vendor's real runtime on loopback, in front of a given origin.

Starts processes; each is ended by its pid when its `with` block ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import runtimes
from cloudfront import POP, CloudFront, Distribution

from edgeclient import deploy

if sys.version_info >= (3, 11):
    import tomllib as toml
else:
    import tomli as toml

HERE = Path(__file__).parent
# What the operator of a PoP gives it: clients by name, and the providers' keys.
TOKENS = {"mobile": "4f1c0d8a7b6e", "web": "9b07ffe1c2d3"}
KEYS = {"OPENAI_API_KEY": "sk-of-the-provider", "ANTHROPIC_API_KEY": "sk-ant-of-the-provider"}
_START_S = 20.0
_STREAM = {"content-type": "text/event-stream"}


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
    with _running(command, {**_given(origin), **further}, folder, talks=True) as child:
        assert child.stdout is not None
        ports: dict[str, int] = {}
        while len(ports) < 3:
            line = child.stdout.readline()
            assert line, f"workerd ended: {(folder / 'stderr').read_text()}"
            said = json.loads(line)
            ports[said["socket"]] = said["port"]
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        yield Pop(urls["BOM"], "BOM", further=urls, pids=(child.pid,))


@contextlib.contextmanager
def fastly(folder: Path, origin: str, **further: str) -> Iterator[Pop]:
    """The Fastly project in Node: emulated, as `fastly/compute.mjs` says. What fastly.toml sets up is what is there."""
    node = shutil.which("node")
    if node is None:
        raise MissingRuntimeError("no node")
    deploy.write("fastly", folder)
    made = toml.loads((folder / "fastly.toml").read_text("utf-8"))["setup"]
    here = {name: list(made[name]) for name in ("backends", "config_stores", "secret_stores")}
    given = {**_given(origin), "COMPUTE": json.dumps({**here, "pop": "BOM"}), **further}
    command = [node, "--no-warnings", str(HERE / "fastly" / "compute.mjs"), str(folder)]
    with _running(command, given, folder, talks=True) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, f"node ended: {(folder / 'stderr').read_text()}"
        yield Pop(f"http://127.0.0.1:{json.loads(line)['port']}", "BOM", pids=(child.pid,))


@contextlib.contextmanager
def fly(folder: Path, origin: str, **further: str) -> Iterator[Pop]:
    """The Fly project's start script and the system's nginx, as in its container but for the port and the folders."""
    if not runtimes.nginx().exists():
        raise MissingRuntimeError(f"no nginx at {runtimes.nginx()}")
    deploy.write("fly", folder)
    port = _free_port()
    given = {
        **_given(origin),
        "PATH": f"{runtimes.nginx().parent}:{os.environ['PATH']}",
        "LISTEN": f"127.0.0.1:{port}",
        "RUN_DIR": str(folder / "run"),
        "CACHE_DIR": str(folder / "cache"),
        "RUN_AS": "root",
        "FLY_REGION": "bom",
        "RESOLVE_EVERY_S": "0",
        **further,
    }
    with _running(["sh", str(folder / "start.sh")], given, folder) as child:
        url = f"http://127.0.0.1:{port}"
        _await(f"{url}/healthz", child, folder)
        yield Pop(url, "bom", pids=(child.pid,))


@contextlib.contextmanager
def lambda_edge(folder: Path, origin: str, **further: str) -> Iterator[Pop]:
    """The Lambda@Edge project: its function in AWS's runtime client, its distribution as `cloudfront.py` reads it."""
    if not runtimes.awslambdaric().exists():
        raise MissingRuntimeError(f"no awslambdaric at {runtimes.awslambdaric()}")
    deploy.write("lambda-edge", folder)
    given = {**_given(origin), **further}
    tokens: dict[str, list[str]] = {}
    for name, token in (pair.split("=") for pair in given["EDGE_TOKENS"].split()):
        tokens.setdefault(name, []).append(hashlib.sha256(token.encode()).hexdigest())
    settings = {"tokens": tokens, "openai_origin": origin, "anthropic_origin": origin}
    (folder / "settings.json").write_text(json.dumps(settings))
    template = json.loads((folder / "template.json").read_text())
    keys = {"OpenAIKey": given["OPENAI_API_KEY"], "AnthropicKey": given["ANTHROPIC_API_KEY"]}
    distribution = Distribution.of(template, {**keys, "CacheSeconds": given["CACHE_TTL_S"]})
    command = [sys.executable, "-m", "awslambdaric", template["Resources"]["Edge"]["Properties"]["Handler"]]
    path = str(runtimes.awslambdaric())
    with (
        CloudFront(distribution) as front,
        _running(command, {"AWS_LAMBDA_RUNTIME_API": front.runtime_api, "PYTHONPATH": path}, folder) as child,
    ):
        _await(f"{front.url}/healthz", child, folder)
        yield Pop(front.url, POP, caches=False, pids=(child.pid,))


RIGS = {"workers": workers, "fastly": fastly, "fly": fly, "lambda-edge": lambda_edge}


@contextlib.contextmanager
def run(name: str, folder: Path, origin: str, **further: str) -> Iterator[Pop]:
    """A project in its runtime; the test is skipped when that is not here (which CI does not allow)."""
    try:
        with RIGS[name](folder, origin, **further) as running:
            yield running
    except MissingRuntimeError as error:
        pytest.skip(f"{error}: run python tests/deploy/runtimes.py")


# What a project does not promise, as its vendor's cache cannot do it; its README says why.
LACKS = {"fly": ("keeps_streams", "tells_age"), "lambda-edge": ("caches", "keeps_streams", "tells_age")}


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
def _running(
    command: list[str], given: Mapping[str, str], folder: Path, *, talks: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with these variables. What it says goes to the file `stderr`; stdout can be read if it `talks`."""
    environment = {"PATH": os.environ["PATH"] + ":/usr/sbin", "HOME": str(folder), **given}
    with (folder / "stderr").open("wb") as said:
        child = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else said,
            stderr=said,
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


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _await(url: str, child: subprocess.Popen[bytes], folder: Path) -> None:
    """Returns when the PoP answers."""
    until = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as said_no:  # it says what it lacks
            said_no.close()
            return
        except OSError:
            said = (folder / "stderr").read_text()
            assert child.poll() is None, f"it ended: {said}"
            assert time.monotonic() < until, f"it does not answer: {said}"
            time.sleep(0.02)


@contextlib.contextmanager
def speaking(
    body: bytes,
    headers: Mapping[str, str] = _STREAM,
    *,
    gate: threading.Event | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """An origin that answers every POST with this: its url, and the paths that it heard.

    With a `gate`, the body's second half is sent when that is set. With `tls` it is `https://localhost`.
    """
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            heard.append(self.path)
            self.send_response(200)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            half = len(body) // 2 if gate is not None else 0
            self.wfile.write(body[:half])
            if gate is not None:
                gate.wait(20)
            self.wfile.write(body[half:])

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    where = "http://127.0.0.1" if tls is None else "https://localhost"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{where}:{server.server_address[1]}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
