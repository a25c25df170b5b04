"""Keeps what the semantic cache has learned in the store, for the processes that share it and for the next start. Pure.

One entry holds the newest labels of all: who visits takes the others' over, adds its own, and writes all of them back. Two
that write at once lose nothing for long: each has its own labels still, and adds them again at its next visit.
"""

from __future__ import annotations

import hashlib
import json

from ..values import Entry
from .semantic import Semantic
from .stores import Shared

_EACH, _EACH_S = 25, 60.0  # labels, or seconds, between two visits
_KEPT_S = 90 * 86_400.0
_OURS = "edgeclient lessons"


class Lessons:
    """One process's visits to a store. Blocking: beside calls only."""

    def __init__(self, semantic: Semantic, store: Shared) -> None:
        self._semantic, self._store = semantic, store
        named = f"semantic state 2/{semantic.fingerprint}".encode()
        self._key = hashlib.blake2b(named, digest_size=16).hexdigest()
        self._next_at = float("-inf")
        self._labels = self._written = 0  # so many there were at the last visit, and at the last that succeeded

    def is_due(self, now: float) -> bool:
        """Before each comparison, and after: takes no lock."""
        return now >= self._next_at or self._semantic.labels - self._labels >= _EACH

    def visit(self, now: float) -> None:
        """Take over, add, write back. Nothing is written where the store cannot tell what it has: then this raises.

        Raises, too, what a damaged state raises: the caller counts it, and it is replaced.
        """
        labels = self._semantic.labels
        self._next_at, self._labels = now + _EACH_S, labels
        entry = self._store.surely(self._key, now)
        try:
            state = self._semantic.exchange(json.loads(entry.body) if entry is not None else None)
        except ValueError:
            self._save(self._semantic.exchange(None), now)
            raise
        if state["labels"]:
            self._save(state, now)
        self._written = labels

    def close(self, now: float) -> None:
        """The last visit, if something was learned since the one before."""
        if self._semantic.labels != self._written:
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
