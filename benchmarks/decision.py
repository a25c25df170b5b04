"""What a decision costs: one `plan` after one `record`, as each call makes them, for 2, 20 and 1,000 endpoints.

    python benchmarks/decision.py [--calls 20000] [--json FILE]

CPU time of this process in microseconds a call; the median of blocks of 200. Round-trip times are drawn anew for every
answer, so that orders change as they do on a noisy line. Also given: the bytes that an endpoint's state takes.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
import tracemalloc
from pathlib import Path

from edgeclient.pops.selector import Selector
from edgeclient.values import Call, Endpoint, Outcome, Route

_BLOCK = 200


def endpoints(count: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(f"pop{n}", f"https://pop{n}.example.com/v1") for n in range(count))


def measured(selector: Selector, candidates: tuple[Endpoint, ...], calls: int, chance: random.Random) -> float:
    """Microseconds for each call: its decision, and what is learned from its answer."""
    far_s = {e.name: chance.uniform(0.005, 0.2) for e in candidates}
    for endpoint in candidates:
        selector.probed(endpoint, [far_s[endpoint.name]], 0.0, 0.1)
    call = Call("openai", "POST", "", "/chat/completions", model="m", route=Route.GATEWAY)
    blocks = []
    for block in range(calls // _BLOCK):
        noise = [abs(chance.gauss(0, 0.002)) for _ in range(_BLOCK)]
        took = [chance.lognormvariate(-0.8, 0.4) for _ in range(_BLOCK)]
        began = time.process_time()
        for n in range(_BLOCK):
            now = float(block * _BLOCK + n)
            first = selector.plan(candidates, now, call=call)[0][0]
            rtt_s = far_s[first.name] + noise[n]
            selector.record(Outcome(first, rtt_s=rtt_s, took_s=took[n], call=call), now)
        blocks.append((time.process_time() - began) / _BLOCK)
    return statistics.median(blocks) * 1e6


def state_bytes(candidates: tuple[Endpoint, ...]) -> float:
    """Bytes of state for each endpoint, when each has answered for eight models in both modes."""
    tracemalloc.start()
    selector = Selector(candidates, random.Random(1))
    for endpoint in candidates:
        for n in range(160):
            call = Call("openai", "POST", "", "/chat/completions", model=f"m{n % 8}", streamed=n % 2 == 0)
            selector.record(Outcome(endpoint, rtt_s=0.01, took_s=0.5, call=call), float(n))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(candidates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    chance = random.Random(1)
    found = {}
    for count in (2, 20, 1000):
        candidates = endpoints(count)
        found[str(count)] = measured(Selector(candidates, chance), candidates, said.calls, chance)
        print(f"{count:5} endpoints: {found[str(count)]:7.2f} us a call (decision and learning)")
    held = state_bytes(endpoints(200))
    print(f"state: {held:.0f} bytes an endpoint")
    if said.json:
        said.json.write_text(json.dumps({"us": found, "bytes": held}, indent=1) + "\n")


if __name__ == "__main__":
    main()
