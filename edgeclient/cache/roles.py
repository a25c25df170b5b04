"""Which part a word plays in its prompt: where something comes from, where it goes, what is before and after. Pure.

English says that by the word in front: "from my bank", "to another bank". A part is `src`, `dst`, `bef`, `aft`, or, of
special words (names, places, numbers, kinds) alone, `ref` and `ovr`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from .lexicon import Lexicon

Parts = Mapping[str, frozenset[str]]  # stem -> its parts

_AGAINST = {"src": "dst", "dst": "src", "bef": "aft", "aft": "bef"}
_PHRASE = 3  # words after "to my" or "from the" that belong to it: "new bank account"


def of_special(words: Sequence[str], special: Sequence[tuple[int, str, str]], lex: Lexicon) -> Parts:
    """The parts of special words (place, kind, stem): what the nearest of three words before says."""
    found: dict[str, set[str]] = {}
    for place, _, one in special:
        for before in reversed(words[max(0, place - 3) : place]):
            if before in lex.roles:
                found.setdefault(one, set()).add(lex.roles[before])
                break
    return {one: frozenset(parts) for one, parts in found.items()}


def of_all(words: Sequence[str], stems: Sequence[str], owners: Collection[int], lex: Lexicon) -> Parts:
    """The parts of all words that carry a subject. `owners`: places of words with a possessive 's, which have none."""
    found: dict[str, set[str]] = {}
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        part = "src" if word == "of" and before == "out" else lex.roles.get(word, "")
        if part in _AGAINST and before not in lex.unmoving:
            for at in _phrase(words, place, lex):
                if at not in owners:
                    found.setdefault(stems[at], set()).add(part)
    return {one: frozenset(parts) for one, parts in found.items()}


def _phrase(words: Sequence[str], place: int, lex: Lexicon) -> range:
    """The places of the words that the preposition at `place` belongs to: after "my" or "the", up to a small word."""
    begin = place + 1
    while begin < len(words) and words[begin] in lex.determiners:
        begin += 1
    most = _PHRASE if begin > place + 1 or words[place] != "to" else 0 if _before_a_verb(words, place, lex) else 1
    end = begin
    while end < min(len(words), begin + most) and not _is_small(words[end], lex):
        end += 1
    return range(begin, end)


def _before_a_verb(words: Sequence[str], place: int, lex: Lexicon) -> bool:
    """True for "how to pay", "ways to pay the bill": such a "to" comes after a small word, or its verb has an object."""
    after = words[place + 2] if place + 2 < len(words) else ""
    return place == 0 or words[place - 1] in lex.small or after in lex.determiners


def _is_small(word: str, lex: Lexicon) -> bool:
    return word in lex.small or word in lex.prepositions or word in lex.negations


def against(a: Parts, b: Parts) -> bool:
    """True when a word is where something comes from in one, and where it goes in the other; so with before and after."""
    return any(
        one in b and part.isdisjoint(b[one]) and any(_AGAINST[said] in b[one] for said in part)
        for one, part in a.items()
    )
