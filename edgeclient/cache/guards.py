"""What two prompts must share before one answer may serve both: each guard names one kind of difference. Pure.

A guard compares two readings and says whether they contradict each other. `conflicts` lists the guards that spoke;
those in `VETOES` forbid the answer whatever the score, the others are features of the verifier.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from .lexicon import lexicon, stem
from .reading import Reading
from .roles import against

_UNDOING = ("un", "non", "dis", "de", "in", "im")
_FEW = 3  # words that carry a subject; of prompts that differ in more, an "un" says little
_LONG = 80  # words; of prompts that both have more, what they share says little about what is asked


def conflicts(a: Reading, b: Reading) -> tuple[str, ...]:
    """The names of the guards that see a contradiction, in the order of `GUARDS`; none for prompts equal after
    normalising."""
    if a.equal == b.equal:
        return ()
    return tuple([name for name, sees in GUARDS.items() if sees(a, b)])


def _number(a: Reading, b: Reading) -> bool:
    return a.numbers.keys() != b.numbers.keys()


def _count(a: Reading, b: Reading) -> bool:
    return a.numbers != b.numbers and a.numbers.keys() == b.numbers.keys()


def _quote(a: Reading, b: Reading) -> bool:
    if a.quoted == b.quoted:
        return False
    said_a, said_b = " ".join(a.words), " ".join(b.words)
    return any(quote not in said_b for quote in a.quoted) or any(quote not in said_a for quote in b.quoted)


def _code(a: Reading, b: Reading) -> bool:
    if a.code == b.code:
        return False
    text_a, text_b = a.text.lower(), b.text.lower()
    return any(code not in text_b for code in a.code) or any(code not in text_a for code in b.code)


def _formula(a: Reading, b: Reading) -> bool:
    return a.formula != b.formula and bool(a.formula and b.formula)


def _name(a: Reading, b: Reading) -> bool:
    if a.names == b.names:
        return False
    return any(not _known(one, b.stems) for one in a.names) or any(not _known(one, a.stems) for one in b.names)


def _known(name: str, stems: Collection[str]) -> bool:
    return name in stems or any(name[0] == other[0] and alike(name, other) for other in stems)


@lru_cache(maxsize=16384)
def alike(one: str, other: str) -> bool:
    """True for a word and the same with a slip of the hand, or shortened. Digits must agree."""
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < 4 or one[0] != other[0] or any(char.isdigit() for char in one + other):
        return False
    if longer.startswith(shorter):
        return len(longer) - len(shorter) <= 4
    return len(longer) - len(shorter) <= 2 and SequenceMatcher(None, one, other).ratio() >= 0.82


def _of_kind(kind: str, *, both: bool) -> Callable[[Reading, Reading], bool]:
    """Sees other words of this kind. `both`: only when each prompt has one that the other lacks."""
    none: frozenset[str] = frozenset()

    def sees(a: Reading, b: Reading) -> bool:
        of_a, of_b = a.kinds.get(kind, none), b.kinds.get(kind, none)
        if of_a == of_b:
            return False
        more_a = any(stem(word) not in b.stems for word in of_a - of_b)
        more_b = any(stem(word) not in a.stems for word in of_b - of_a)
        return (more_a and more_b) if both else (more_a or more_b)

    return sees


def _opposite(a: Reading, b: Reading) -> bool:
    return any(b.sides.get(axis, side) != side for axis, side in a.sides.items()) or _undone(a, b)


def _undone(a: Reading, b: Reading) -> bool:
    """Each prompt has a word that the other lacks, and one is the other behind "un", "dis" ..."""
    if a.negations % 2 != b.negations % 2:
        return False  # "unable" and "not able"
    only_a, only_b = _only(a, b), _only(b, a)
    if max(len(only_a), len(only_b)) > _FEW:
        return False
    return _undo(only_a, only_b) or _undo(only_b, only_a)


def _undo(ones: list[str], others: list[str]) -> bool:
    """True for "unfreeze" and "freeze", also with a slip of the hand in either."""
    return any(
        1 <= len(one) - len(other) <= 4
        and any(_slipped(one, prefix + other) for prefix in _UNDOING)
        and not alike(one, other)
        for one in ones
        if one[0] in "undi"
        for other in others
    )


def _slipped(one: str, other: str) -> bool:
    """The same but for one letter, or two that changed places; of short words nothing may differ."""
    if one == other:
        return True
    before, after = ends(one, other)
    longer = max(len(one), len(other)) - before - after
    return len(other) > 5 and (longer <= 1 or (longer == 2 and sorted(one) == sorted(other)))


def _negation(a: Reading, b: Reading) -> bool:
    return (a.negations > 0) != (b.negations > 0) or a.negations % 2 != b.negations % 2


def _question(a: Reading, b: Reading) -> bool:
    return bool(a.question and b.question) and a.question != b.question


def _direction(a: Reading, b: Reading) -> bool:
    special = any(one in b.roles and part.isdisjoint(b.roles[one]) for one, part in a.roles.items())
    return special or (
        bool(a.parts and b.parts) and _differ_little(a, b) and (against(a.parts, b.parts) or _swapped(a, b))
    )


def _swapped(a: Reading, b: Reading) -> bool:
    """Two words have changed places, and the part that one of them plays: "dollars to francs", "francs to dollars"."""
    if a.together and b.together:
        return False
    return any(
        part == b.parts[other] and _precedes(a, one, other) != _precedes(b, one, other)
        for one, part in a.parts.items()
        if one in b.originals and one not in b.parts
        for other in b.parts
        if other in a.originals and other not in a.parts
    )


def _precedes(reading: Reading, one: str, other: str) -> bool:
    return reading.content.index(one) < reading.content.index(other)


def _differ_little(a: Reading, b: Reading) -> bool:
    return max(len(_only(a, b)), len(_only(b, a))) <= _FEW


def _only(a: Reading, b: Reading) -> list[str]:
    return [one for one in a.originals if one not in b.originals]


def _order(a: Reading, b: Reading) -> bool:
    if a.together and b.together:
        return False
    return any(_turned(ones, b.order.get(kind, ()), a.roles, b.roles) for kind, ones in a.order.items())


def _turned(
    ones: tuple[str, ...],
    others: tuple[str, ...],
    roles: Mapping[str, frozenset[str]],
    their_roles: Mapping[str, frozenset[str]],
) -> bool:
    """The same words in another order, and nothing that says they play the same parts."""
    if len(ones) < 2 or ones == others or sorted(ones) != sorted(others):
        return False
    none: frozenset[str] = frozenset()
    return any(roles.get(one, none).isdisjoint(their_roles.get(one, none)) for one in ones)


def _script(a: Reading, b: Reading) -> bool:
    """Other alphabets and characters that nobody sees: nothing here was made for them."""
    return a.foreign or b.foreign


def _task(a: Reading, b: Reading) -> bool:
    """Two long prompts, mostly one text, of which one asks for something that the other does not name."""
    if min(len(a.stems), len(b.stems)) < _LONG:
        return False
    before, after = ends(a.stems, b.stems)
    core_a = {one for one in a.stems[before : len(a.stems) - after] if one in a.originals}
    core_b = {one for one in b.stems[before : len(b.stems) - after] if one in b.originals}
    return not all(_said(one, core_b) for one in core_a - core_b) or not all(
        _said(one, core_a) for one in core_b - core_a
    )


def _said(one: str, others: Collection[str]) -> bool:
    synonyms = lexicon().synonyms
    return any((one, other) in synonyms or alike(one, other) for other in others)


def ends(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many words the two begin with, and end with, alike."""
    short = min(len(a), len(b))
    before = after = 0
    while before < short and a[before] == b[before]:
        before += 1
    while after < short - before and a[-1 - after] == b[-1 - after]:
        after += 1
    return before, after


GUARDS: Mapping[str, Callable[[Reading, Reading], bool]] = {
    "number": _number,
    "count": _count,
    "quote": _quote,
    "code": _code,
    "formula": _formula,
    "name": _name,
    "language": _of_kind("language", both=False),
    "technology": _of_kind("tech", both=False),
    "form": _of_kind("form", both=True),
    "date": _of_kind("time", both=False),
    "unit": _of_kind("unit", both=True),
    "place": _of_kind("place", both=False),
    "opposite": _opposite,
    "negation": _negation,
    "question": _question,
    "direction": _direction,
    "order": _order,
    "script": _script,
    "task": _task,
}
VETOES = frozenset({"number", "quote", "code", "formula", "language", "opposite", "direction", "script", "task"})
