"""Entries in this process's memory, bounded by bytes, least recently used out first."""

from __future__ import annotations

import threading

from cachetools import TLRUCache

from ...values import Entry


class MemoryStore:
    """A `Store` on cachetools' TLRU cache. The caller says what time it is."""

    def __init__(self, max_bytes: int) -> None:
        self._now = 0.0
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries = self._empty()

    def load(self, key: str, now: float) -> Entry | None:
        with self._lock:
            self._now = now
            return self._entries.get(key)

    def save(self, entry: Entry, now: float) -> None:
        with self._lock:
            self._now = now
            if entry.size > self._max_bytes:
                self._entries.pop(entry.key, None)
                return
            self._entries[entry.key] = entry

    def clear(self) -> None:
        with self._lock:
            self._entries = self._empty()

    def usage(self) -> tuple[int, int]:
        with self._lock:
            return len(self._entries), int(self._entries.currsize)

    def after_fork(self) -> None:
        """In a forked child: a lock that was held at the fork is never released, and what it guarded may be half-written."""
        if self._lock.locked():
            self._lock, self._entries = threading.Lock(), self._empty()

    def _empty(self) -> TLRUCache[str, Entry]:
        return TLRUCache(
            self._max_bytes,
            ttu=lambda _, entry, __: entry.expires_at,
            timer=lambda: self._now,
            getsizeof=lambda entry: entry.size,
        )
