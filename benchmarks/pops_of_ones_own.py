"""What a PoP of one's own costs: the projects of `edgeclient deploy` in their vendors' real runtimes, on loopback.

    python benchmarks/pops_of_ones_own.py [--calls 300] [--json FILE]

Workers in workerd, Fly in nginx, Lambda@Edge in awslambdaric behind the tests' CloudFront, Fastly's project in Node with
stand-ins for Fastly (`tests/deploy/rigs.py`; run `python tests/deploy/runtimes.py` once). One kept-alive connection, calls
one after the other, medians; calls through the PoP and straight ones take turns, so that both see the same machine. Exit
status 1 when a bar is missed:

  hit      a hit comes within 1 round trip and 5 ms
  miss     a miss takes at most 5 ms longer than straight to the origin (by the difference of the medians)
  stream   the first chunk is here at most 60 ms after the origin sent it (95 of 100)
  refused  a wrong token gets 401, and the origin sees none of them
  errors   0 in 1,000 calls from eight threads
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "deploy"))

import rigs

from edgeclient.lab import Lab

HIT_MS, MISS_MS, STREAM_MS = 5.0, 5.0, 60.0
_PATH = "/v1/chat/completions"


class Line:
    """One kept-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def ask(self, question: str, **more: Any) -> tuple[int, dict[str, str], bytes, float]:
        """Status, headers, body, and milliseconds to the body's end."""
        body = json.dumps({"model": "lab-large", "messages": [{"role": "user", "content": question}], **more})
        began = time.perf_counter()
        self._connection.request("POST", _PATH, body, self._headers)
        response = self._connection.getresponse()
        whole = response.read()
        took = (time.perf_counter() - began) * 1e3
        return response.status, {k.lower(): v for k, v in response.getheaders()}, whole, took

    def first_byte(self) -> float:
        """When the first byte of a streamed answer's body was here; reads the rest too."""
        self._connection.request("POST", _PATH, json.dumps({"messages": [], "stream": True}), self._headers)
        response = self._connection.getresponse()
        response.read(1)
        at = time.perf_counter()
        response.read()
        return at


def round_trip_ms(url: str) -> float:
    """The median time of a TCP connect."""
    host, _, port = urlsplit(url).netloc.partition(":")
    took = []
    for _ in range(50):
        began = time.perf_counter()
        with socket.create_connection((host, int(port))):
            took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


@contextlib.contextmanager
def streaming_origin() -> Iterator[tuple[str, list[float]]]:
    """An origin that sends three chunks, 40 ms apart: its url, and when each first one went out."""
    sent: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            sent.append(time.perf_counter())
            for event in (b'data: {"n":1}\n\n', b'data: {"n":2}\n\n', b"data: {}\n\n", b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                time.sleep(0.04 if event else 0)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def measure(name: str, calls: int, lab: Lab, folder: Path) -> dict[str, Any]:
    """All figures of one project."""
    token = rigs.TOKENS["mobile"]
    with rigs.RIGS[name](folder / name, lab.origin_anthropic_url) as pop:
        figures: dict[str, Any] = {"project": name, "rtt_ms": round_trip_ms(pop.url)}
        with Line(pop.url, token) as via, Line(lab.origin_anthropic_url, token) as straight:
            for line in (via, straight):
                line.ask("warm")
            both = [(via.ask(f"{name} {n}")[3], straight.ask(f"{name} {n}")[3]) for n in range(calls)]
            hits = [via.ask(f"{name} {n}") for n in range(calls)]
        missed, direct = (statistics.median(took) for took in zip(*both, strict=True))
        figures |= {"straight_ms": direct, "miss_ms": missed, "miss_adds_ms": missed - direct}
        if pop.caches:
            assert all("; hit" in headers["cache-status"] for _, headers, _, _ in hits)
            figures["hit_ms"] = statistics.median(took for *_, took in hits)
        before = lab.requests()["origin"]
        with Line(pop.url, "wrong") as stranger:
            statuses = {stranger.ask(f"{name} stranger {n}")[0] for n in range(50)}
        figures["refused"] = statuses == {401} and lab.requests()["origin"] == before
        figures["errors"] = errors(pop.url, token)
    with streaming_origin() as (url, sent), rigs.RIGS[name](folder / f"{name}-stream", url) as pop:
        with Line(pop.url, token) as line:
            late = sorted((line.first_byte() - sent[-1]) * 1e3 for _ in range(20))
        figures |= {"stream_ms": statistics.median(late), "stream_p95_ms": late[18]}
    return figures


def errors(url: str, token: str) -> int:
    """How many of 1,000 calls from eight threads fail; half of them have been asked before."""

    def some(thread: int) -> int:
        with Line(url, token) as line:
            return sum(line.ask(f"thread {thread} {n % 63}")[0] != 200 for n in range(125))

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(some, range(8)))


def missed_bars(figures: dict[str, Any]) -> list[str]:
    found = []
    if figures.get("hit_ms", 0.0) > figures["rtt_ms"] + HIT_MS:
        found.append(f"hit {figures['hit_ms']:.2f} ms")
    if figures["miss_adds_ms"] > MISS_MS:
        found.append(f"a miss adds {figures['miss_adds_ms']:.2f} ms")
    if figures["stream_p95_ms"] > STREAM_MS:
        found.append(f"first chunk {figures['stream_p95_ms']:.1f} ms late")
    if not figures["refused"]:
        found.append("a wrong token was not refused at the PoP")
    if figures["errors"]:
        found.append(f"{figures['errors']} errors")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="misses and hits measured at each PoP (default: 300)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    model = {"first_token_ms": (0.0, 0.0), "tokens_per_s": 1e6}
    found = []
    print("project      RTT ms  straight ms  miss ms  adds ms  hit ms  first chunk ms (p95)  401  errors")
    with (
        tempfile.TemporaryDirectory(prefix="pops-") as folder,
        Lab({"unused": 0}, origin_ms=0, mode="loopback", tls=False, **model) as lab,
    ):
        for name in rigs.RIGS:
            one = measure(name, arguments.calls, lab, Path(folder))
            found.append({**one, "missed": missed_bars(one)})
            hit = f"{one['hit_ms']:6.2f}" if "hit_ms" in one else "     -"
            print(
                f"{name:12} {one['rtt_ms']:6.2f}  {one['straight_ms']:11.2f}  {one['miss_ms']:7.2f}  "
                f"{one['miss_adds_ms']:7.2f}  {hit}  {one['stream_ms']:8.1f} {one['stream_p95_ms']:12.1f}  "
                f"{'yes' if one['refused'] else ' NO'}  {one['errors']:6}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    for one in found:
        for what in one["missed"]:
            print(f"{one['project']}: {what}", file=sys.stderr)
    return 1 if any(one["missed"] for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
