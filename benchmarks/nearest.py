"""Where calls go: PoPs at 5, 20 and 80 ms, then the nearest becomes 150 ms away. Needs the lab's tun mode (true delays).

    python benchmarks/nearest.py [--calls 300] [--json FILE]

Prints the share of the nearest PoP after the first ten calls, how many calls it still got after its RTT had changed, and how
far the kernel's RTT (the minimum of the samples) was from the delay that was set.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import openai

from edgeclient import Edge, Endpoint, notes
from edgeclient.lab import Lab

POPS = {"fra": 5.0, "nyc": 20.0, "syd": 80.0}


def ask(client: Any, number: int) -> Any:
    question = {"role": "user", "content": f"Where is my card, asked for the {number}th time?"}
    said = notes(client.chat.completions.create(model="gpt-4o", messages=[question]))
    assert said is not None
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    with Lab(POPS, origin_ms=120, mode="tun", first_token_ms=(5, 10), tokens_per_s=4000, seed=1) as lab:
        print(lab.describe())
        edge = Edge(
            endpoints=[Endpoint(lab.urls[p], name=p, key="passthrough") for p in reversed(POPS)],  # the farthest first
            origins=[lab.origin_url],
            remember=False,
        )
        http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or True)
        with edge.OpenAI(api_key="k", base_url=lab.origin_url, http_client=http_client) as client:
            went = [ask(client, n) for n in range(said.calls)]
            share = sum(n.endpoint == "fra" for n in went[10:]) / len(went[10:])
            measured = {
                p: min(n.rtt_ms for n in went if n.endpoint == p) for p in POPS if any(n.endpoint == p for n in went)
            }
            for endpoint in edge.probe():  # the others see no traffic: their probes are what is known of them
                measured.setdefault(endpoint.name, endpoint.rtt_ms or 0.0)
            lab.rtt("fra", 150)
            after = [ask(client, n).endpoint for n in range(said.calls, said.calls + 20)]
    still = next((n for n, endpoint in enumerate(after) if endpoint != "fra"), len(after))
    off = {pop: abs(measured[pop] - set_ms) for pop, set_ms in POPS.items()}
    within = all(off[pop] <= max(1.0, 0.05 * set_ms) for pop, set_ms in POPS.items())
    print(
        f"after 10 calls {share:.1%} of {said.calls - 10} calls went to the 5 ms PoP (the first went to {went[0].endpoint})"
    )
    print(
        f"its RTT became 150 ms: {still} more calls, then {after[still:][:1]}; of 20 calls {after.count('fra')} stayed"
    )
    print(
        "kernel RTT, minimum of the samples, ms: " + ", ".join(f"{p} {measured[p]:.2f} of {POPS[p]:.0f}" for p in POPS)
    )
    if said.json:
        said.json.write_text(json.dumps({"share": share, "still": still, "measured_ms": measured}, indent=1) + "\n")
    return 0 if share >= 0.99 and still < 5 and within else 1


if __name__ == "__main__":
    sys.exit(main())
