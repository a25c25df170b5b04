"""Kills the nearest PoP (SIGKILL) while 200 calls are under way, again and again, and counts the calls that fail.

    python benchmarks/kill.py [--times 20] [--calls 200] [--mode auto] [--json FILE]

Every time half of the calls are plain and half streamed, over both SDKs' async clients, with the SDKs' own retries as they
come. A plain call may not fail. A streamed call may only end with the SDK's own connection error, if the kill met it after
it had begun to arrive: a stream that began is never spliced with another answer. Each text is checked against the model's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import openai

from edgeclient import Edge, Endpoint
from edgeclient.lab import Lab

POPS = {"fra": 8.0, "iad": 40.0, "bom": 80.0}


def http_client(lab: Lab) -> Any:
    """An HTTP client of the SDKs' family that trusts the lab."""
    return openai.DefaultAsyncHttpxClient(verify=lab.ssl_context() or True)


async def plain_call(sdk: str, client: Any, text: str) -> str:
    messages = [{"role": "user", "content": text}]
    if sdk == "openai":
        answer = await client.chat.completions.create(model="gpt-4o", messages=messages)
        return str(answer.choices[0].message.content)
    answer = await client.messages.create(model="claude-sonnet-4-6", max_tokens=512, messages=messages)
    return str(answer.content[0].text)


async def streamed_call(sdk: str, client: Any, text: str, begun: list[bool]) -> str:
    messages = [{"role": "user", "content": text}]
    arrived: list[str] = []
    if sdk == "openai":
        stream = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        begun.append(True)
        async for chunk in stream:
            arrived += [choice.delta.content or "" for choice in chunk.choices]
    else:
        async with client.messages.stream(model="claude-sonnet-4-6", max_tokens=512, messages=messages) as stream:
            begun.append(True)
            async for word in stream.text_stream:
                arrived.append(word)
    return "".join(arrived)


async def one(sdk: str, client: Any, text: str, streamed: bool, count: Counter[str]) -> None:
    begun: list[bool] = []
    kind = "streamed" if streamed else "plain"
    try:
        answer = await (streamed_call(sdk, client, text, begun) if streamed else plain_call(sdk, client, text))
    except Exception as error:
        # anthropic hands on its HTTP library's own error when a stream breaks, openai wraps it; neither tries again
        own = isinstance(error, openai.APIConnectionError) or type(error).__name__ == "RemoteProtocolError"
        count["broke after it began" if begun and own else f"{kind} FAILED: {type(error).__name__}: {error}"] += 1
    else:
        count[f"{kind} answered" if text in answer else f"{kind} WRONG ANSWER"] += 1


async def kill_once(lab: Lab, calls: int, number: int, after_s: float | None, count: Counter[str]) -> float:
    """One kill in the middle of `calls` calls of a fresh edge that knows the nearest PoP; gives how long it all took."""
    edge = Edge(
        endpoints=[Endpoint(lab.urls[p], name=p, anthropic=lab.anthropic_urls[p], key="passthrough") for p in POPS],
        origins=[lab.origin_url, lab.origin_anthropic_url],
        remember=False,
        rtt_source="auto" if lab.mode == "tun" else "http",
    )
    edge.probe()
    clients: dict[str, Any] = {
        "openai": edge.AsyncOpenAI(api_key="k", base_url=lab.origin_url, http_client=http_client(lab)),
        "anthropic": edge.AsyncAnthropic(api_key="k", base_url=lab.origin_anthropic_url, http_client=http_client(lab)),
    }
    try:
        await asyncio.gather(*(plain_call(sdk, client, "Is anybody there?") for sdk, client in clients.items()))
        under_way = [
            asyncio.ensure_future(
                one(sdk, clients[sdk], f"What is the fee for transfer {number}-{n}?", n % 4 >= 2, count)
            )
            for n in range(calls)
            for sdk in [("openai", "anthropic")[n % 2]]
        ]
        began = time.monotonic()
        if after_s is not None:
            await asyncio.sleep(after_s)
            await asyncio.to_thread(lab.kill, "fra")
        await asyncio.gather(*under_way)
        count["attempts that met the dead PoP"] += next(e.failures for e in edge.status().endpoints if e.name == "fra")
        return time.monotonic() - began
    finally:
        for client in clients.values():
            await client.close()
        await asyncio.to_thread(lab.restart, "fra")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--mode", default="auto", choices=("auto", "tun", "loopback"))
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    count: Counter[str] = Counter()
    with Lab(POPS, origin_ms=120, mode=said.mode, first_token_ms=(150, 400), tokens_per_s=200, seed=1) as lab:
        print(lab.describe())
        whole_s = asyncio.run(
            kill_once(lab, said.calls, -1, None, Counter())
        )  # nothing killed: how long the calls take
        for number in range(said.times):
            before = Counter(count)
            after_s = (
                whole_s * (number + 0.5) / said.times
            )  # spread over the calls' life: connecting, waiting, streaming
            asyncio.run(kill_once(lab, said.calls, number, after_s, count))
            print(f"kill {number + 1:2}: {dict(count - before)}", flush=True)
    failed = sum(n for what, n in count.items() if "FAILED" in what or "WRONG" in what)
    print(f"{said.times} kills, {said.times * said.calls} calls: {dict(count)}; failed: {failed}")
    if said.json:
        said.json.write_text(json.dumps(count, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
