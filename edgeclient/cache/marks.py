"""What has been made invalid, and when: told by marks that are looked at with each entry that is found. Pure.

A mark says that whatever fits it and was stored until then is gone. So nothing has to be searched, and a mark that another
process wrote holds here as soon as it is read. Stores keep a set of them, as texts: two processes that add to it at the same
time lose nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..values import Entry

MOST = 512  # marks that one store keeps
_NEVER = float("-inf")
_dumps = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Subject(NamedTuple):
    """Which entries are meant: those that fit all that is said; None is not said, and nothing said means all of them.

    `key`: the key of an entry, or what its caller called the question.
    """

    key: str | None = None
    namespace: str | None = None
    model: str | None = None
    tag: str | None = None

    def fits(self, entry: Entry) -> bool:
        """True when the entry is meant. One that does not say its model may be of any."""
        return (
            (self.key is None or self.key == entry.key or (entry.named != "" and self.key == entry.named))
            and (self.namespace is None or self.namespace == entry.namespace)
            and (self.model is None or not entry.model or self.model == entry.model)
            and (self.tag is None or self.tag in entry.tags)
        )


EVERYTHING = Subject()


@dataclass(frozen=True, slots=True)
class Mark:
    """What fits `subject` and was stored until `at`, in wall-clock seconds, is gone."""

    subject: Subject
    at: float

    def spelled(self) -> str:
        """As a text, by which stores keep it."""
        return _dumps([*self.subject, self.at])


def read(text: str) -> Mark:
    """The mark that a text spells. A newer version's may mean anything, so it means all; its time stands last, as in ours.

    What is no mark at all means nothing.
    """
    try:
        *said, at = json.loads(text)
        known = all(one is None or isinstance(one, str) for one in said) and len(said) == len(Subject._fields)
        return Mark(Subject(*said) if known else EVERYTHING, float(at))
    except (ValueError, TypeError, RecursionError):
        return Mark(EVERYTHING, _NEVER)


def added(mark: Mark, kept: Collection[str]) -> tuple[list[str], list[str]]:
    """What to add to the marks that a store keeps, and what of them to drop afterwards, so that no more than `MOST` stay.

    Of those that are too many the oldest go; then all that was stored until the last of them is gone with them.
    """
    read_ones = {text: read(text) for text in kept}
    covered = [text for text, one in read_ones.items() if one.subject == mark.subject and one.at <= mark.at]
    left = sorted((one.at, text) for text, one in read_ones.items() if text not in covered)
    over = left[: max(0, len(left) + 2 - MOST)]
    new = [mark] if not over else [mark, Mark(EVERYTHING, over[-1][0])]
    texts = [one.spelled() for one in new]
    return texts, [text for text in (*covered, *(text for _, text in over)) if text not in texts]


class Marks:
    """The marks of one store, as far as this process has heard of them. Thread-safe.

    None is forgotten but those that a later one covers: entries that a store has let go of may be in memory.
    """

    def __init__(self) -> None:
        self._at: dict[tuple[str | None, ...], float] = {}
        self._latest = _NEVER
        self.after_fork()

    @property
    def heard(self) -> object:
        """Another one whenever something more was made invalid."""
        return self._at

    def after_fork(self) -> None:
        self._heard: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def hear(self, texts: Collection[str]) -> None:
        """Take in what a store keeps."""
        if self._heard.issuperset(texts):
            return
        with self._lock:
            at = dict(self._at)
            for mark in map(read, texts):
                at[mark.subject] = max(mark.at, at.get(mark.subject, _NEVER))
            all_until = at.get(EVERYTHING, _NEVER)
            at = {subject: until for subject, until in at.items() if until > all_until or subject == EVERYTHING}
            self._at, self._latest = at, max(at.values())  # made anew: a reader sees the one or the other
            self._heard = frozenset(texts)

    def gone(self, entry: Entry) -> bool:
        """True when a mark says so."""
        if entry.stored_at > self._latest:
            return False
        at, stored = self._at, entry.stored_at
        if not entry.model:  # it fits any
            return any(stored <= when and Subject(*said).fits(entry) for said, when in at.items())
        return any(
            stored <= at.get((key, namespace, model, tag), _NEVER)  # a tuple is as good, and made in half the time
            for key in _said(entry.key, entry.named)
            for namespace in (None, entry.namespace)
            for model in (None, entry.model)
            for tag in _said(*entry.tags)
        )


def _said(*texts: str) -> Iterable[str | None]:
    return (None, *(one for one in texts if one))
