"""What a caller may say about caching for one call: request directives of RFC 9111 (5.2.1) and RFC 5861 (4). Pure.

Directives that are not known here are ignored, as the RFC demands, and noted; so is a malformed one. Besides, four
headers of our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..values import UNSAID, Controls

OWN = "edge-cache-"  # how our headers begin
Note = Callable[[str, str], object]  # takes a header and what is wrong with it

_LONGEST_S = 2.0**31  # what a longer time means (RFC 9111, section 1.2.2)
_WORDS = frozenset({"no-store", "no-cache", "only-if-cached"})
_TIMES = frozenset({"max-age", "stale-if-error", "stale-while-revalidate"})
_NUMBER = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")


def read(headers: Iterable[tuple[str, str]], note: Note = lambda name, why: None) -> Controls:
    """The controls in a request's `Cache-Control` headers, and in those of our own.

    `no-store`: neither answered from the cache nor stored. `no-cache`: not answered from it, but stored (a refresh).
    `max-age=N`: answered only by an entry that is at most N seconds old. `only-if-cached`: never sent; 504 on a miss.
    `stale-if-error=N`: when every attempt failed, an entry answers that was fresh until at most N seconds ago.
    `stale-while-revalidate=N`: one that was fresh until at most N seconds ago answers, and is asked for anew beside the call.
    `Edge-Cache-Key`, `-Namespace`, `-Ttl` (seconds), `-Tag` or `-Tags` (a list with commas): see `Controls`. Of one that
    comes more than once the values are one list. `note` hears of what is not understood.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if name == "cache-control" or name.startswith(OWN):
            found[name] = f"{found[name]},{value}" if name in found else value
    said = _directives(found.pop("cache-control", ""), note)
    return _with_own(said, found, note) if found else said


def within(said: Controls, around: Controls) -> Controls:
    """What one call says, inside of a block that says something for all of its calls. The call itself has the last word."""
    return replace(
        said,
        store=said.store and around.store,
        lookup=said.lookup and around.lookup,
        namespace=said.namespace or around.namespace,
        ttl_s=around.ttl_s if said.ttl_s is None else said.ttl_s,
        tags=tuple(dict.fromkeys((*around.tags, *said.tags))),
    )


def _with_own(said: Controls, found: dict[str, str], note: Note) -> Controls:
    ttl_s, tags = None, list[str]()
    for name, value in found.items():
        word = name.removeprefix(OWN)
        if word == "ttl":
            ttl_s = lifetime_s(value)
            if ttl_s is None:
                note("Edge-Cache-Ttl", f"{value!r} is no time in seconds above zero")
        elif word in ("tag", "tags"):
            tags += tags_of(value)
        elif word not in ("key", "namespace"):
            note(name, "there is no such word; say Edge-Cache-Key, -Namespace, -Ttl or -Tag")
    named, namespace = found.get(f"{OWN}key", "").strip(), found.get(f"{OWN}namespace", "").strip()
    return replace(said, named=named, namespace=namespace, ttl_s=ttl_s, tags=tuple(dict.fromkeys(tags)))


def tags_of(said: str) -> list[str]:
    """The tags in a list with commas."""
    return [tag for one in said.split(",") if (tag := one.strip())]


def lifetime_s(said: str) -> float | None:
    """Seconds above zero; None for anything else."""
    said = said.strip()
    seconds = float(said) if _NUMBER.fullmatch(said) else 0.0
    return min(seconds, _LONGEST_S) if seconds > 0 else None


def _directives(said: str, note: Note) -> Controls:
    said = said.lower()
    if not said:
        return UNSAID
    words = {name.strip(): value.strip() for name, _, value in (word.partition("=") for word in said.split(","))}
    for word in words.keys() - _WORDS - _TIMES - {""}:
        note("Cache-Control", f"{word!r} is no word for this cache; say {', '.join(sorted(_WORDS | _TIMES))}")
    times = {word: _seconds(words[word], word, note) for word in words.keys() & _TIMES}
    return Controls(
        store="no-store" not in words,
        lookup="no-store" not in words and "no-cache" not in words,
        max_age_s=times.get("max-age"),
        only_if_cached="only-if-cached" in words,
        stale_if_error_s=times.get("stale-if-error"),
        stale_while_revalidate_s=times.get("stale-while-revalidate"),
    )


def _seconds(said: str, word: str, note: Note) -> float | None:
    quoted = said[:1] == said[-1:] == '"'  # either form has to be understood (RFC 9111, section 5.2)
    number = said[1:-1] if quoted else said
    if number.isdecimal() and number.isascii():
        return min(float(number), _LONGEST_S)
    note("Cache-Control", f"{word}={said} is no whole number of seconds")
    return None
