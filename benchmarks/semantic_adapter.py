"""The semantic cache's matcher and bound, for a judge that replays prompts: the library's own code, no copy.

    EDGECLIENT_BENCH_EMBEDDER=none | wordllama      the embedder; by default wordllama if it is installed
    EDGECLIENT_BENCH_MAX_WRONG=0.005                the budget: wrong answers of all lookups

`make()` gives an object with `embed(texts)`, `decide(asked, [(stored prompt, cosine)])` -> place or None, `observe(asked,
prompt, cosine, same)` after a call that went to the model, and `fresh()`: a new one that has learned nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any

from edgeclient.cache.bound import Bound
from edgeclient.cache.embedders import Embedder, embedder
from edgeclient.cache.matcher import Judged, best, judged
from edgeclient.cache.reading import Reading, read
from edgeclient.cache.verifier import Forest, forest
from edgeclient.errors import SettingsError

Candidates = Sequence[tuple[str, float]]
_read = lru_cache(maxsize=8192)(read)


class Matcher:
    """One cache with one partition, whose entries the judge keeps."""

    def __init__(self, vectors: Embedder, trees: Forest, max_wrong: float) -> None:
        self._vectors, self._trees, self._max_wrong = vectors, trees, max_wrong
        self.name = vectors.name
        self._bound = Bound(max_wrong, trees.prior)
        self._chance = Random(0)
        self._last: tuple[str, dict[str, Judged]] = ("", {})

    def embed(self, texts: Sequence[str]) -> Any:
        return self._vectors.embed(texts)

    def decide(self, asked: str, candidates: Candidates) -> int | None:
        found = self._judged(asked, candidates)
        self._last = (asked, {prompt: one for (prompt, _), one in zip(candidates, found, strict=True)})
        chosen = best(found, self._bound.odds)
        if chosen is not None and chosen.equal:
            return chosen.place
        signs = chosen.signs if chosen else None
        entry = candidates[chosen.place][0] if chosen else ""
        serve = self._bound.decide(signs, entry, "", self._chance).serve
        return chosen.place if chosen and serve else None

    def observe(self, asked: str, prompt: str, cosine: float, same: bool) -> None:
        last, found = self._last
        one = found.get(prompt) if last == asked else None
        if one is None:
            (one,) = self._judged(asked, [(prompt, cosine)])
        if one.signs is not None:
            self._bound.learn(one.signs, prompt, same)

    def fresh(self) -> Matcher:
        return Matcher(self._vectors, self._trees, self._max_wrong)

    def within(self, max_wrong: float) -> Matcher:
        """A new one with another budget."""
        return Matcher(self._vectors, self._trees, max_wrong)

    def _judged(self, asked: str, candidates: Candidates) -> list[Judged]:
        stored: list[tuple[str, Reading | None, float]] = [
            (prompt, _read(prompt), cosine) for prompt, cosine in candidates
        ]
        return judged(asked, _read(asked), stored, self._vectors, self._trees)


def make(named: str = "") -> Matcher:
    """The matcher with the named embedder, or the one that the environment names."""
    named = named or os.environ.get("EDGECLIENT_BENCH_EMBEDDER", "")
    try:
        vectors = embedder(named or "wordllama")
    except SettingsError:
        if named:
            raise
        vectors = embedder("none")
    return Matcher(vectors, forest(vectors.name), float(os.environ.get("EDGECLIENT_BENCH_MAX_WRONG", "0.005")))
