"""What one prompt says, taken apart once: words, numbers, quotes, code, names, kinds, order. Pure.

Guards and features compare two readings; nothing here compares. Reading is linear in the prompt's length.
"""

from __future__ import annotations

import marshal
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from .letters import foreign
from .lexicon import Lexicon, lexicon, stem
from .roles import Parts, of_all, of_special

LONGEST = 20_000  # characters; longer prompts have no reading: they are answered only when equal after normalising

_WORD = re.compile(r"c\+\+|c#|[^\W_]+(?:'[a-z]+)?", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<![\w.])[$€£]?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(k|m|bn|st|nd|rd|th)?(?!\d)", re.IGNORECASE
)
_LETTERS = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_QUOTED = re.compile(r"\"([^\"\n]{1,300})\"|“([^”\n]{1,300})”|(?<!\w)'([^'\n]{1,300}?)'(?!\w)|«([^»\n]{1,300})»")
_CODE = re.compile(
    r"`[^`\n]+`|https?://\S+|\S{1,64}@\S{1,64}\.\w+"  # in backticks; addresses
    r"|(?<!\w)--?[a-zA-Z][\w-]*(?=\s|$|=)|(?<![\w/])[~.]?/[\w./*-]+|\b[A-Za-z]:\\\S+"  # flags and paths
    r"|\b[a-zA-Z0-9]+(?:_[a-zA-Z0-9]+)+\b|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z]+[A-Z]\w*\b"  # snake_case, camelCase
    r"|\b\w[\w-]*\.(?:py|js|ts|java|cpp|c|h|go|rs|rb|php|csv|json|txt|sql|pdf|ya?ml|xml|html|css|sh|md|log|tar|gz|zip"
    r"|conf|ini|exe|dll|mp[34]|png|jpg)\b|\b\w+\.\w+\(|\b\w+\(\)|\$\w+|#[0-9a-fA-F]{6}\b|\*\.\w+"
)
# Most prompts have none of these characters, and a look at them costs a tenth of the patterns.
_CODE_HINT = re.compile(r"[`@/\\_($#*\-]|\.[a-z]|[a-z][A-Z]|[^\x00-\x7f]")
_QUOTE_HINT, _SIGN_HINT = frozenset("\"“'«"), frozenset("+*/^=<>≤≥×÷−|-")
_FORMULA = re.compile(r"[0-9a-zA-Z)\]|]\s*(?:[+*/^=<>≤≥×÷−|]|-(?=\s|\d|[a-z]\b))+\s*[0-9a-zA-Z(\[|\\]")
_SIGNS = re.compile(r"[-+*/^=<>≤≥×÷−|]|\d+")
_COURTESY = re.compile(
    r"^(?:(?:hi|hello|hey|please|kindly|quick question|question|(?:could|can|would) you(?: please)?"
    r"|i need you to|i'd like you to|i want you to)\b[\s,:!.\-]*)+",
    re.IGNORECASE,
)
_THANKS = re.compile(r"(?:\b(?:please help|please|thanks in advance|thanks|thank you|thx)\b[\s,.!?]*)+$", re.IGNORECASE)
_MENTIONS = re.compile(
    r"\b(?:say|says|said|saying|spell|write|word|words|of|for|to|translate|define|mean|means|pronounce|between|and|or)\s*$",
    re.IGNORECASE,
)  # before a "thanks" that is what the prompt is about
_BEGINS = re.compile(r"^(?:[\s,;:?]|\.\.+)+")  # a single point stays: of .5, of .net
_FACTORIAL = re.compile(r"(?:[\d)\]]|\b[a-z])$", re.IGNORECASE)
_INDENTED = re.compile(r"\n(?: {2,}|\t)\s*\S")


class Reading(NamedTuple):
    """One prompt, taken apart. Sets and tuples are of lower-case words or stems, as said.

    A named tuple, because five are made for each lookup, and a frozen dataclass of so many fields takes 3 µs more.
    """

    text: str
    equal: str  # the prompt after normalising; two prompts with the same one ask the same
    words: tuple[str, ...]
    stems: tuple[str, ...]  # of all words, in order
    content: tuple[str, ...]  # stems of words that carry a subject, in order, each once
    originals: Mapping[str, str]  # content stem -> a word that has it
    numbers: Mapping[str, int]  # value -> how often
    quoted: frozenset[str]
    code: frozenset[str]
    formula: str
    names: frozenset[str]  # stems of words with a capital where none is due
    kinds: Mapping[str, frozenset[str]]  # language, tech, form, time, unit, place -> words
    sides: Mapping[int, int]  # axis of opposites -> side, where the prompt names one side only
    negations: int
    question: str  # who, when, where, why, how many ...; "" when none is asked
    roles: Parts  # of special words
    parts: Parts  # of all that carry a subject
    order: Mapping[str, tuple[str, ...]]  # kind -> its special words, in order
    together: bool  # the order of two names does not matter
    foreign: bool  # letters of other alphabets, or characters that nobody sees or that look like others


def normal(text: str) -> str:
    """The prompt without what cannot change its answer: case, spacing, courtesy, punctuation at its end.

    Case and spacing are kept where they may count: in prompts with code, quotes or indented lines.
    """
    text = text.replace("’", "'")
    exact = _is_exact(text)
    text = text.strip() if exact else " ".join(text.split())
    text = _without_end(_without_thanks(_COURTESY.sub("", text)))
    text = _BEGINS.sub("", text)
    return text if exact else text.lower()


def _is_exact(text: str) -> bool:
    if _CODE_HINT.search(text) and _CODE.search(text):
        return True
    return bool(
        (not _QUOTE_HINT.isdisjoint(text) and _QUOTED.search(text)) or ("\n" in text and _INDENTED.search(text))
    )


def _without_thanks(text: str) -> str:
    begun = max(0, len(text) - 80)  # the pattern looks for an end: in a long prompt it need not look everywhere
    tail = text[begun:]
    found = _THANKS.search(tail)
    if not found or _MENTIONS.search(tail[: found.start()]):
        return text
    return text[:begun] + tail[: found.start()]


def _without_end(text: str) -> str:
    kept = text.rstrip(" .?!,;:")
    factorial = text[len(kept) : len(kept) + 1] == "!" and _FACTORIAL.search(kept[-4:])
    return kept + "!" if factorial else kept


def read(text: str) -> Reading | None:
    """The reading of a prompt; None for one that is too long."""
    if len(text) > LONGEST:
        return None
    lex = lexicon()
    plain = unicodedata.normalize("NFC", text).replace("’", "'")
    found = list(_WORD.finditer(plain))
    words = tuple(match.group().lower().removesuffix("'s") for match in found)
    stems = tuple(map(stem, words))
    names = frozenset(_names(plain, found, lex))
    originals = {
        one: word for word, one in zip(words, stems, strict=True) if word not in lex.small and word not in lex.negations
    }
    kinds = _kinds(words, found, lex)
    special = _special(words, stems, names, kinds, lex)
    owners = [place for place, match in enumerate(found) if match.group().endswith("'s")] if "'s" in plain else []
    return Reading(
        text=plain,
        equal=normal(text),
        words=words,
        stems=stems,
        content=tuple(originals),
        originals=originals,
        numbers=_numbers(plain, words, lex),
        quoted=frozenset(_quotes(plain)),
        code=frozenset(_codes(plain)),
        formula=_formula(plain),
        names=names,
        kinds=kinds,
        sides=_one_sided(words, lex),
        negations=sum(word in lex.negations or word.endswith("n't") for word in words),
        question=_question(words[:12], lex),
        roles=of_special(words, special, lex),
        parts=of_all(words, stems, owners, lex),
        order=_order(special),
        together=not lex.together.isdisjoint(words),
        foreign=foreign(plain),
    )


def _names(text: str, found: list[re.Match[str]], lex: Lexicon) -> Iterator[str]:
    capital = [match for match in found if match.group()[0].isupper()]
    if len(capital) > max(3, 0.6 * len(found)):
        return  # a headline, or shouting: capitals say nothing
    for match in capital:
        word = match.group()
        low = word.lower().removesuffix("'s")
        if len(word) < 2 or low in lex.small or low in lex.negations:
            continue
        before = text[: match.start()].rstrip(" \t") if match.start() < 40 else text[match.start() - 40 : match.start()]
        before = before.rstrip(" \t")
        begins = not before or before[-1] in ".?!:\n\"'“*-•)("
        if not begins or word.isupper() or any(char.isdigit() for char in word):
            yield stem(low)


def _numbers(text: str, words: tuple[str, ...], lex: Lexicon) -> Counter[str]:
    found: Counter[str] = Counter()
    if _DIGIT.search(text):
        found.update(_value(match[1], match[2] or "") for match in _NUMBER.finditer(text))
    for word in words:
        if word in lex.numbers and word not in ("second", "first", "half"):
            found[f"{lex.numbers[word]:g}"] += 1
    return found


def _value(digits: str, suffix: str) -> str:
    number = digits.replace(",", "")
    times = {"k": 1e3, "m": 1e6, "bn": 1e9}.get(suffix.lower(), 1)
    return f"{float(number) * times:.15g}" if len(number) < 16 else number


def _formula(text: str) -> str:
    if _SIGN_HINT.isdisjoint(text) or not _FORMULA.search(text):
        return ""
    return "".join(_SIGNS.findall(text.replace(",", ""))).strip("=-")


def _quotes(text: str) -> Iterator[str]:
    if _QUOTE_HINT.isdisjoint(text):
        return
    for groups in _QUOTED.findall(text):
        said = " ".join(re.findall(r"\w+", "".join(groups).lower()))
        if said:
            yield said


def _codes(text: str) -> Iterator[str]:
    if not _CODE_HINT.search(text):
        return
    for match in _CODE.finditer(text):
        said = match.group().strip("`").rstrip(".,;:?!)(").lower()
        if said and said not in ("e.g", "i.e"):
            yield said


def _kinds(words: tuple[str, ...], found: list[re.Match[str]], lex: Lexicon) -> dict[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for place, word in enumerate(words):
        kind = lex.kinds.get(word)
        sure = word not in lex.uncertain or (place > 0 and found[place].group()[0].isupper())
        if kind and sure:
            kinds.setdefault(kind, set()).add(lex.one_word.get(word, word))
    return {kind: frozenset(members) for kind, members in kinds.items()}


def _one_sided(words: tuple[str, ...], lex: Lexicon) -> dict[int, int]:
    sides: dict[int, set[int]] = {}
    for word in words:
        for axis, side in lex.opposites.get(word, ()):
            sides.setdefault(axis, set()).add(side)
    return {axis: next(iter(said)) for axis, said in sides.items() if len(said) == 1}


def _question(words: tuple[str, ...], lex: Lexicon) -> str:
    """What the first question among the first words asks for."""
    for place, word in enumerate(words):
        for asked, meaning in lex.questions.get(word, ()):
            if words[place : place + len(asked)] == asked:
                return meaning
    return ""


def _special(
    words: tuple[str, ...],
    stems: tuple[str, ...],
    names: frozenset[str],
    kinds: Mapping[str, frozenset[str]],
    lex: Lexicon,
) -> list[tuple[int, str, str]]:
    """(place, kind, stem) of each word that is a number, a name or of a kind."""
    found = []
    for place, word in enumerate(words):
        one = lex.one_word.get(word, word)
        kind = lex.kinds.get(word, "")
        if word.isdigit() or word in lex.numbers:
            found.append((place, "number", word))
        elif kind and one in kinds.get(kind, ()):
            found.append((place, kind, stem(one)))
        elif stems[place] in names:
            found.append((place, "name", stems[place]))
    return found


def _order(special: list[tuple[int, str, str]]) -> dict[str, tuple[str, ...]]:
    order: dict[str, list[str]] = {}
    for _, kind, one in special:
        order.setdefault(kind, []).append(one)
    return {kind: tuple(ones) for kind, ones in order.items()}


@lru_cache(maxsize=32)
def grams(text: str) -> frozenset[str]:
    """The groups of four characters in a reading's text; one of fewer, when there are no more."""
    said = " ".join(_LETTERS.findall(text[:3000].lower()))
    # Strings, because tuples, made sooner, keep the garbage collector busy.
    return frozenset([said[at : at + 4] for at in range(max(1, len(said) - 3))])


def packed(reading: Reading) -> bytes:
    """A reading in a twentieth of its size, to be kept with an entry; for this process alone."""
    return marshal.dumps(tuple(dict(value) if isinstance(value, Mapping) else value for value in reading))


def unpacked(data: bytes) -> Reading:
    """The reading again, in a tenth of the time that it took to read."""
    return Reading._make(marshal.loads(data))
