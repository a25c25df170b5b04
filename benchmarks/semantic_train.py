"""Trains the semantic cache's verifier and writes its data file. Offline: needs numpy and scikit-learn.

    python benchmarks/semantic_train.py FOLDER [--out edgeclient/cache/data/verifier.json] [--date DATE]
        [--embedders none,wordllama] [--sources banking77,nl2bash,...] [--check]

FOLDER holds JSON lines. Files `pairs_*`: a, b, equivalent, source. Files `stream_*`: prompt, answer_class, source, in the
order in which they were asked; each prompt is paired with its nearest earlier ones. Trained is on the rows of `--sources`
(by default PERMISSIVE; `all`: all but NOT_FOR_TRAINING; a source is named up to its colon), not on files named in
LEFT_OUT: they repeat others, or are no prompts. No text goes into the data file. A run on the same folder with the
same numpy and scikit-learn writes the same bytes; with others, or on another kind of processor, last digits may differ.

`--check` says how good the verifier is on prompts that it was not trained on: five parts by groups of prompts that
share a text or an answer, each scored by trees that saw none of the prompts in it, then the streams replayed under the
bound (right of possible, wrong of lookups; percent). And, as `apart`, the same scored by trees that saw no prompt of the
asking one's domain: what the verifier is for a product that is like nothing in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

# One thread: sums in one order on every machine, and on a busy one no threads that wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from edgeclient.cache.bound import Bound
from edgeclient.cache.embedders import Embedder, embedder
from edgeclient.cache.features import NAMES, WEIGHED, asked, features, signs
from edgeclient.cache.guards import VETOES, conflicts
from edgeclient.cache.logistic import Labels, Matrix, Prior, inverse
from edgeclient.cache.logistic import fitted as fitted_to
from edgeclient.cache.reading import Reading, read

DATE = "2026-11-25"  # of the folder's contents; a new folder has a new one
LEFT_OUT = ("stream_mixed", "pairs_mrpc_sts")
NOT_FOR_TRAINING = frozenset({"gsm_plus"})  # its authors publish it for tests
PERMISSIVE = frozenset(
    {
        "banking77", "clinc_oos", "nl2bash", "svamp", "arena_hard_v0.1", "arena_hard_v2", "oasst_en100", "oasst_lottery",
        "mt_bench", "vicuna", "self_instruct_seed", "self_instruct_user", "chat_hand", "template",
    }
)  # fmt: skip
DOMAINS = {"banking77": "bank", "clinc_oos": "bank", "nl2bash": "shell", "svamp": "sums", "template": "template"}
PARTS = 5
NEAREST = 8  # earlier prompts of a stream that are paired with each
TREES: dict[str, Any] = {
    "max_iter": 250, "learning_rate": 0.06, "max_leaf_nodes": 16, "min_samples_leaf": 60, "l2_regularization": 5.0,
    "random_state": 0,
}  # fmt: skip
MOST = {"pairs": 4000, "stream": 20000}  # rows of a file that are used
FEW = 300  # rows of one truth
RIGHT_SHARE = 0.35  # of a file's weight
# What the prior is worth; chosen by hand on the streams that the figures come from, like `risk._UNSURE`.
PRIOR_LABELS = 25.0
ALIKE = 0.3  # precision added for each weighed feature: with no labels of its own, a product is taken to be like these


@dataclass(slots=True)
class File:
    """One file's candidates: features, truth, the groups of both prompts, and, of a stream, who is whose candidate."""

    name: str
    rows: list[dict[str, Any]]
    x: Any
    same: Any
    group: list[tuple[int, int]]
    open: Any  # neither equal after normalising nor vetoed
    equal: Any
    who: list[tuple[int, int]] = field(default_factory=list)  # (prompt, earlier prompt)
    scores: Any = None


class Groups:
    """Prompts that share a text or an answer, joined."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def top(self, one: str) -> str:
        while (above := self._above.get(one, one)) != one:
            one = above
        return one

    def join(self, one: str, other: str) -> None:
        self._above[self.top(other)] = self.top(one)

    def number(self, text: str) -> int:
        return crc32(self.top(text).encode())


def load(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each file."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            found[path.stem] = [json.loads(line) for line in lines]
    return found


def source(row: dict[str, Any]) -> str:
    """A row's source, up to its colon."""
    return str(row["source"]).partition(":")[0]


def groups(files: dict[str, list[dict[str, Any]]]) -> Groups:
    """Which prompts may not be divided between training and check."""
    joined = Groups()
    for rows in files.values():
        for row in rows:
            if "prompt" in row:
                joined.join(f"class {row['answer_class'].partition('/')[0]}", row["prompt"].strip())
            elif row["equivalent"]:
                joined.join(row["a"].strip(), row["b"].strip())
    return joined


def nearest(vectors: Any) -> Iterator[tuple[int, int, float]]:
    """(row, earlier row, cosine): the nearest earlier rows of each row."""
    for row in range(1, len(vectors)):
        cosines = vectors[:row] @ vectors[row]
        few = np.argpartition(-cosines, min(NEAREST, row) - 1)[:NEAREST]
        for other in few[np.argsort(-cosines[few])]:
            yield row, int(other), float(cosines[other])


def candidates(name: str, rows: list[dict[str, Any]], vectors: Embedder, joined: Groups) -> File:
    """A file's candidates with their features."""
    if name.startswith("pairs"):
        stored, asked = [row["a"] for row in rows], [row["b"] for row in rows]
        cosines = (vectors.embed(stored) * vectors.embed(asked)).sum(1)
        who = [(place, place) for place in range(len(rows))]
        same = [row["equivalent"] for row in rows]
    else:
        stored = asked = [row["prompt"] for row in rows]
        found = list(nearest(vectors.embed(stored)))
        cosines = [cosine for _, _, cosine in found]
        who = [(row, other) for row, other, _ in found]
        same = [rows[row]["answer_class"] == rows[other]["answer_class"] for row, other in who]
    texts = {text: read(text) for text in {*stored, *asked}}
    x = np.zeros((len(who), len(NAMES)), np.float32)
    state = np.zeros((2, len(who)), bool)
    for place, ((row, other), cosine) in enumerate(zip(who, cosines, strict=True)):
        state[:, place] = _compare(texts[stored[other]], texts[asked[row]], float(cosine), vectors, x[place])
    group = [(joined.number(stored[other].strip()), joined.number(asked[row].strip())) for row, other in who]
    return File(name, rows, x, np.array(same), group, state[0], state[1], who)


def _compare(a: Reading | None, b: Reading | None, cosine: float, vectors: Embedder, into: Any) -> tuple[bool, bool]:
    if a is None or b is None or a.equal == b.equal:
        return False, a is not None and b is not None
    spoke = conflicts(a, b)
    into[:] = features(a, asked(b, vectors), cosine, vectors, spoke)
    return VETOES.isdisjoint(spoke), False


def fitted(files: Sequence[File], sources: frozenset[str], left_out: int | None = None) -> Any:
    """Trees trained on these sources' rows; without prompts of one part, when it is named."""
    x, same, weight = [], [], []
    chance = np.random.default_rng(0)
    for file in files:
        if file.name in LEFT_OUT:
            continue
        keep = _usable(file, sources)
        if left_out is not None:
            keep &= np.array([left_out not in (a % PARTS, b % PARTS) for a, b in file.group], bool)
        places = np.flatnonzero(keep)
        most = MOST[file.name.partition("_")[0]]
        if len(places) > most:
            places = np.sort(chance.choice(places, most, replace=False))
        x.append(file.x[places])
        same.append(file.same[places])
        weight.append(_weights(file.same[places]))
    weights = np.concatenate(weight)
    trees = HistGradientBoostingClassifier(**TREES)
    return trees.fit(np.concatenate(x), np.concatenate(same), sample_weight=weights / weights.mean())


def _usable(file: File, sources: frozenset[str]) -> Any:
    """Which candidates are open, and both prompts of these sources."""
    mine = [source(row) in sources for row in file.rows]
    return file.open & np.array([mine[row] and mine[other] for row, other in file.who], bool)


def _weights(same: Any) -> Any:
    """A file's rows weigh the same as another's together, but no single row much: a file of few rows weighs less."""
    right = max(FEW, same.sum())
    wrong = max(FEW, (~same).sum())
    return np.where(same, RIGHT_SHARE / right, (1 - RIGHT_SHARE) / wrong)


def check(files: Sequence[File], sources: frozenset[str]) -> None:
    """Scores every candidate by trees that saw no prompt of the asking one's part."""
    for file in files:
        file.scores = np.zeros(len(file.x))
    for part in range(PARTS):
        trees = fitted(files, sources, part)
        for file in files:
            mine = np.array([asked % PARTS == part for _, asked in file.group], bool)
            if mine.any():
                file.scores[mine] = trees.decision_function(file.x[mine])


def apart(files: Sequence[File], sources: frozenset[str]) -> None:
    """Scores every candidate by trees that saw no prompt of the asking one's domain."""
    domains = [np.array([_domain(file.rows[row]) for row, _ in file.who]) for file in files]
    for domain in sorted({one for every in domains for one in every}):
        trees = fitted(files, frozenset(one for one in sources if DOMAINS.get(one, "chat") != domain))
        for file, every in zip(files, domains, strict=True):
            mine = every == domain
            if mine.any():
                file.scores[mine] = trees.decision_function(file.x[mine])


def _domain(row: dict[str, Any]) -> str:
    """A source that is not trained on has no domain to leave out."""
    one = source(row)
    return DOMAINS.get(one, "chat") if one in PERMISSIVE else ""


def _signs(file: File, place: int) -> tuple[float, ...]:
    return signs(float(file.scores[place]), file.x[place].tolist())


def prior_of(files: Sequence[File], sources: frozenset[str]) -> Prior:
    """The logistic of the best candidates' signs, worth `PRIOR_LABELS` labels; the same weight for each stream of
    these sources."""
    rows, same, weight = [], [], []
    for file in files:
        top: dict[int, int] = {}
        for place in np.flatnonzero(_usable(file, sources)):
            row, _ = file.who[place]
            if row not in top or file.scores[place] > file.scores[top[row]]:
                top[row] = int(place)
        rows += [(1.0, *_signs(file, place)) for place in top.values()]
        same += [float(file.same[place]) for place in top.values()]
        weight += [1 / max(1, len(top))] * len(top)
    share = PRIOR_LABELS / sum(weight)
    told = Labels(list(zip(*rows, strict=True)), same, [share * one for one in weight])
    size = 2 + len(WEIGHED)
    flat = Prior((-1.0, 1.0, *[0.0] * len(WEIGHED)), _diagonal([1e-3] * size))
    line, spread = fitted_to(told, flat, flat.weights)
    beside = _diagonal([0.0, 0.0] + [ALIKE] * len(WEIGHED))
    pairs = zip(inverse(spread), beside, strict=True)
    return Prior(line, tuple(tuple(x + y for x, y in zip(one, more, strict=True)) for one, more in pairs))


def _diagonal(values: Sequence[float]) -> Matrix:
    return tuple(tuple(value * (x == y) for y in range(len(values))) for x, value in enumerate(values))


def replayed(file: File, max_wrong: float, prior: Prior) -> tuple[float, float]:
    """(right of possible, wrong of lookups) of one stream with these scores, as the judge counts."""
    of: dict[int, list[int]] = {}
    for place, (row, _) in enumerate(file.who):
        of.setdefault(row, []).append(place)
    bound, chance = Bound(max_wrong, prior), Random(0)
    stored: set[int] = set()
    texts: set[str] = set()
    classes: set[str] = set()
    lookups = possible = right = wrong = 0
    for row, said in enumerate(file.rows):
        text, answer = said["prompt"].strip(), said["answer_class"]
        if text in texts:
            continue
        lookups += 1
        possible += answer in classes
        classes.add(answer)
        few = [place for place in of.get(row, []) if file.who[place][1] in stored][:5]
        place = _served(file, few, bound, chance)
        if place is None:
            stored.add(row)
            texts.add(text)
            if few and file.open[few[0]]:
                bound.learn(_signs(file, few[0]), str(file.who[few[0]][1]), bool(file.same[few[0]]))
        elif file.same[place]:
            right += 1
        else:
            wrong += 1
    return right / max(1, possible), wrong / max(1, lookups)


def _served(file: File, few: list[int], bound: Bound, chance: Random) -> int | None:
    equal = next((place for place in few if file.equal[place]), None)
    if equal is not None:
        return equal
    best = max(
        (place for place in few if file.open[place]), key=lambda one: bound.odds(_signs(file, one)), default=None
    )
    known = None if best is None else _signs(file, best)
    entry = "" if best is None else str(file.who[best][1])
    return best if bound.decide(known, entry, "", chance).serve else None


def figures(files: Sequence[File], prior: Callable[[File], Prior]) -> dict[str, Any]:
    """Of each budget: the means over the streams and the worst of them; `prior` says what is believed before each."""
    streams = [file for file in files if file.name.startswith("stream")]
    found: dict[str, Any] = {}
    for max_wrong in (0.005, 0.01):
        each = {file.name.removeprefix("stream_"): replayed(file, max_wrong, prior(file)) for file in streams}
        found[f"{max_wrong:g}"] = {
            "right": round(100 * float(np.mean([right for right, _ in each.values()])), 1),
            "wrong": round(100 * float(np.mean([wrong for _, wrong in each.values()])), 2),
            "worst": round(100 * max(wrong for _, wrong in each.values()), 2),
            "streams": {name: [round(100 * right, 1), round(100 * wrong, 2)] for name, (right, wrong) in each.items()},
        }
    return found


def exported(trees: Any, prior: Prior) -> dict[str, Any]:
    """The trees as lists of nodes in depth-first order: the left child is the next node, `right` says the other."""
    feature, value, right = [], [], []
    for (one,) in trees._predictors:
        columns = _in_order(one.nodes)
        feature.append([node[0] for node in columns])
        value.append([float(f"{node[1]:.6g}") for node in columns])
        right.append([node[2] for node in columns])
    said = {"weights": list(prior.weights), "precision": list(map(list, prior.precision))}
    base = float(np.ravel(trees._baseline_prediction)[0])
    return {"base": base, "prior": said, "feature": feature, "value": value, "right": right}


def _in_order(nodes: Any) -> list[list[Any]]:
    found: list[list[Any]] = []

    def visit(at: int) -> None:
        node = nodes[at]
        if node["is_leaf"]:
            found.append([-1, float(node["value"]), 0])
            return
        mine = [int(node["feature_idx"]), float(node["num_threshold"]), 0]
        found.append(mine)
        visit(int(node["left"]))
        mine[2] = len(found)
        visit(int(node["right"]))

    visit(0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("edgeclient/cache/data/verifier.json"))
    parser.add_argument("--date", default=DATE)
    parser.add_argument("--embedders", default="none,wordllama")
    parser.add_argument("--sources", default="permissive")
    parser.add_argument("--check", action="store_true", help="write nothing, only say how good it is")
    said = parser.parse_args()
    rows = load(said.folder)
    sources = _chosen(said.sources, rows)
    out: dict[str, Any] = {
        "features": list(NAMES),
        "weighed": list(WEIGHED),
        "date": said.date,
        "sources": _counted(rows, sources),
        "forests": {},
    }
    joined = groups(rows)
    for name in said.embedders.split(","):
        vectors = embedder(name)
        files = [candidates(file, those, vectors, joined) for file, those in rows.items()]
        out["forests"][name] = trained(files, sources)
        print(name, json.dumps(out["forests"][name]["figures"]), file=sys.stderr)
        if said.check:
            print(name, "apart", json.dumps(elsewhere(files, sources)), file=sys.stderr)
    if not said.check:
        said.out.write_text(json.dumps(out, separators=(",", ":")) + "\n", "utf-8")
    return 0


def trained(files: Sequence[File], sources: frozenset[str]) -> dict[str, Any]:
    """A forest as the data file has it: the prior and the figures by the check, the trees of all parts."""
    check(files, sources)
    prior = prior_of(_streams(files), sources)
    return {**exported(fitted(files, sources), prior), "figures": figures(files, lambda file: prior)}


def elsewhere(files: Sequence[File], sources: frozenset[str]) -> dict[str, Any]:
    """The figures where nothing of a stream's domain was trained on, and its prior is the other streams'."""
    apart(files, sources)
    priors = {file.name: prior_of([one for one in _streams(files) if one is not file], sources) for file in files}
    return figures(files, lambda file: priors[file.name])


def _streams(files: Sequence[File]) -> list[File]:
    return [file for file in files if file.name.startswith("stream") and file.name not in LEFT_OUT]


def _chosen(named: str, rows: dict[str, list[dict[str, Any]]]) -> frozenset[str]:
    if named == "permissive":
        return PERMISSIVE
    every = {source(row) for those in rows.values() for row in those}
    return (frozenset(every) if named == "all" else frozenset(named.split(","))) - NOT_FOR_TRAINING


def _counted(rows: dict[str, list[dict[str, Any]]], sources: frozenset[str]) -> dict[str, int]:
    """How many rows of each source were trained on."""
    found: dict[str, int] = {}
    for name, those in rows.items():
        for row in those if name not in LEFT_OUT else []:
            if source(row) in sources:
                found[source(row)] = found.get(source(row), 0) + 1
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
