"""What a lookup costs in each store, how large the SQLite file grows, and what faults of a Redis server add to calls.

    python benchmarks/cache_stores.py [--entries 20000] [--rounds 9] [--calls 100] [--json FILE]

Hits: CPU of a call over the store alone (without the layer of memory), as a ratio to the plain SDK over a transport that
answers at once. SQLite: so many entries of 1 kB; the bar is 1,000,000 (`--entries 1000000`): p99 lookup at most 2 ms, at most
1.6 kB of file an entry. Faults: a server on loopback is killed, frozen and started again while lookups go on, twenty in a
second; told are the longest lookup during the fault, how many took longer than 5 ms, and after how long the first hit came
again. A redis-server on the PATH is needed for what is about Redis; without one it is left out. So is PostgreSQL without
`--postgres`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import overhead

from edgeclient import Cache, Edge, Endpoint
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.opening import open_store
from edgeclient.values import Entry

BODY = b'{"text":"%s"}' % (b"x" * 989)  # 1,000 bytes


def entry(n: int) -> Entry:
    return Entry(
        key=f"{n:032x}", body=BODY, has_usage=True, request_id=b"req_0123456789abcdef0123456789abcdef",
        stored_at=1e9, expires_at=1e9 + 3600, id=f"chatcmpl-{n:029d}", endpoint="fra", pop="FRA",
    )  # fmt: skip


def below(where: str, **said: Any) -> Guarded:
    """The store itself, without the layer of memory above it."""
    found = open_store(Cache("exact", store=where, **said), lambda what, error: None)
    assert isinstance(found, Layered)
    assert isinstance(found._below, Guarded)
    return found._below


def spread(took_s: list[float]) -> dict[str, float]:
    took_s.sort()
    return {
        "p50_us": statistics.median(took_s) * 1e6,
        "p99_us": took_s[int(len(took_s) * 0.99)] * 1e6,
        "longest_us": took_s[-1] * 1e6,
    }


def timed(load: Callable[[str], object], keys: list[str]) -> dict[str, float]:
    took = []
    for key in keys:
        began = time.perf_counter()
        load(key)
        took.append(time.perf_counter() - began)
    return spread(took)


# -- hits


def hits(where: str, url: str, rounds: int, calls: int) -> dict[str, float]:
    """A hit through the SDK, from this store alone, beside the plain SDK over a transport that answers at once."""
    edge = Edge(
        endpoints=[Endpoint(url, key="passthrough")], cache=Cache("exact", store=where, max_bytes=1, budget_s=1.0)
    )
    loop = asyncio.new_event_loop()
    floor = {"api_key": "k"}
    sync = overhead.compare(
        overhead.sync_block(openai.OpenAI(**floor, http_client=httpx2.Client(transport=overhead.AtOnce())), False),
        overhead.sync_block(edge.OpenAI(api_key="k"), False),
        rounds,
        calls,
    )
    tasks = overhead.compare(
        overhead.async_block(
            loop, openai.AsyncOpenAI(**floor, http_client=httpx2.AsyncClient(transport=overhead.AtOnce())), False
        ),
        overhead.async_block(loop, edge.AsyncOpenAI(api_key="k"), False),
        rounds,
        calls,
    )
    counts = edge.status().counts
    assert counts["miss"] <= 2, counts
    edge.close()
    loop.close()
    return {"sync": sync["ratio"], "async": tasks["ratio"], "sync_added_us": sync["added_ms"] * 1e3,
            "async_added_us": tasks["added_ms"] * 1e3}  # fmt: skip


# -- SQLite


def sqlite_file(entries: int, folder: Path) -> dict[str, float]:
    path = folder / "many.db"
    store = below(f"sqlite:{path}", file_bytes=2**40)
    began = time.perf_counter()
    for n in range(entries):
        while not store.save(entry(n), 1e9):  # the queue is full: nobody asks for so many in real life
            store.flush(60.0)
    store.flush(60.0)
    wrote_s = time.perf_counter() - began
    rng = random.Random(1)
    looked = min(entries, 50_000)
    found = timed(lambda key: store.load(key, 1e9), [f"{rng.randrange(entries):032x}" for _ in range(looked)])
    missed = timed(lambda key: store.load(key, 1e9), [f"{entries + n:032x}" for n in range(looked)])
    assert all(store.load(f"{rng.randrange(entries):032x}", 1e9) is not None for _ in range(100))
    store.close()
    return {
        "entries": entries,
        "written_each_s": entries / wrote_s,
        "file_bytes_an_entry": os.stat(path).st_size / entries,
        **{f"hit_{name}": value for name, value in found.items()},
        **{f"miss_{name}": value for name, value in missed.items()},
    }


# -- Redis


@contextmanager
def redis_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    assert program is not None
    running = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
        cwd=tempfile.gettempdir(),
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield running
    finally:
        running.kill()
        running.wait()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def lookups(url: str) -> dict[str, float]:
    store = below(url, budget_s=1.0)
    for n in range(1000):
        store.save(entry(n), 1e9)
    store.flush(10.0)
    sync = timed(lambda key: store.load(key, 1e9), [f"{n % 1000:032x}" for n in range(5000)])

    async def tasks() -> dict[str, float]:
        took = []
        for n in range(5000):
            began = time.perf_counter()
            assert await store.load_async(f"{n % 1000:032x}", 1e9) is not None
            took.append(time.perf_counter() - began)
        return spread(took)

    found = asyncio.run(tasks())
    store.close()
    return {**{f"sync_{k}": v for k, v in sync.items()}, **{f"async_{k}": v for k, v in found.items()}}


def faults() -> dict[str, dict[str, float]]:
    port = free_port()
    found = {}
    with redis_server(port) as running:
        store = below(f"redis://127.0.0.1:{port}")

        def seen(until: float, stop_at_hit: bool) -> tuple[list[float], float | None]:
            """Lookups and writes, twenty a second: how long each lookup took, and when the first hit came."""
            took, began = [], time.monotonic()
            while time.monotonic() - began < until:
                at = time.monotonic()
                hit = store.load(entry(1).key, 1e9) is not None
                took.append(time.monotonic() - at)
                if hit and stop_at_hit:
                    return took, time.monotonic() - began
                store.save(entry(2), 1e9)
                time.sleep(0.05)
            return took, None

        def told(took: list[float], again: float | None) -> dict[str, float]:
            return {
                "longest_ms": max(took) * 1e3,
                "lookups": len(took),
                "longer_than_5_ms": sum(it > 0.005 for it in took),
                "recovered_after_s": -1.0 if again is None else again,
            }

        store.save(entry(1), 1e9)
        store.flush()
        seen(0.5, False)
        running.send_signal(signal.SIGSTOP)
        took, _ = seen(5.0, False)
        running.send_signal(signal.SIGCONT)
        found["frozen for 5 s"] = told(took, seen(10.0, True)[1])
    took, _ = seen(5.0, False)
    with redis_server(port):
        other = below(f"redis://127.0.0.1:{port}", budget_s=1.0)
        other.save(entry(1), 1e9)
        other.flush()
        found["killed for 5 s"] = told(took, seen(10.0, True)[1])
        other.close()
    store.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--postgres", metavar="URL", help="a database, which gets the tables of a cache")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    has_redis = shutil.which("redis-server") or shutil.which("valkey-server")
    found: dict[str, Any] = {}
    server = subprocess.Popen(
        [sys.executable, "-c", overhead.SERVER, overhead.ANSWER.hex()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        with tempfile.TemporaryDirectory() as folder:
            found["hit, sqlite"] = hits(f"sqlite:{folder}/hits.db", url, said.rounds, said.calls)
            found["sqlite"] = sqlite_file(said.entries, Path(folder))
        if has_redis:
            port = free_port()
            with redis_server(port):
                found["hit, redis"] = hits(f"redis://127.0.0.1:{port}", url, said.rounds, said.calls)
                found["redis"] = lookups(f"redis://127.0.0.1:{port}")
            found |= faults()
        if said.postgres:
            found["hit, postgres"] = hits(said.postgres, url, said.rounds, said.calls)
            found["postgres"] = lookups(said.postgres)
    finally:
        server.kill()
        server.wait()
    for what, figures in found.items():
        print(what)
        for name, figure in figures.items():
            print(f"    {name:24} {figure:,.2f}" if figure < 1000 else f"    {name:24} {figure:,.0f}")
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
