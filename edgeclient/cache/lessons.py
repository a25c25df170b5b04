"""Keeps what the semantic cache has learned in the store, for the processes that share it and for the next start. Pure.

One entry holds the newest labels of all: who visits takes the others' over, adds its own, and writes all of them back. Two
that write at once lose nothing for long: each has its own labels still, and adds them again at its next visit.
"""

from __future__ import annotations

import hashlib
import json

from ..values import Entry
from .semantic import Semantic
from .stores import Store

_EACH, _EACH_S = 25, 60.0  # labels, or seconds, between two visits
_KEPT_S = 90 * 86_400.0
_OURS = "edgeclient lessons"
_ABSENT = 2  # a store that is slow says that there is nothing, too: believed the second time


class Lessons:
    """One process's visits to a store. Blocking: beside calls only."""

    def __init__(self, semantic: Semantic, store: Store) -> None:
        self._semantic, self._store = semantic, store
        named = f"semantic state 2/{semantic.fingerprint}".encode()
        self._key = hashlib.blake2b(named, digest_size=16).hexdigest()
        self._next_at, self._labels, self._absent = float("-inf"), 0, 0

    def is_due(self, now: float) -> bool:
        """Before each comparison, and after: takes no lock."""
        return now >= self._next_at or self._semantic.labels - self._labels >= _EACH

    def visit(self, now: float) -> None:
        """Take over, add, write back. Raises what a damaged state raises: the caller counts it, and it is replaced."""
        self._next_at, self._labels = now + _EACH_S, self._semantic.labels
        entry = self._store.load(self._key, now)
        self._absent = 0 if entry is not None else self._absent + 1
        try:
            state = self._semantic.exchange(json.loads(entry.body) if entry is not None else None)
        except ValueError:
            self._save(self._semantic.exchange(None), now)
            raise
        if state["labels"] and (entry is not None or self._absent >= _ABSENT):
            self._save(state, now)

    def close(self, now: float) -> None:
        """The last visits: what was learned since the one before is written, though the store knew nothing until now."""
        while self._semantic.labels and (self._labels != self._semantic.labels or 0 < self._absent < _ABSENT):
            self.visit(now)

    def _save(self, state: object, now: float) -> None:
        body = json.dumps(state, separators=(",", ":")).encode()
        self._store.save(
            Entry(
                key=self._key,
                body=body,
                has_usage=False,
                model=_OURS,  # whoever makes the answers of a model, or of a namespace, invalid does not mean these
                namespace=_OURS,
                stored_at=now,
                expires_at=now + _KEPT_S,
            ),
            now,
        )
