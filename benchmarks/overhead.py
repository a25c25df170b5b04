"""What edgeclient costs in CPU beside the plain SDK: a miss, a hit, sync and async, in one run.

    python benchmarks/overhead.py [--rounds 15] [--calls 100] [--json FILE]

A miss goes to an endpoint on loopback (a process of its own), with the exact cache on and every prompt new; the plain
client goes to the same address. A hit is compared with the plain SDK over a transport that answers at once: no cache
below the SDK can be faster than that. Blocks of calls take turns, so that drift falls on all alike; CPU is user + system of
this process; the ratio is formed within a round, and its median over the rounds is given.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai

from edgeclient import Edge, Endpoint

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "It takes two to three working days. " * 8,
                    "refusal": None,
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 20, "completion_tokens": 64, "total_tokens": 84},
    }
).encode()

SERVER = """
import asyncio, sys
answer = bytes.fromhex(sys.argv[1])
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(answer)
async def serve(reader, writer):
    try:
        while True:
            top = await reader.readuntil(b"\\r\\n\\r\\n")
            lower = top.lower()
            if b"content-length: " in lower:
                await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\\r")[0]))
            writer.write(head + answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""

_asked = 0


def question(new: bool) -> dict[str, Any]:
    global _asked
    _asked += new
    text = f"How long does a transfer to another bank take? (customer {_asked if new else 0})"
    return {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}],
    }


class AtOnce(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The floor: an answer without a network."""

    def _answer(self) -> httpx2.Response:
        headers = {"content-type": "application/json", "content-length": str(len(ANSWER))}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(ANSWER))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._answer()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._answer()


def sync_block(client: Any, new: bool) -> Callable[[int], float]:
    def run(calls: int) -> float:
        began = time.process_time()
        for _ in range(calls):
            client.chat.completions.create(**question(new))
        return (time.process_time() - began) / calls

    return run


def async_block(loop: asyncio.AbstractEventLoop, client: Any, new: bool) -> Callable[[int], float]:
    async def calls_in_turn(calls: int) -> float:
        began = time.process_time()
        for _ in range(calls):
            await client.chat.completions.create(**question(new))
        return (time.process_time() - began) / calls

    return lambda calls: loop.run_until_complete(calls_in_turn(calls))


def compare(plain: Callable[[int], float], ours: Callable[[int], float], rounds: int, calls: int) -> dict[str, float]:
    """Medians over the rounds: CPU of both in ms a call, their difference, and their ratio within a round."""
    plain(calls), ours(calls)
    pairs = []
    for n in range(rounds):
        gc.collect()
        first, second = (plain, ours) if n % 2 else (ours, plain)
        a, b = first(calls), second(calls)
        pairs.append((a, b) if n % 2 else (b, a))
    return {
        "plain_ms": statistics.median(p for p, _ in pairs) * 1e3,
        "edge_ms": statistics.median(e for _, e in pairs) * 1e3,
        "added_ms": statistics.median(e - p for p, e in pairs) * 1e3,
        "ratio": statistics.median(e / p for p, e in pairs),
    }


@contextmanager
def serving() -> Iterator[str]:
    """The endpoint on loopback, a process of its own: its URL for openai."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, ANSWER.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    loop = asyncio.new_event_loop()
    with serving() as url:
        edge = Edge(endpoints=[Endpoint(url, key="passthrough")], cache="exact")
        plain = {"api_key": "k", "base_url": url}
        at_once = {"api_key": "k"}
        found = {
            "miss, sync": compare(
                sync_block(openai.OpenAI(**plain), True),
                sync_block(edge.OpenAI(api_key="k"), True),
                said.rounds,
                said.calls,
            ),
            "miss, async": compare(
                async_block(loop, openai.AsyncOpenAI(**plain), True),
                async_block(loop, edge.AsyncOpenAI(api_key="k"), True),
                said.rounds,
                said.calls,
            ),
            "hit, sync": compare(
                sync_block(openai.OpenAI(**at_once, http_client=httpx2.Client(transport=AtOnce())), False),
                sync_block(edge.OpenAI(api_key="k"), False),
                said.rounds,
                said.calls,
            ),
            "hit, async": compare(
                async_block(
                    loop, openai.AsyncOpenAI(**at_once, http_client=httpx2.AsyncClient(transport=AtOnce())), False
                ),
                async_block(loop, edge.AsyncOpenAI(api_key="k"), False),
                said.rounds,
                said.calls,
            ),
        }
    loop.close()
    print(f"openai {openai.__version__}, Python {sys.version.split()[0]}, {said.rounds} rounds of {said.calls} calls")
    for name, row in found.items():
        print(
            f"{name:12} plain {row['plain_ms']:.3f} ms   edgeclient {row['edge_ms']:.3f} ms   "
            f"added {row['added_ms']:+.3f} ms   ratio {row['ratio']:.3f}"
        )
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
