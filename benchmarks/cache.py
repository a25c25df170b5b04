"""What the exact cache costs, side by side in one run, each figure beside its bar.

    python benchmarks/cache.py [--rounds 15] [--calls 100] [--entries 20000] [--json FILE]

Hits are CPU of this process as a ratio to the plain SDK over a transport that answers at once: no cache below the SDK can be
faster than that. Each ratio is formed within a round (see overhead.py), and its median is told. SQLite and Redis answer
without the layer of memory above them; Redis is a server of its own on loopback, and is left out where there is no
redis-server on the PATH. LiteLLM's own cache is measured the same way where LiteLLM is installed. `--check` exits with 1 when
a bar is missed that does not depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import shutil
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cache_stores
import httpx2
import openai
import overhead

from edgeclient import Edge, Endpoint
from edgeclient.cache import policy
from edgeclient.cache.key import exact_key
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.dialects import dialect_of
from edgeclient.values import Call, Entry, Reply

CHUNKS = 100
WORDS = [f"word{n} " for n in range(CHUNKS)]


@dataclass
class Figure:
    """One line of the table. `bar`: at most so much (or at least, where `more` is better); None: nothing was promised."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    more: bool = False
    steady: bool = False  # does not depend on how busy the machine is

    @property
    def met(self) -> bool:
        return self.bar is None or (self.value >= self.bar if self.more else self.value <= self.bar)


def _chunk(delta: dict[str, str], finish: str | None) -> bytes:
    part = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }  # fmt: skip
    return b"data: " + json.dumps(part).encode() + b"\n\n"


STREAM = b"".join(
    [_chunk({"role": "assistant", "content": ""}, None)]
    + [_chunk({"content": word}, None) for word in WORDS]
    + [_chunk({}, "stop"), b"data: [DONE]\n\n"]
)


class Streams(httpx2.BaseTransport):
    """The floor of a stream, and the origin that fills the cache."""

    seen = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen += 1
        return httpx2.Response(
            200, headers={"content-type": "text/event-stream"}, stream=httpx2.ByteStream(STREAM), request=request
        )


# -- hits


def read(stream: Iterable[Any]) -> tuple[str, int]:
    """A stream's text, and in how many events it came."""
    events = [event.choices[0].delta.content or "" for event in stream if event.choices]
    return "".join(events), len(events)


def stream_block(client: Any) -> Callable[[int], float]:
    def run(calls: int) -> float:
        began = time.process_time()
        for _ in range(calls):
            read(client.chat.completions.create(**overhead.question(False), stream=True))
        return (time.process_time() - began) / calls

    return run


def memory_hits(url: str, rounds: int, calls: int) -> Iterable[Figure]:
    loop = asyncio.new_event_loop()
    edge = Edge(endpoints=[Endpoint(url, key="passthrough")], cache="exact")
    floor = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=overhead.AtOnce()))
    tasks = openai.AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=overhead.AtOnce()))
    sync = overhead.compare(
        overhead.sync_block(floor, False), overhead.sync_block(edge.OpenAI(api_key="k"), False), rounds, calls
    )
    both = overhead.compare(
        overhead.async_block(loop, tasks, False),
        overhead.async_block(loop, edge.AsyncOpenAI(api_key="k"), False),
        rounds,
        calls,
    )
    assert edge.status().counts["miss"] == 1, edge.status().counts
    yield Figure("hit in memory, sync", sync["ratio"], "x the SDK's floor", 1.02)
    yield Figure("hit in memory, async", both["ratio"], "x the SDK's floor", 1.02)
    edge.close()
    loop.close()


def stream_hits(rounds: int, calls: int) -> Iterable[Figure]:
    origin = Streams()
    edge = Edge(cache="exact")
    ours = edge.OpenAI(api_key="k", http_client=httpx2.Client(transport=origin))
    text, _ = read(ours.chat.completions.create(**overhead.question(False), stream=True))
    again, events = read(ours.chat.completions.create(**overhead.question(False), stream=True))
    assert text == again == "".join(WORDS)
    assert origin.seen == 1
    floor = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=Streams()))
    found = overhead.compare(stream_block(floor), stream_block(ours), rounds, max(1, calls // 5))
    assert origin.seen == 1
    yield Figure(f"hit of a stream of {CHUNKS} chunks, told in {events}", found["ratio"], "x the SDK's floor", 0.6)
    edge.close()


def stored_hits(url: str, rounds: int, calls: int) -> Iterable[Figure]:
    """From a file and from a server, without the layer of memory."""
    with tempfile.TemporaryDirectory() as folder:
        found = cache_stores.hits(f"sqlite:{folder}/hits.db", url, rounds, calls)
        yield Figure("hit in SQLite, sync", found["sync"], "x the SDK's floor", 1.15)
        yield Figure("hit in SQLite, async", found["async"], "x the SDK's floor", 1.15)
    if shutil.which("redis-server") or shutil.which("valkey-server"):
        port = cache_stores.free_port()
        with cache_stores.redis_server(port):
            found = cache_stores.hits(f"redis://127.0.0.1:{port}", url, rounds, calls)
        yield Figure("hit in Redis on loopback, sync", found["sync"], "x the SDK's floor", 1.35)
        yield Figure("hit in Redis on loopback, async", found["async"], "x the SDK's floor", 1.35)


def litellm_hits(url: str, rounds: int, calls: int) -> Iterable[Figure]:
    """LiteLLM's in-memory cache, set up as its documentation says (docs.litellm.ai/docs/caching/all_caches)."""
    if importlib.util.find_spec("litellm") is None:
        return
    import litellm
    from litellm.caching.caching import Cache

    litellm.cache = Cache()

    asked = {**overhead.question(False), "model": "openai/gpt-4o", "api_base": url, "api_key": "k", "caching": True}

    def block(calls: int) -> float:
        began = time.process_time()
        for _ in range(calls):
            litellm.completion(**asked)
        return (time.process_time() - began) / calls

    floor = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=overhead.AtOnce()))
    found = overhead.compare(overhead.sync_block(floor, False), block, rounds, calls)
    assert litellm.completion(**asked)._hidden_params["cache_hit"] is True
    yield Figure("LiteLLM's hit in memory, sync", found["ratio"], "x the SDK's floor")


# -- the key


def body_of(size: int) -> dict[str, Any]:
    """A chat of about so many bytes of JSON, in messages of 1 kB at the most."""
    text = "How long does a transfer to another bank take, and what does it cost? " * 13
    return {
        "model": "gpt-4o",
        "temperature": 0.5,
        "messages": [{"role": "user", "content": text[: min(900, size)]} for _ in range(max(1, size // 950))],
    }


HEADERS = (
    ("authorization", "Bearer sk-0123456789"), ("openai-organization", "org-1"), ("x-stainless-lang", "python"),
    ("accept", "application/json"), ("content-type", "application/json"), ("user-agent", "OpenAI/Python"),
)  # fmt: skip


def keys() -> Iterable[Figure]:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 90_000}}
    seen = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}],
    }
    bodies = (
        ("1 kB", body_of(1_000), 12.0, 2_000),
        ("1 MB, an image", seen, 1_000.0, 20),
        ("1 MB, 1,052 messages", body_of(1_000_000), 1_000.0, 20),
    )
    for name, body, bar, times in bodies:

        def make(body: dict[str, Any] = body) -> str:
            return exact_key(
                credential="0123456789abcdef", method="POST", origin="https://api.openai.com/v1", path="/chat/completions",
                query="", family="openai_chat/gateway", headers=HEADERS, body=body,
            )  # fmt: skip

        yield Figure(f"key of {name}", best_us(make, times), "us", bar)


def best_us(run: Callable[[], object], times: int) -> float:
    """The fastest of seven blocks: what else the machine does can only add."""
    run()
    took = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            run()
        took.append((time.perf_counter() - began) / times)
    return min(took) * 1e6


# -- memory alone


FOUND = dialect_of("POST", "/chat/completions")


def entry(n: int, words: int = 100) -> Entry:
    """An entry as a call makes it: no two of them share a byte."""
    assert FOUND is not None
    answer = json.loads(overhead.ANSWER)
    answer["id"] = f"chatcmpl-{n:029d}"
    answer["choices"][0]["message"]["content"] = f"{n:06d} " * words
    call = Call("openai", "POST", "", "/chat/completions", dialect=FOUND[1], body={"model": "gpt-4o"}, key=f"{n:032x}")
    made = policy.entry_of(
        call, Reply(200, [(b"x-request-id", b"req_%028d" % n)]), json.dumps(answer).encode(), now=1e9, fresh_s=3600.0,
        endpoint="fra", pop="FRA",
    )  # fmt: skip
    assert made is not None
    return made


def answered(store: MemoryStore, key: str) -> None:
    """A hit of an entry, as a call has it."""
    found, call = store.load(key, 1e9), Call("openai", "POST", "", "/chat/completions", dialect=FOUND[1], body={})
    policy.render(found, call, 1e9)


def memory_alone(entries: int) -> Iterable[Figure]:
    with traced() as held:
        store = MemoryStore(2**40)
        for n in range(entries):
            store.save(entry(n), 1e9)
        kept = held()
        bodies = sum(len(one.body) for one in store._entries.values())
        for n in range(entries):
            answered(store, f"{n:032x}")
        used = held()
        less = sum(len(one.body) for one in store._entries.values())
    yield Figure("memory an entry takes beside its body", (kept - bodies) / entries, "bytes", 600, steady=True)
    yield Figure("the same, each answered a call", (used - less) / entries, "bytes", 600, steady=True)
    asked = [f"{(n * 7919) % entries:032x}" for n in range(entries)]

    def look() -> None:
        for key in asked:
            store.load(key, 1e9)

    yield Figure("lookups in memory", entries / (best_us(look, 1) / 1e6), "/s", 50_000, more=True)


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """What Python's memory grew by since the beginning, in bytes."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def bound_held(threads: int = 16, bound: int = 8 * 2**20) -> Iterable[Figure]:
    """What a store that is filled several times over, by threads at once, really holds, as a share of its bound."""
    most = [0.0] * threads
    with traced() as held:
        store = MemoryStore(bound)

        def fill(thread: int) -> None:
            for n in range(thread, 3 * bound // 1500, threads):
                store.save(entry(n, 50 + n % 100), 1e9)
                if n % 3 == 0:
                    answered(store, f"{n:032x}")
                most[thread] = max(most[thread], store.usage()[1] / bound)

        running = [threading.Thread(target=fill, args=(n,)) for n in range(threads)]
        for one in running:
            one.start()
        for one in running:
            one.join()
        kept = held()
    assert store.usage()[1] == sum(one.size for one in store._entries.values())
    yield Figure(f"bytes counted under {threads} threads", max(most), "x the bound", 1.0, steady=True)
    yield Figure(f"bytes held under {threads} threads", kept / bound, "x the bound", 1.05, steady=True)


# -- the table


def table(figures: list[Figure]) -> str:
    lines = [f"{'':58} {'figure':>10}  {'bar':>10}"]
    for one in figures:
        bar = "" if one.bar is None else f"{'>=' if one.more else '<='} {one.bar:g}"
        value = f"{one.value:.3f}" if one.value < 100 else f"{one.value:,.0f}"
        lines.append(f"{one.what:58} {value:>10}  {bar:>10}  {one.unit:18} {'' if one.met else 'missed'}".rstrip())
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    figures: list[Figure] = []
    with overhead.serving() as url:
        figures += memory_hits(url, said.rounds, said.calls)
        figures += stream_hits(said.rounds, said.calls)
        figures += stored_hits(url, said.rounds, said.calls)
        figures += litellm_hits(url, said.rounds, said.calls)
    figures += keys()
    figures += memory_alone(said.entries)
    figures += bound_held()
    print(f"openai {openai.__version__}, Python {sys.version.split()[0]}, {said.rounds} rounds of {said.calls} calls")
    print(table(figures))
    if said.json:
        said.json.write_text(json.dumps([{**asdict(one), "met": one.met} for one in figures], indent=1) + "\n")
    return int(said.check and not all(one.met for one in figures if one.steady))


if __name__ == "__main__":
    raise SystemExit(main())
