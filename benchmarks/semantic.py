"""The semantic cache's matcher beside other rules, on streams of prompts: right hits against wrong answers.

    python benchmarks/semantic.py [FOLDER] [--embedder wordllama] [--only NAME] [--most 5000] [--json FILE]
        [--picture FILE.svg]

FOLDER holds `stream_*.jsonl` (prompt, answer_class; in the order asked); without one, streams made by program are taken
(`semantic_made.py`). Prompts asked twice in the same words are not counted. Of every rule: right of possible (a prompt whose
answer was there), wrong of lookups, and the worst stream. A rule learns from the calls that it sent to the model. Last,
the shadow's forecast (every call goes to the model) beside what serving did on the same streams.

A verifier that was trained on prompts of FOLDER looks better here than on yours: how good it is on prompts that it never
saw is in `edgeclient/cache/data/verifier.json` (`figures`), from `semantic_train.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

import numpy as np
from semantic_adapter import Matcher, make
from semantic_made import stream
from semantic_picture import draw
from semantic_rules import Rule, rules

Row = dict[str, Any]
_NEAREST = 24  # earlier prompts kept of each; of those stored, the five nearest are candidates
_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one stream, in shares: right of possible, wrong of lookups, served of lookups."""

    right: float
    wrong: float
    served: float


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    rows: list[Row]
    near: list[list[tuple[int, float]]]  # of each row the nearest earlier ones, with cosines


def streams(folder: Path | None, only: str, most: int) -> Iterator[tuple[str, list[Row]]]:
    if folder is None:
        for seed in range(4):
            yield f"made_{seed}", list(stream(min(most, 2500), Random(seed)))
        return
    for path in sorted(folder.glob("stream_*.jsonl")):
        if only in path.stem:
            rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
            yield path.stem.removeprefix("stream_"), rows[:most]


def nearest(vectors: Any) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for row in range(1, len(vectors)):
        cosines = vectors[:row] @ vectors[row]
        few = np.argpartition(-cosines, min(_NEAREST, row) - 1)[:_NEAREST]
        found.append([(int(other), float(cosines[other])) for other in few[np.argsort(-cosines[few])]])
    return found[: len(vectors)]


def replay(one: Stream, rule: Rule, *, shadow: bool = False) -> Counted:
    """Prompts in their order. A miss, and in shadow everything, goes to the model, is stored, and teaches the rule."""
    rule = rule.fresh()
    stored, texts, seen = set[int](), set[str](), set[str]()
    lookups = possible = right = wrong = 0
    for row, said in enumerate(one.rows):
        text, answer = said["prompt"].strip(), said["answer_class"]
        if text in texts:
            continue
        lookups, possible = lookups + 1, possible + (answer in seen)
        seen.add(answer)
        few = [(other, cosine) for other, cosine in one.near[row] if other in stored][:_CANDIDATES]
        place = rule.decide(text, [(one.rows[other]["prompt"], cosine) for other, cosine in few]) if few else None
        if place is not None:
            same = one.rows[few[place][0]]["answer_class"] == answer
            right, wrong = right + same, wrong + (not same)
        if place is None:
            stored.add(row)
            texts.add(text)
        if few and (place is None or shadow):  # what was compared: the candidate chosen, else the nearest
            other, cosine = few[place or 0]
            rule.observe(text, one.rows[other]["prompt"], cosine, one.rows[other]["answer_class"] == answer)
    return Counted(right / max(1, possible), wrong / max(1, lookups), (right + wrong) / max(1, lookups))


def table(found: dict[str, dict[str, Counted]]) -> list[str]:
    lines = ["| rule | right of possible | wrong of lookups | worst stream | wrong of hits |", "|---|---|---|---|---|"]
    for name, each in found.items():
        right, wrong, served = (mean(getattr(c, what) for c in each.values()) for what in ("right", "wrong", "served"))
        worst = max(each, key=lambda stream: each[stream].wrong)
        lines.append(
            f"| {name} | {right:.1%} | {wrong:.2%} | {each[worst].wrong:.2%} ({worst}) | {wrong / max(1e-9, served):.0%} |"
        )
    return lines


def forecast(these: list[Stream], ours: Matcher) -> list[str]:
    lines = [
        "| budget | forecast: saved, wrong | served: saved, wrong | saved differs | wrong differs |",
        "|---|---|---|---|---|",
    ]
    for budget in (0.005, 0.01):
        said = [replay(one, ours.within(budget), shadow=True) for one in these]
        done = [replay(one, ours.within(budget)) for one in these]
        a, b, c, d = (
            mean(getattr(one, what) for one in found) for found in (said, done) for what in ("served", "wrong")
        )
        lines.append(f"| {budget:.1%} | {a:.1%}, {b:.2%} | {c:.1%}, {d:.2%} | {abs(a - c):.2%} | {abs(b - d):.2%} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--embedder", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--most", type=int, default=5000, help="rows of a stream")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    said = parser.parse_args()
    ours = make(said.embedder)
    these = [
        Stream(name, rows, nearest(ours.embed([row["prompt"] for row in rows])))
        for name, rows in streams(said.folder, said.only, said.most)
    ]
    found: dict[str, dict[str, Counted]] = {}
    for name, rule in rules(ours).items():
        found[name] = {one.name: replay(one, rule) for one in these}
        print(name, file=sys.stderr)
    print(f"{len(these)} streams, {sum(len(one.rows) for one in these)} prompts, embedder {ours.name}\n")
    print("\n".join([*table(found), "", *forecast(these, ours)]))
    if said.json:
        every = {name: {one: asdict(counted) for one, counted in each.items()} for name, each in found.items()}
        said.json.write_text(json.dumps(every, indent=1) + "\n", "utf-8")
    if said.picture:
        points = {
            name: (mean(c.right for c in each.values()), mean(c.wrong for c in each.values()))
            for name, each in found.items()
        }
        said.picture.write_text(draw(points, f"{len(these)} streams, embedder {ours.name}"), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
