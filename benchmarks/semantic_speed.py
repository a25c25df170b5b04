"""How long a decision of the semantic cache takes, and what an entry weighs, by the number of entries in a partition.

    python benchmarks/semantic_speed.py [--embedder none | wordllama] [--entries 1000 10000 100000 1000000] [--lookups 300]

Entries are questions made of templates and word lists, so that many lie near each other; lookups are others of the kind, in
other words. A decision is everything from the prompt's text to the verdict: reading, vector, nearest entries, guards,
features, trees, bound. Bytes are what `tracemalloc` sees of adding the entries; more than 100,000 are not traced. Recall is
measured against a look at all vectors: of the five nearest, and of those among them with a cosine of 0.6 or more.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from random import Random

import numpy as np

from edgeclient.cache.bound import Bound
from edgeclient.cache.embedders import Judge, Vectors, embedder
from edgeclient.cache.index import Index
from edgeclient.cache.matcher import best, judged
from edgeclient.cache.reading import read
from edgeclient.cache.verifier import forest

_TEMPLATES = (
    "how do I {do} my {thing}", "what is the best way to {do} a {thing} {when}", "can I {do} the {thing} {when}?",
    "please {do} {thing} number {n} for me", "why can't I {do} my {thing} {where}", "{do} {thing} {where} {when}",
    "explain how to {do} {n} {thing}s", "is it possible to {do} a {thing} and a {other} {when}",
    "what does it cost to {do} the {thing} {where}?", "who may {do} the {thing} of a {other} {where}",
    "write a short note that asks to {do} a {thing} {when}", "my {thing} does not {do} {where}, what now",
)  # fmt: skip
_WORDS = {
    "do": "reset cancel open close freeze update sort print install remove find replace copy renew transfer verify order "
    "return repair translate summarize export import share delete restore charge connect pair mount",
    "thing": "password card account phone printer list file table invoice subscription ticket passport engine bicycle "
    "contract router laptop database photo playlist booking parcel battery keyboard certificate folder recipe garden",
    "other": "friend customer neighbour company server spreadsheet car school hotel doctor landlord bank",
    "when": "today tomorrow|next week|in the morning|after a holiday|before the deadline|at night|on Monday|every month",
    "where": "at home|in Python|on Windows|in Berlin|from abroad|on my phone|in the office|in Excel|at the airport|in France",
}


def questions(chance: Random) -> Iterator[str]:
    """Questions without end, each once."""
    words = {name: said.split("|") if "|" in said else said.split() for name, said in _WORDS.items()}
    seen: set[str] = set()
    while True:
        chosen = {name: chance.choice(said) for name, said in words.items()}
        text = chance.choice(_TEMPLATES).format(**chosen, n=chance.randrange(2, 5000))
        if text in seen:
            text += (
                f" {chance.choice(words['where'])} or with a {chance.choice(words['thing'])} {chance.randrange(10**6)}"
            )
        seen.add(text)
        yield text


class Decisions:
    """One partition, and all that a decision asks."""

    def __init__(self, judge: Judge) -> None:
        self.vectors = Vectors(judge, mishap=lambda what, error: print(what, error))
        self.index = Index(judge, max_bytes=2**34)
        self.judge, self.trees = judge, forest(judge.name)
        self.bound, self.chance = Bound(0.005, self.trees.prior), Random(0)

    def add(self, key: str, text: str) -> None:
        reading, vector = read(text), self.vectors.known(text)
        if reading is not None and vector is not None:
            self.index.add(key, "p", vector, reading)

    def decide(self, text: str) -> None:
        reading, vector = read(text), self.vectors.vector(text)
        near = self.index.nearest("p", vector) if vector is not None else []
        found = judged(
            text, reading, [(one.reading.text, one.reading, one.cosine) for one in near], self.judge, self.trees
        )
        chosen = best(found, self.bound.odds)
        self.bound.decide(chosen.signs if chosen else None, near[chosen.place].key if chosen else "", "p", self.chance)


def timed(decisions: Decisions, lookups: list[str]) -> tuple[float, float, float]:
    """p50 and p99 of a decision in seconds, and p50 of the processor's time for one."""
    for text in lookups[:20]:
        decisions.decide(text)
    took, used = [], []
    for text in lookups:
        began, began_use = time.perf_counter(), time.thread_time()
        decisions.decide(text)
        took.append(time.perf_counter() - began)
        used.append(time.thread_time() - began_use)
    return statistics.median(took), sorted(took)[int(0.99 * len(took))], statistics.median(used)


def recall(decisions: Decisions, rows: list[np.ndarray], lookups: list[str]) -> tuple[float, float]:
    hits = near_hits = near_all = 0
    for text in lookups:
        vector = decisions.vectors.vector(text)
        cosines = np.concatenate([part.astype(np.float32) @ vector for part in rows])
        least = np.sort(np.partition(cosines, -5)[-5:])[0]
        found = [one.cosine for one in decisions.index.nearest("p", vector)]
        hits += sum(cosine >= least - 0.002 for cosine in found)
        near_all += min(5, int((cosines >= 0.6).sum()))
        near_hits += sum(cosine >= max(least, 0.6) - 0.002 for cosine in found)
    return hits / (5 * len(lookups)), min(1.0, near_hits / max(1, near_all))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--entries", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--lookups", type=int, default=300)
    said = parser.parse_args()
    judge = embedder(said.embedder)
    asked = questions(Random(1))
    lookups = [next(asked) for _ in range(said.lookups)]
    print(f"{said.embedder}: entries   p50 ms   p99 ms   cpu p50 ms   add µs   bytes/entry   recall@5   of near")
    decisions, count, rows, weight = Decisions(judge), 0, list[np.ndarray](), "-"
    for entries in sorted(said.entries):
        new = [next(asked) for _ in range(entries - count)]
        names = [f"{place:064x}" for place in range(count, entries)]
        rows += [judge.embed(new[at : at + 1000]).astype(np.float16) for at in range(0, len(new), 1000)]
        traced = entries <= 100_000
        if traced:
            gc.collect()
            tracemalloc.start()
            before = decisions.index.usage()[0]
        began = time.thread_time()
        for name, text in zip(names, new, strict=True):
            decisions.add(name, text)
        add_us = (time.thread_time() - began) / max(1, len(new)) * 1e6
        if traced:
            gc.collect()
            weight = f"{tracemalloc.get_traced_memory()[0] / (decisions.index.usage()[0] - before):.0f}"
            tracemalloc.stop()
        count = entries
        p50, p99, cpu = timed(decisions, lookups)
        whole, near = recall(decisions, rows, lookups[:100])
        print(
            f"{entries:20,} {p50 * 1e3:8.3f} {p99 * 1e3:8.3f} {cpu * 1e3:12.3f} {add_us:8.0f} {weight:>13} {whole:10.3f} "
            f"{near:9.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
