"""What the verifier sees of two prompts: numbers that say how alike they are, and in what they differ. Pure.

`NAMES` and `features` belong together; a data file of the verifier names the features it was trained on, so none of
these may change its meaning without a new file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

from .guards import GUARDS, alike
from .guards import ends as _ends
from .lexicon import lexicon
from .reading import Reading, grams

_SILENCE = [0.0] * len(GUARDS)
_FAR = 40  # words; of differences longer than this only the beginning is compared word by word


class Meanings(Protocol):
    """What an embedder knows of single words."""

    def weight(self, word: str) -> float:
        """How much the word matters: about 0 for one that stands everywhere, about 3 for a rare one."""

    def likeness(self, words: Sequence[str], others: Sequence[str]) -> Sequence[Sequence[float]]:
        """A row for each word, a column for each other: 1 for the same meaning, 0 for nothing in common."""


NAMES: tuple[str, ...] = (
    "cosine", "grams",
    "shared", "shared weight", "left a", "left b", "heaviest a", "heaviest b", "lightest heaviest", "left",
    "aligned a", "aligned b", "worst a", "worst b",
    "one sided", "only a", "only b", "one changed", "changed alike", "synonyms", "slips",
    "in order", "word pairs", "length ratio", "shorter", "longer", "same question", "same first",
    "pronouns", "small words", "prepositions", "names", "numbers", "counting", "focus", "first three",
    "core a", "core b", "before core", "after core", "subject order",
    "guards",
    *(f"guard: {name}" for name in GUARDS),
)  # fmt: skip


def features(a: Reading, b: Reading, cosine: float, meanings: Meanings, spoke: Sequence[str]) -> list[float]:
    """The features in the order of `NAMES`; `a` is the stored prompt, `b` the asked one, `spoke` their conflicts."""
    grams_a, grams_b = grams(a.text), grams(b.text)
    ends = _ends(a.stems, b.stems)
    return [
        cosine,
        _share(grams_a, grams_b, grams_a & grams_b),
        *_subjects(a, b, meanings),
        *_forms(a, b, ends),
        *_small(a, b),
        *_core(a, b, ends),
        float(len(spoke)),
        *(_SILENCE if not spoke else [1.0 if name in spoke else 0.0 for name in GUARDS]),
    ]


def _share(a: Collection[object], b: Collection[object], both: Collection[object]) -> float:
    whole = len(a) + len(b) - len(both)
    return len(both) / whole if whole else 1.0


def _subjects(a: Reading, b: Reading, meanings: Meanings) -> list[float]:
    """ "shared" to "slips": the words that carry a subject, what the other prompt has of them, and what it has instead."""
    in_a, in_b = frozenset(a.content), frozenset(b.content)
    both = in_a & in_b
    only_a, only_b = [one for one in a.content if one not in both], [one for one in b.content if one not in both]
    weight = {one: meanings.weight(word) for reading in (a, b) for one, word in reading.originals.items()}
    # Summed in the order of the words: a set's order, and with it the last digit, differs between processes.
    total_a, total_b = sum([weight[one] for one in a.content]) + 1e-6, sum([weight[one] for one in b.content]) + 1e-6
    common = sum([weight[one] for one in a.content if one in both])
    table = _likeness(only_a[:_FAR], only_b[:_FAR], a, b, meanings)
    best_a = [max(row, default=0.0) for row in table] + [0.0] * (len(only_a) - _FAR)
    best_b = [max(column) for column in zip(*table, strict=True)] if table else []
    best_b += [0.0] * (len(only_b) - len(best_b))
    left_a = [weight[one] * (1 - best) for one, best in zip(only_a, best_a, strict=True)]
    left_b = [weight[one] * (1 - best) for one, best in zip(only_b, best_b, strict=True)]
    heavy_a, heavy_b = max(left_a, default=0.0), max(left_b, default=0.0)
    lost_a, lost_b = sum(weight[one] for one in only_a), sum(weight[one] for one in only_b)
    return [
        _share(in_a, in_b, both),
        common / (total_a + lost_b),
        lost_a / total_a,
        lost_b / total_b,
        max((weight[one] for one in only_a), default=0.0),
        max((weight[one] for one in only_b), default=0.0),
        min(heavy_a, heavy_b),
        sum(left_a) + sum(left_b),
        1 - sum(left_a) / total_a,
        1 - sum(left_b) / total_b,
        min(best_a, default=1.0),
        min(best_b, default=1.0),
        *_changes(only_a, only_b, table),
    ]


_SLIP, _SYNONYM, _MOST = 0.97, 0.93, 0.9  # likeness of a slip of the hand, of synonyms, and of all other words at most


def _likeness(only_a: list[str], only_b: list[str], a: Reading, b: Reading, meanings: Meanings) -> list[list[float]]:
    """How alike the words are that only one prompt has."""
    if not only_a or not only_b:
        return [[] for _ in only_a]
    known = meanings.likeness([a.originals[one] for one in only_a], [b.originals[one] for one in only_b])
    synonyms = lexicon().synonyms
    return [
        [
            _SYNONYM
            if (one, other) in synonyms
            else _SLIP
            if one[0] == other[0] and alike(one, other)
            else min(float(like), _MOST)
            for other, like in zip(only_b, row, strict=True)
        ]
        for one, row in zip(only_a, known, strict=True)
    ]


def _changes(only_a: list[str], only_b: list[str], table: list[list[float]]) -> list[float]:
    most = [max(row, default=0.0) for row in table]
    return [
        float(bool(only_a) != bool(only_b)),
        float(min(len(only_a), 8)),
        float(min(len(only_b), 8)),
        float(len(only_a) == 1 == len(only_b)),
        min(most, default=0.0),
        float(sum(like == _SYNONYM for like in most)),
        float(sum(like == _SLIP for like in most)),
    ]


def _forms(a: Reading, b: Reading, ends: tuple[int, int]) -> list[float]:
    """ "in order" to "same first": the shape of the two texts."""
    length_a, length_b = len(a.stems), len(b.stems)
    pairs_a, pairs_b = set(zip(a.stems, a.stems[1:], strict=False)), set(zip(b.stems, b.stems[1:], strict=False))
    shorter, longer = min(length_a, length_b), max(length_a, length_b)
    return [
        2 * _in_order(a.stems, b.stems, ends) / max(1, length_a + length_b),
        _share(pairs_a, pairs_b, pairs_a & pairs_b) if pairs_a or pairs_b else 0.0,
        shorter / max(1, longer),
        math.log1p(shorter),
        math.log1p(longer),
        float(a.question == b.question),
        float(a.content[:1] == b.content[:1]),
    ]


def _in_order(a: Sequence[str], b: Sequence[str], ends: tuple[int, int]) -> int:
    """How many words the two have in the same order; exact but for differences longer than `_FAR` words."""
    before, after = ends
    core_a, core_b = a[before : len(a) - after][:_FAR], b[before : len(b) - after][:_FAR]
    if not core_a or not core_b:
        return before + after
    places: dict[str, int] = {}
    for at, other in enumerate(core_b):
        places[other] = places.get(other, 0) | 1 << at
    every = (1 << len(core_b)) - 1
    left = every  # a bit goes out for each word that the longest common sequence gains (Hyyrö 2004)
    for one in core_a:
        met = left & places.get(one, 0)
        left = (left + met | left - met) & every
    return before + after + (every ^ left).bit_count()


def _small(a: Reading, b: Reading) -> list[float]:
    """ "pronouns" to "first three": what small words, names and numbers say."""
    lex = lexicon()
    said_a, said_b = frozenset(a.words), frozenset(b.words)
    changed = said_a ^ said_b
    of_a, of_b = ([word for word in words if word in lex.prepositions] for words in (a.words, b.words))
    return [
        float(min(4, len(changed & lex.pronouns))),
        float(min(8, len(changed & lex.small))),
        float(min(6, _different(of_a, of_b))),
        float(min(5, len(a.names.difference(b.content)) + len(b.names.difference(a.content)))),
        float(bool(a.numbers)) + float(bool(b.numbers)),
        float(said_a.isdisjoint(lex.counting) != said_b.isdisjoint(lex.counting)),
        0.5 * (float(_leads(a, b)) + float(_leads(b, a))),
        len(frozenset(a.content[:3]) & frozenset(b.content[:3])) / 3,
    ]


def _different(ones: list[str], others: list[str]) -> int:
    """How many words there are that the other list does not have as often."""
    if ones == others:
        return 0
    of_a, of_b = Counter(ones), Counter(others)
    return (of_a - of_b).total() + (of_b - of_a).total()


def _leads(a: Reading, b: Reading) -> bool:
    """True when the first subject of one is among the first of the other."""
    return bool(a.content) and a.content[0] in b.content[:3]


def _core(a: Reading, b: Reading, ends: tuple[int, int]) -> list[float]:
    """ "core a" to "subject order": where the two differ, and whether what they share comes in the same order."""
    before, after = ends
    longer = max(1, len(a.stems), len(b.stems))
    in_b = frozenset(b.content)
    shared_a = [one for one in a.content if one in in_b]
    in_shared = frozenset(shared_a)
    shared_b = [one for one in b.content if one in in_shared]
    return [
        math.log1p(len(a.stems) - before - after),
        math.log1p(len(b.stems) - before - after),
        before / longer,
        after / longer,
        _in_order(shared_a, shared_b, _ends(shared_a, shared_b)) / max(1, len(shared_a)),
    ]
