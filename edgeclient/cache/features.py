"""What the verifier sees of two prompts: numbers that say how alike they are, and in what they differ. Pure.

`NAMES` and `features` belong together; a data file of the verifier names the features it was trained on, so none of
these may change its meaning without a new file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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

# What the bound weighs beside the score, anew for each product: where questions are short a cosine says more than the
# trees know, where they are made from templates it says nothing.
WEIGHED: tuple[str, ...] = ("cosine", "grams", "left", "one sided", "length ratio", "first three")
_WEIGHED = tuple(NAMES.index(name) for name in WEIGHED)


@dataclass(slots=True)
class Asked:
    """What the features take of the asked prompt, once for all candidates."""

    reading: Reading
    grams: frozenset[str]
    weight: dict[str, float]  # of its content, in order
    total: float
    pairs: set[tuple[str, str]]  # of stems that follow one another
    words: frozenset[str]
    prepositions: list[str]
    counts: bool  # asks for a number


def asked(reading: Reading, meanings: Meanings) -> Asked:
    """The asked prompt, ready to be compared."""
    lex = lexicon()
    words = frozenset(reading.words)
    weight = {one: meanings.weight(word) for one, word in reading.originals.items()}
    return Asked(
        reading=reading,
        grams=grams(reading.text),
        weight=weight,
        # Summed in the order of the words: a set's order, and with it the last digit, differs between processes.
        total=sum(weight.values()) + 1e-6,
        pairs=set(zip(reading.stems, reading.stems[1:], strict=False)),
        words=words,
        prepositions=[word for word in reading.words if word in lex.prepositions],
        counts=not words.isdisjoint(lex.counting),
    )


def features(a: Reading, b: Asked, cosine: float, meanings: Meanings, spoke: Sequence[str]) -> list[float]:
    """The features in the order of `NAMES`; `a` is the stored prompt, `b` the asked one, `spoke` their conflicts."""
    grams_a = grams(a.text)
    ends = _ends(a.stems, b.reading.stems)
    both = [one for one in a.content if one in b.weight]
    return [
        cosine,
        _share(len(grams_a), len(b.grams), len(grams_a & b.grams)),
        *_subjects(a, b, both, meanings),
        *_forms(a, b, ends),
        *_small(a, b),
        *_core(a, b.reading, both, ends),
        float(len(spoke)),
        *(_SILENCE if not spoke else [1.0 if name in spoke else 0.0 for name in GUARDS]),
    ]


def signs(score: float, found: Sequence[float]) -> tuple[float, ...]:
    """What the bound weighs of a candidate: the score, and of its features those in `WEIGHED`."""
    return (score, *[found[place] for place in _WEIGHED])


def _share(a: int, b: int, both: int) -> float:
    whole = a + b - both
    return both / whole if whole else 1.0


def _subjects(a: Reading, b: Asked, both: list[str], meanings: Meanings) -> list[float]:
    """ "shared" to "slips": the words that carry a subject, what the other prompt has of them, and what it has instead."""
    weight = b.weight
    only_a, only_b = [one for one in a.content if one not in weight], [one for one in weight if one not in a.originals]
    own = {one: meanings.weight(a.originals[one]) for one in only_a}
    total_a = sum([weight[one] if one in weight else own[one] for one in a.content]) + 1e-6
    weighed_a, weighed_b = list(own.values()), [weight[one] for one in only_b]
    table = _likeness(only_a[:_FAR], only_b[:_FAR], a, b.reading, meanings)
    most = [max(row) for row in table] if only_b else [0.0] * len(table)
    best_a = most + [0.0] * (len(only_a) - _FAR)
    best_b = [max(column) for column in zip(*table, strict=True)] if table else []
    best_b += [0.0] * (len(only_b) - len(best_b))
    left_a = [worth * (1 - best) for worth, best in zip(weighed_a, best_a, strict=True)]
    left_b = [worth * (1 - best) for worth, best in zip(weighed_b, best_b, strict=True)]
    lost_a, lost_b, remains_a, remains_b = sum(weighed_a), sum(weighed_b), sum(left_a), sum(left_b)
    return [
        _share(len(a.content), len(weight), len(both)),
        sum([weight[one] for one in both]) / (total_a + lost_b),
        lost_a / total_a,
        lost_b / b.total,
        max(weighed_a, default=0.0),
        max(weighed_b, default=0.0),
        min(max(left_a, default=0.0), max(left_b, default=0.0)),
        remains_a + remains_b,
        1 - remains_a / total_a,
        1 - remains_b / b.total,
        min(best_a, default=1.0),
        min(best_b, default=1.0),
        *_changes(len(only_a), len(only_b), most),
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


def _changes(only_a: int, only_b: int, most: list[float]) -> list[float]:
    return [
        float((only_a > 0) != (only_b > 0)),
        float(min(only_a, 8)),
        float(min(only_b, 8)),
        float(only_a == 1 == only_b),
        min(most, default=0.0),
        float(most.count(_SYNONYM)),
        float(most.count(_SLIP)),
    ]


def _forms(a: Reading, b: Asked, ends: tuple[int, int]) -> list[float]:
    """ "in order" to "same first": the shape of the two texts."""
    stems_b = b.reading.stems
    length_a, length_b = len(a.stems), len(stems_b)
    pairs_a = set(zip(a.stems, a.stems[1:], strict=False))
    shorter, longer = min(length_a, length_b), max(length_a, length_b)
    return [
        2 * _in_order(a.stems, stems_b, ends) / max(1, length_a + length_b),
        _share(len(pairs_a), len(b.pairs), len(pairs_a & b.pairs)) if pairs_a or b.pairs else 0.0,
        shorter / max(1, longer),
        math.log1p(shorter),
        math.log1p(longer),
        float(a.question == b.reading.question),
        float(a.content[:1] == b.reading.content[:1]),
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


def _small(a: Reading, b: Asked) -> list[float]:
    """ "pronouns" to "first three": what small words, names and numbers say."""
    lex = lexicon()
    words = frozenset(a.words)
    changed = words ^ b.words
    asked = b.reading
    of_a = [word for word in a.words if word in lex.prepositions]
    return [
        float(min(4, len(changed & lex.pronouns))),
        float(min(8, len(changed & lex.small))),
        float(min(6, _different(of_a, b.prepositions))),
        float(min(5, len(a.names - asked.originals.keys()) + len(asked.names - a.originals.keys()))),
        float(bool(a.numbers)) + float(bool(asked.numbers)),
        float(words.isdisjoint(lex.counting) is b.counts),
        0.5 * (float(_leads(a, asked)) + float(_leads(asked, a))),
        len(frozenset(a.content[:3]) & frozenset(asked.content[:3])) / 3,
    ]


def _different(ones: list[str], others: list[str]) -> int:
    """How many words there are that the other list does not have as often."""
    if ones == others:
        return 0
    more, left = 0, others.copy()
    for one in ones:
        if one in left:
            left.remove(one)
        else:
            more += 1
    return more + len(left)


def _leads(a: Reading, b: Reading) -> bool:
    """True when the first subject of one is among the first of the other."""
    return bool(a.content) and a.content[0] in b.content[:3]


def _core(a: Reading, b: Reading, both: list[str], ends: tuple[int, int]) -> list[float]:
    """ "core a" to "subject order": where the two differ, and whether what they share comes in the same order."""
    before, after = ends
    longer = max(1, len(a.stems), len(b.stems))
    both_b = [one for one in b.content if one in a.originals]
    return [
        math.log1p(len(a.stems) - before - after),
        math.log1p(len(b.stems) - before - after),
        before / longer,
        after / longer,
        _in_order(both, both_b, _ends(both, both_b)) / max(1, len(both)),
    ]
