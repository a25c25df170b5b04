"""Which questions the answers of a store were given to: kept there too, for the next start and for other processes. Pure.

Of each partition the store holds a page, its head, with the newest questions and the names of full pages before it, which
never change. Who has something to add reads the head, adds, and writes it back; what another one overwrites meanwhile is
missed when it is read again, some seconds later, and added again. All of that happens beside calls, a page at a time.

What is read here is no truth: the index finds, the store answers. A question goes from the index with its answer.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..values import Entry, Question
from .embedders.contract import Refused
from .index import About, Index, restored, stored
from .index.pages import Page, Row, read, spelled
from .later import Later
from .reading import LONGEST
from .stores import Shared

_AGAIN_S = 2.0  # between two looks at a partition that is asked
_ROWS, _BYTES = 128, 256 * 1024  # of a page, about
_PAGES = 512  # before a head; the questions of older ones are found when they are asked exactly
_PARTITIONS = 4096  # that are known at a time
_SETTLE_S = 1.0  # for what is under way at the end
_WAITING = 4096  # questions of a partition that are still to be written

Gone = Callable[[str, About], bool]


@dataclass(slots=True)
class _Known:
    """What one process knows of a partition's questions."""

    next_at: float = float("-inf")  # when it is to be looked at again
    read: set[str] = field(default_factory=set)  # full pages
    to_read: list[str] = field(default_factory=list)  # the newest last
    there: bool = False  # a head was seen
    heard: object = None  # what was invalid when the index was last swept
    ours: dict[str, tuple[Entry, str, Any]] = field(default_factory=dict)  # to be written, or not seen there yet
    missed: set[str] = field(default_factory=set)  # keys that the store may not have any more
    namespace: str = ""
    model: str = ""


class Inventory:
    """One process's part in the questions of a store. Thread-safe; all but `look`, `add` and `miss` block."""

    def __init__(self, index: Index, store: Shared, later: Later, dimensions: int) -> None:
        self._index, self._store, self._later, self._dimensions = index, store, later, dimensions
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's to write."""
        self._later.after_fork()
        self._lock, self._known = threading.Lock(), OrderedDict()

    def look(self, partition: str, now: float) -> None:
        """Somebody asks in this partition: have its questions read, if it is time to."""
        known = self._known.get(partition)
        if known is None or now >= known.next_at or now < known.next_at - 2 * _AGAIN_S:
            self._begin(partition, now)

    def add(self, question: Question, vector: Any, entry: Entry) -> None:
        """This question's answer is stored: have others find it, soon."""
        if len(question.text) > LONGEST:
            return
        known = self._of(question.partition)
        with self._lock:
            known.namespace, known.model = entry.namespace, entry.model
            known.missed.discard(entry.key)
            if len(known.ours) < _WAITING:
                known.ours[entry.key] = entry, question.text, vector
        self.look(question.partition, entry.stored_at)

    def miss(self, partition: str, key: str) -> None:
        """The store did not have the answer to this question just now: it goes from the index, if that is so."""
        known = self._of(partition)
        with self._lock:
            if len(known.missed) < _WAITING:
                known.missed.add(key)
            known.next_at = float("-inf")

    def forget(self) -> None:
        """Nothing is known any more, and nothing of what was is written."""
        with self._lock:
            self._known.clear()

    def close(self, now: float) -> None:
        """Write what waits. Raises what the store raises."""
        self._later.settle(_SETTLE_S)
        for partition, known in list(self._known.items()):
            if known.ours or known.missed:
                self._meet(partition, now, reads=False)

    def _of(self, partition: str) -> _Known:
        with self._lock:
            known = self._known.setdefault(partition, _Known())
            self._known.move_to_end(partition)
            if len(self._known) > _PARTITIONS:
                self._known.popitem(last=False)
            return known

    def _begin(self, partition: str, now: float) -> None:
        self._of(partition).next_at = now + _AGAIN_S
        self._later.put(lambda: self._meet(partition, now))

    def _meet(self, partition: str, now: float, *, reads: bool = True) -> None:
        """Read the head, take over what is new there, add what is ours, and write it back if that changes it."""
        known = self._of(partition)
        entry = self._store.surely(_name(partition), now)
        head = self._page(entry)
        if entry is None and known.there:  # somebody has cleared the store
            self._index.drop(partition)
            known.read.clear()
        if entry is not None:
            known.namespace, known.model = entry.namespace, entry.model
        known.there = entry is not None
        gone = self._gone(known, now)
        self._sweep(partition, known, gone)
        missed = self._really_missed(known, now)
        rows = [row for row in head.rows if row.key not in missed and _is_alive(row, gone, now)]
        self._take(partition, known, rows)
        new = self._new_rows(known, gone, now)
        if new or len(rows) < len(head.rows):
            self._write(partition, known, Page((*rows, *new), head.before), now)
            known.there = True
        if reads:
            known.to_read = [name for name, until in head.before if until > now and name not in known.read]
            self._go_on(partition, known, now)

    def _go_on(self, partition: str, known: _Known, now: float) -> None:
        """Have the newest page read that was not; none while the index has no room."""
        if known.to_read and not self._index.is_full:
            self._later.put(lambda: self._turn(partition, known, now))

    def _turn(self, partition: str, known: _Known, now: float) -> None:
        if not known.to_read or self._known.get(partition) is not known:
            return
        name = known.to_read.pop()
        page = self._page(self._store.surely(_name(partition, name), now))
        known.read.add(name)
        gone = self._gone(known, now)
        self._take(partition, known, [row for row in page.rows if _is_alive(row, gone, now)])
        self._go_on(partition, known, now)

    def _page(self, entry: Entry | None) -> Page:
        """What an entry spells; one that is damaged, or an older version's, is as good as none."""
        try:
            return read(entry.body, self._index.fingerprint, self._dimensions) if entry is not None else Page()
        except ValueError:
            return Page()

    def _take(self, partition: str, known: _Known, rows: list[Row]) -> None:
        """Let these be found. What is ours and stands there needs no more writing."""
        for row in reversed(rows):
            with self._lock:
                known.ours.pop(row.key, None)
            if row.key in self._index or row.key in known.missed or len(row.text) > LONGEST:
                continue
            try:
                self._index.add(row.key, partition, restored(row.vector), row.text, about=_about(row))
            except Refused:
                pass  # of whoever wrote it: nobody finds it

    def _new_rows(self, known: _Known, gone: Gone, now: float) -> list[Row]:
        with self._lock:
            rows = [_row(*one) for one in known.ours.values()]
        over = {row.key for row in rows if not _is_alive(row, gone, now)}
        with self._lock:
            for key in over:
                known.ours.pop(key, None)
        return [row for row in rows if row.key not in over]

    def _gone(self, known: _Known, now: float) -> Gone:
        """Says of a row whether its answer was made invalid, as far as was heard."""
        namespace, model = known.namespace, known.model

        def gone(key: str, about: About) -> bool:
            stands_for = Entry(
                key=key, body=b"", has_usage=False, stored_at=about.stored_at, expires_at=now,
                model=model, namespace=namespace, named=about.named, tags=about.tags,
            )  # fmt: skip
            return self._store.gone(stands_for)

        return gone

    def _sweep(self, partition: str, known: _Known, gone: Gone) -> None:
        """Once something more was made invalid: the index forgets the questions to it."""
        heard = self._store.heard
        if known.heard is not heard:
            known.heard = heard
            self._index.sweep(partition, gone)

    def _really_missed(self, known: _Known, now: float) -> set[str]:
        """Of the keys that were missed those that the store has not; a slow one says that there is nothing, too."""
        with self._lock:
            missed = list(known.missed)
        there = {key for key in missed if self._store.surely(key, now) is not None}
        with self._lock:
            known.missed -= there
            for key in known.missed:
                known.ours.pop(key, None)
        for key in set(missed) - there:
            self._index.remove(key)
        return set(known.missed)

    def _write(self, partition: str, known: _Known, head: Page, now: float) -> None:
        """Write a head; what is too much for it as pages before it."""
        before = [(name, until) for name, until in head.before if until > now]
        *full, rows = _cut(head.rows)
        for page in map(Page, full):
            body = spelled(page, self._index.fingerprint)
            name = hashlib.blake2b(body, digest_size=8).hexdigest()
            self._save(_name(partition, name), body, page, known, now)
            before.append((name, page.kept_until))
            known.read.add(name)
        head = Page(rows, tuple(before[-_PAGES:]))
        self._save(_name(partition), spelled(head, self._index.fingerprint), head, known, now)

    def _save(self, key: str, body: bytes, page: Page, known: _Known, now: float) -> None:
        """Of the partition's model and namespace: whoever makes all of their answers invalid means the questions too."""
        until = max(page.kept_until, now + _AGAIN_S)
        entry = Entry(
            key=key, body=body, has_usage=False, stored_at=now, expires_at=until,
            model=known.model, namespace=known.namespace,
        )  # fmt: skip
        self._store.save(entry, now)


def _name(partition: str, page: str = "") -> str:
    """The key of a page; of the head, where no page is named."""
    return hashlib.blake2b(f"semantic questions/{partition}/{page}".encode(), digest_size=16).hexdigest()


def _cut(rows: Sequence[Row]) -> list[tuple[Row, ...]]:
    """The rows of pages, all full but the last one."""
    pages: list[list[Row]] = [[]]
    size = 0
    for row in rows:
        pages[-1].append(row)
        size += len(row.text) + len(row.vector)
        if len(pages[-1]) >= _ROWS or size >= _BYTES:
            pages.append([])
            size = 0
    return [tuple(page) for page in pages]


def _is_alive(row: Row, gone: Gone, now: float) -> bool:
    return row.kept_until > now and not gone(row.key, _about(row))


def _about(row: Row) -> About:
    return About(row.stored_at, row.named, row.tags)


def _row(entry: Entry, text: str, vector: Any) -> Row:
    return Row(entry.key, text, entry.stored_at, entry.kept_until, entry.named, entry.tags, stored(vector))
