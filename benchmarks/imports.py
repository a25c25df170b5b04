"""What importing edgeclient costs on top of the SDK: CPU and memory of whole processes, in turn.

python benchmarks/imports.py [--rounds 9] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

PROGRAMS = {
    "import openai": "import openai; openai.OpenAI",
    "edgeclient.OpenAI": "import edgeclient; edgeclient.OpenAI",
    "import anthropic": "import anthropic; anthropic.Anthropic",
    "edgeclient.Anthropic": "import edgeclient; edgeclient.Anthropic",
    "import edgeclient": "import edgeclient",
}
PEAK = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def measure(program: str) -> tuple[float, float]:
    """CPU in ms and peak memory in MiB of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program + PEAK], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu * 1e3, int(done.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    said = parser.parse_args()
    for program in PROGRAMS.values():
        measure(program)  # compiles
    rounds = [{name: measure(program) for name, program in PROGRAMS.items()} for _ in range(said.rounds)]
    found = {}
    for name in PROGRAMS:
        cpu, peak = (statistics.median(r[name][n] for r in rounds) for n in (0, 1))
        found[name] = {"cpu_ms": cpu, "peak_mib": peak}
        print(f"{name:22} {cpu:7.1f} ms CPU   {peak:6.1f} MiB")
    for ours, theirs in (("edgeclient.OpenAI", "import openai"), ("edgeclient.Anthropic", "import anthropic")):
        cpu, peak = (statistics.median(r[ours][n] - r[theirs][n] for r in rounds) for n in (0, 1))
        found[f"{ours}, added"] = {"cpu_ms": cpu, "peak_mib": peak}
        print(f"{ours} over {theirs}: {cpu:+.1f} ms CPU, {peak:+.2f} MiB")
    if said.json:
        said.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
