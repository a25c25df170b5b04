"""Edge inference and edge routing side by side: one PoP at 20 ms that runs a small model, a central site at 300 ms.

    python benchmarks/routes.py [--calls 40] [--mode auto] [--json FILE]

The same questions to a small model at the PoP (edge inference), to a foundation model through the PoP (edge routing: a miss,
then a hit of the client's cache), and straight to the far origin by the plain SDK. Then the small model is left alone until
it is put away: with a central endpoint beside the PoP, calls go there while starting it would take longer. The network and
the models are emulated; the SDK, its connections and the choice are real. Medians of whole calls, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import openai

from edgeclient import Edge, Endpoint, notes
from edgeclient.lab import AtPops, Lab

SMALL, FOUNDATION = "llama-3.2-3b-instruct", "gpt-6-luna"
IDLE_S, START_MS = 20.0, 1500.0
PAUSE_S = 31.0  # a shorter pause is nothing to the rule that learns of cold starts


def asked(client: Any, model: str, question: str, **more: Any) -> tuple[float, Any]:
    """Milliseconds until the whole answer, and its notes."""
    began = time.perf_counter()
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], max_tokens=40, **more
    )
    return (time.perf_counter() - began) * 1e3, notes(answer)


def rounds(client: Any, model: str, calls: int, **more: Any) -> float:
    """The median of so many questions, the first two apart: they open connections."""
    times = [asked(client, model, f"Where is my card, asked for the {n}th time?", **more)[0] for n in range(calls)]
    return statistics.median(times[2:])


def warm(lab: Lab, calls: int) -> dict[str, float]:
    endpoint = Endpoint(lab.urls["fra"], name="fra", key="passthrough", probe="/cdn-cgi/trace")
    edge = Edge(endpoints=[endpoint], origins=[lab.origin_url], cache="exact", remember=False)
    found = {}
    with client_of(lab, openai) as plain:
        found["direct, far origin"] = rounds(plain, FOUNDATION, calls)
    with client_of(lab, edge) as client:
        found["edge inference"] = rounds(client, SMALL, calls)
        found["edge routing, miss"] = rounds(client, FOUNDATION, calls)
        found["edge routing, hit"] = rounds(client, FOUNDATION, calls)
    return found


def cold(lab: Lab) -> dict[str, Any]:
    """What becomes of a call after the model was put away, before and after that was learned."""
    urls = {"fra": lab.urls["fra"], "central": lab.origin_url}
    edge = Edge(
        endpoints=[Endpoint(url, name=name, key="passthrough", probe="/cdn-cgi/trace") for name, url in urls.items()],
        rtt_source="auto" if lab.mode == "tun" else "http",
        remember=False,
    )
    with client_of(lab, edge, default=True) as client:
        for number in range(12):
            asked(client, SMALL, f"Warm {number}?")
        for number in range(2):  # one start may be somebody else's doing
            time.sleep(PAUSE_S)
            first_ms, first = asked(client, SMALL, f"After pause {number}?")
            asked(client, SMALL, f"And at once again, {number}?")
        time.sleep(PAUSE_S)
        again_ms, again = asked(client, SMALL, "After another pause?")
    return {"first": [first.endpoint, first_ms], "again": [again.endpoint, again_ms]}


def client_of(lab: Lab, owner: Any, *, default: bool = False) -> Any:
    """A client on the lab's origin; `default`: on OpenAI's own address, from which its calls go to the endpoints."""
    http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or True)
    if hasattr(owner, "keep_alive"):
        owner.keep_alive(http_client)
    where = {} if default else {"base_url": lab.origin_url}
    return owner.OpenAI(api_key="any", http_client=http_client, **where)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--mode", default="auto", choices=("auto", "tun", "loopback"))
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    here = AtPops([SMALL], first_token_ms=(80.0, 120.0), idle_s=IDLE_S, start_ms=START_MS)
    model = {"first_token_ms": (200.0, 400.0), "tokens_per_s": 800.0}
    with Lab({"fra": 20.0}, origin_ms=300.0, at_pops=here, mode=said.mode, **model) as lab:
        print(lab.describe())
        times, started = warm(lab, said.calls), cold(lab)
    for name, ms in times.items():
        print(f"{name:22} {ms:8.1f} ms")
    for name, (endpoint, ms) in started.items():
        print(f"cold, {name:16} {ms:8.1f} ms  answered by {endpoint}")
    good = (
        50 <= times["edge inference"] <= 200
        and 300 <= times["edge routing, miss"] <= 800
        and started["first"][0] == "fra"
        and started["again"][0] == "central"
    )
    if said.json:
        said.json.write_text(json.dumps({"mode": lab.mode, "ms": times, "cold": started}, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
