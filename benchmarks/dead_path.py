"""How soon a call leaves a dead path: a warm connection, 150 ms RTT, and no packet passes any more. Needs the lab's tun mode.

    python benchmarks/dead_path.py [--tries 5] [--calls 200] [--json FILE]

Prints the seconds until the attempt ends: with the watchdog, with the socket options alone, and with neither (then only the
SDK's timeout ends it, 5 s here); how often the call then went on at the next endpoint by itself, without the SDK's retry;
and how many of `--calls` calls whose server thinks for 3 s, on a path without a fault, the watchdog took for dead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import openai

from edgeclient import Edge, Endpoint, notes
from edgeclient.lab import Lab

POPS = {"fra": 150.0, "nyc": 170.0}
WAYS: dict[str, dict[str, Any]] = {
    "watchdog": {"watchdog": True},
    "options": {},
    "neither": {"dead_path_s": None},
}
TIMEOUT_S, THINKS_MS, AT_ONCE = 5.0, 3000.0, 100
BARS_S = {"watchdog": 0.6, "options": 3.0}


def asked(number: int) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Where is card number {number}?"}]}


def edge_of(lab: Lab, **options: Any) -> Edge:
    endpoints = [Endpoint(lab.urls[pop], name=pop, key="passthrough") for pop in POPS]
    return Edge(endpoints=endpoints, origins=[lab.origin_url], probe=False, remember=False, **options)


def leaves(lab: Lab, **options: Any) -> tuple[float, bool]:
    """Seconds from a request on a path that has just died to the call's next request, or to its error; whether it went on."""
    lab.clear("fra")
    edge, sent = edge_of(lab, **options), []
    hooks = {"request": [lambda request: sent.append(time.monotonic())]}
    http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or True, trust_env=False, event_hooks=hooks)
    edge.keep_alive(http_client)  # as if the SDK had made it: it is ours only because of the lab's certificates
    edge.probe()
    said = {"api_key": "k", "base_url": lab.origin_url, "http_client": http_client}
    with edge.OpenAI(**said, max_retries=0, timeout=TIMEOUT_S) as client:
        for number in range(3):
            warm = notes(client.chat.completions.create(**asked(number)))
            assert warm is not None
            assert warm.endpoint == "fra", warm
        lab.fault("fra", "swallow")
        sent.clear()
        try:
            answer = notes(client.chat.completions.create(**asked(3)))
            assert answer is not None
            assert [attempt.endpoint for attempt in answer.tried] == ["fra", "nyc"], answer
        except openai.APIConnectionError:
            return time.monotonic() - sent[0], False
    return sent[1] - sent[0], True


async def alarms(lab: Lab, calls: int) -> int:
    """How many of these calls the watchdog disturbed, while the server only thinks."""
    lab.clear("fra")
    for pop in POPS:
        lab.fault(pop, "slow", delay_ms=THINKS_MS)
    edge = edge_of(lab, watchdog=True, connect_s=10.0)
    http_client = openai.DefaultAsyncHttpxClient(verify=lab.ssl_context() or True, trust_env=False)
    edge.keep_alive(http_client)
    edge.probe()
    turns = asyncio.Semaphore(AT_ONCE)
    said = {"api_key": "k", "base_url": lab.origin_url, "http_client": http_client}

    async def one(client: Any, number: int) -> bool:
        async with turns:
            try:
                answer = notes(await client.chat.completions.create(**asked(number)))
            except openai.APIError:
                return True
        assert answer is not None
        return [attempt.outcome for attempt in answer.tried] != ["ok"]

    async with edge.AsyncOpenAI(**said, max_retries=0, timeout=30) as client:
        return sum(await asyncio.gather(*(one(client, number) for number in range(calls))))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    with Lab(POPS, origin_ms=200, mode="tun", first_token_ms=(5, 10), tokens_per_s=4000, seed=1) as lab:
        print(lab.describe())
        took = {way: [leaves(lab, **options) for _ in range(said.tries)] for way, options in WAYS.items()}
        began = time.monotonic()
        false = asyncio.run(alarms(lab, said.calls))
        alarms_s = time.monotonic() - began
    seconds_of = {way: [seconds for seconds, _ in tries] for way, tries in took.items()}
    for way, seconds in seconds_of.items():
        on = sum(went_on for _, went_on in took[way])
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(
            f"{way}: {statistics.median(seconds):.2f} s (median of {said.tries}; {spread}), {on} went on by themselves"
        )
    print(f"false alarms: {false} of {said.calls} calls whose server thought for 3 s ({alarms_s:.0f} s)")
    if said.json:
        said.json.write_text(
            json.dumps({"seconds": seconds_of, "false_alarms": false, "calls": said.calls}, indent=1) + "\n"
        )
    return 0 if false == 0 and all(statistics.median(seconds_of[way]) <= bar_s for way, bar_s in BARS_S.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
