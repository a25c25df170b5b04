"""Words that the guards and features know, and what stands for a word's forms. Pure, but for reading one file once.

The lists are data (`data/lexicon.json`). They are English: of prompts in other languages the guards know numbers,
quotes, code and names, and `guards.script` keeps other alphabets out.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The lists as sets and tables; words in lower case, values where said as stems."""

    small: frozenset[str]  # words that carry no subject
    negations: frozenset[str]
    numbers: Mapping[str, float]
    opposites: Mapping[str, tuple[tuple[int, int], ...]]  # word -> (axis, side)
    kinds: Mapping[str, str]  # word -> language, tech, form, time, unit, place
    uncertain: frozenset[str]  # of a kind only when written with a capital
    one_word: Mapping[str, str]  # spelling -> the one we compare
    synonyms: frozenset[tuple[str, str]]  # stems, both ways round
    questions: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]  # first word -> (words, meaning), in order
    together: frozenset[str]  # words by which the order of two names does not matter
    roles: Mapping[str, str]  # preposition -> the part it gives the word after it
    prepositions: frozenset[str]
    determiners: frozenset[str]  # "my", "the" ...: a noun follows
    unmoving: frozenset[str]  # words after which a "to" says of nothing where it goes: "due to"
    pronouns: frozenset[str]
    counting: frozenset[str]  # words that ask for a number


@cache
def lexicon() -> Lexicon:
    """The lists of this version."""
    data = json.loads(pkgutil.get_data(__package__, "data/lexicon.json") or b"{}")
    return Lexicon(
        small=frozenset(data["small"].split()),
        negations=frozenset(data["negations"].split()),
        numbers=data["numbers"],
        opposites=_sides(data["opposites"]),
        kinds={word: kind for kind, words in data["kinds"].items() for word in words.split()},
        uncertain=frozenset(data["uncertain"].split()),
        one_word=data["one_word"],
        synonyms=_both_ways(data["synonyms"]),
        questions=_by_first_word(data["questions"]),
        together=frozenset(data["together"].split()),
        roles=data["roles"],
        prepositions=frozenset(data["prepositions"].split()),
        determiners=frozenset(data["determiners"].split()),
        unmoving=frozenset(data["unmoving"].split()),
        pronouns=frozenset(data["pronouns"].split()),
        counting=frozenset(data["counting"].split()),
    )


def _sides(lines: list[str]) -> dict[str, tuple[tuple[int, int], ...]]:
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for axis, line in enumerate(lines):
        for side, words in enumerate(line.split("|")):
            for word in words.split():
                found[word] = (*found.get(word, ()), (axis, side))
    return found


def _by_first_word(lines: list[list[str]]) -> dict[str, tuple[tuple[tuple[str, ...], str], ...]]:
    found: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {}
    for said, asked in lines:
        words = tuple(said.split())
        found[words[0]] = (*found.get(words[0], ()), (words, asked))
    return found


def _both_ways(groups: list[str]) -> frozenset[tuple[str, str]]:
    stems = [[stem(word) for word in group.split()] for group in groups]
    return frozenset((one, other) for group in stems for one in group for other in group if one != other)


_PLURALS = (
    ("ies", "y"),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)
_ENDINGS = ("ingly", "edly", "ing", "ed", "ly")


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word without the endings of number and tense, in American spelling: equal for forms of one word, mostly."""
    if len(word) <= 3:
        return word
    word = next((word[: -len(end)] + new for end, new in _PLURALS if word.endswith(end)), word)
    for end in _ENDINGS:
        if word.endswith(end) and len(word) - len(end) >= 3:
            word = word[: -len(end)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    if len(word) > 4 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 5:
        word = word.replace("our", "or")
        word = word[:-2] + "iz" if word.endswith("is") else word
    return word
