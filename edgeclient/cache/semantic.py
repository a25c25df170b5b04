"""The semantic cache: which entry's question means the same as a call's, within a stated error, and what that taught. Pure.

Only the last text of the user may differ; all else makes the partition, by equality. A lookup finds the nearest prompts of
its partition, guards and trees judge them, and the bound decides. Every answer that a model gives after a lookup is compared
with the one that was nearest: that is what the bound learns from.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any

from ..noting import Match
from ..values import Entry, Question
from .agreement import agree
from .bound import Bound, Verdict, merged
from .evidence import Evidence, Example, Report
from .index import UNSAID, About, Index
from .matcher import Judged, best, judged, nearness
from .reading import Reading, read
from .verifier import forest

if TYPE_CHECKING:
    from .embedders.vectors import Vectors

_NEAREST = 5
_KEPT = 4096  # served answers that `wrong` can still be said of, and pairs that are blocked


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question, the candidate that came nearest, and what is to be done. `key` "": there is no candidate."""

    question: Question
    vector: Any
    serve: bool = False
    key: str = ""  # of the candidate's entry
    prompt: str = ""
    similarity: float = 0.0
    judged: Judged | None = None
    verdict: Verdict | None = None

    def match(self, budget: float) -> Match:
        """What the notes say of an answer that was served so."""
        assert self.judged is not None
        risk = self.verdict.risk if self.verdict is not None else 0.0
        tier = "equal" if self.judged.equal else "semantic"
        return Match(tier, self.similarity, self.judged.score, risk, budget, hashed(self.prompt))


@dataclass(frozen=True, slots=True)
class Explained:
    """One stored prompt near an asked one. `score`: log odds that both ask the same; None where a guard forbids it."""

    partition: str  # what has to be equal, as a hash
    matched: str  # the stored prompt's hash
    prompt: str  # itself, where it was asked for
    similarity: float
    equal: bool
    score: float | None
    guards: tuple[str, ...]  # that see a contradiction
    risk: float | None
    limit: float
    would_serve: bool


class Semantic:
    """The semantic cache of one edge. Thread-safe."""

    def __init__(
        self,
        vectors: Vectors,
        *,
        serving: str,
        budget: float,
        audit: float,
        chance: Random,
        max_bytes: int,
        mishap: Callable[[str, BaseException], None],
    ) -> None:
        self.vectors, self.serving, self.budget = vectors, serving, budget
        self._judge = vectors.embedder.judge
        self._trees = forest(self._judge.name)
        self._audit, self._mishap = audit, mishap
        self._bound = self._new_bound(chance)
        self.labels = 0  # so many answers were compared
        self._reading = lru_cache(maxsize=2048)(read)
        self.index = Index(vectors.embedder, max_bytes=max_bytes)
        self._chance = chance
        self._evidence = Evidence()
        self._served: OrderedDict[str, Lookup] = OrderedDict()  # by the key of the call that was answered
        self._blocked: OrderedDict[tuple[str, str], None] = OrderedDict()  # (asked prompt's hash, entry's key)
        self._lock = threading.Lock()

    def _new_bound(self, chance: Random) -> Bound:
        """`origin` tells the labels of this process from those of others that share a store."""
        return Bound(self.budget, self._trees.prior, self._audit, origin=f"{chance.getrandbits(48):012x}")

    @property
    def fingerprint(self) -> str:
        """Of the embedder: part of every partition, so that vectors of two are never compared."""
        return self.vectors.embedder.fingerprint

    def look(self, question: Question, vector: Any) -> Lookup:
        """The nearest candidate, judged, and the decision about it, entered in the accounts."""
        found = self._judged(question, vector)
        chosen = best([one for _, _, _, one in found], self._bound.odds)
        if chosen is None:
            with self._lock:
                self._evidence.lookups += 1
                self._bound.decide(None, "", question.partition, self._chance)
            return Lookup(question, vector)
        key, prompt, cosine, _ = found[chosen.place]
        serving = question.serving == "serve"
        with self._lock:
            self._evidence.lookups += 1
            if chosen.equal:
                self._evidence.equal += 1
                return Lookup(question, vector, serving, key, prompt, cosine, chosen)
            verdict = self._bound.decide(chosen.signs, key, question.partition, self._chance)
            self._evidence.chosen += verdict.serve
            serve = serving and verdict.serve and not verdict.check
            return Lookup(question, vector, serve, key, prompt, cosine, chosen, verdict)

    def served(self, lookup: Lookup, call_key: str) -> None:
        """A candidate has answered a call; `wrong` may be said of it for a while."""
        with self._lock:
            self._served[call_key] = lookup
            if len(self._served) > _KEPT:
                self._served.popitem(last=False)

    def keep(self, question: Question, vector: Any, key: str, entry: Entry | None = None) -> None:
        """The answer to this question is stored under this key: later ones may find it.

        `entry`: of a store that others share, who may make it invalid.
        """
        about = UNSAID if entry is None else About(entry.stored_at, entry.named, entry.tags)
        reading = self._reading(question.text)
        if reading is not None:  # longer ones are nobody's candidates
            self.index.add(key, question.partition, vector, reading, about=about)

    def knows(self, key: str) -> bool:
        """True for an entry that may be found."""
        return key in self.index

    def drop(self, key: str) -> None:
        """The store does not have this entry any more."""
        self.index.remove(key)

    def forget(self) -> None:
        """No stored prompt is known any more. What was learned from them stays: scores and digests."""
        self.index.clear()
        self._reading.cache_clear()
        with self._lock:
            self._served.clear()

    def learn(self, lookup: Lookup, answer: Sequence[str], other: Sequence[str], now: float) -> None:
        """Compare the model's answer with the candidate's: texts of both. Slow: beside calls only."""
        same = agree(answer, other, self._judge)
        if same is not None:
            with self._lock:
                self._label(lookup, same, now)

    def exchange(self, theirs: Mapping[str, Any] | None) -> dict[str, Any]:
        """Learn what other processes know, and give back what all of them know. ValueError for what is no state."""
        with self._lock:
            if theirs is not None:
                self._bound.take(theirs)
            return merged([self._bound.state()])

    def wrong(self, call_key: str, now: float) -> Lookup | None:
        """This call was answered wrongly: blocks the pair. Gives its lookup, whose entry is to be deleted, if it is known."""
        with self._lock:
            lookup = self._served.pop(call_key, None)
            if lookup is None:
                return None
            self._blocked[hashed(lookup.question.text), lookup.key] = None
            if len(self._blocked) > _KEPT:
                self._blocked.popitem(last=False)
            self._label(lookup, False, now)
        self.index.remove(lookup.key)
        return lookup

    def report(self) -> Report:
        with self._lock:
            return self._evidence.report(self.serving, self.budget)

    def explain(self, text: str, vector: Any, *, prompts: bool) -> tuple[Explained, ...]:
        """The nearest stored prompts of every partition, and what is thought of each. Decides and enters nothing."""
        found = []
        for partition in self.index.partitions():
            for key, prompt, cosine, one in self._judged(Question(partition, text, "off"), vector):
                with self._lock:
                    risk, limit, would = self._bound.would(one.signs, key, partition)
                shown = prompt if prompts else ""
                found.append(
                    Explained(
                        partition, hashed(prompt), shown, cosine, one.equal, one.score, one.spoke,
                        risk, limit, one.equal or would,
                    )
                )  # fmt: skip
        return tuple(sorted(found, key=lambda one: -one.similarity))

    def after_fork(self, chance: Random) -> None:
        """In a forked child: new locks, and a name of its own; what was learned stays."""
        self._lock = threading.Lock()
        state, self._bound = self._bound.state(), self._new_bound(chance)
        self._bound.take(state)
        self.index.after_fork()
        self.vectors.after_fork()

    def _judged(self, question: Question, vector: Any) -> list[tuple[str, str, float, Judged]]:
        """The candidates: key, prompt, cosine, judgement; those that were said to be wrong are left out."""
        asked = hashed(question.text)
        found = self.index.nearest(question.partition, vector, _NEAREST)
        near = [one for one in found if (asked, one.key) not in self._blocked]
        if not near:
            return []
        cosines = [one.cosine for one in near]
        if self._judge is not self.vectors.embedder:
            cosines = nearness(question.text, [one.reading.text for one in near], self._judge)
        stored: list[tuple[str, Reading | None, float]] = [
            (one.reading.text, one.reading, cosine) for one, cosine in zip(near, cosines, strict=True)
        ]
        judgements = judged(question.text, self._reading(question.text), stored, self._judge, self._trees)
        return [
            (one.key, one.reading.text, cosine, judgement)
            for one, cosine, judgement in zip(near, cosines, judgements, strict=True)
        ]

    def _label(self, lookup: Lookup, same: bool, now: float) -> None:
        one, asked = lookup.judged, lookup.question
        if one is None or one.signs is None or one.score is None:
            return
        self.labels += 1
        turned = self._bound.learn(one.signs, lookup.key, same, partition=asked.partition, caller=asked.caller, now=now)
        if turned and not same:
            why = f"partition {asked.partition}: what was thought safe was wrong several times running"
            self._mishap(
                "semantic cache closed", ValueError(f"{why}; nothing is served there until answers agree again")
            )
        if lookup.verdict is not None and lookup.verdict.serve:
            example = Example(hashed(asked.text), hashed(lookup.prompt), one.score, lookup.similarity)
            self._evidence.compare(same, example)


def hashed(prompt: str) -> str:
    """A prompt as notes and reports tell it."""
    return hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
