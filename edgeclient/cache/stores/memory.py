"""Entries in this process's memory, bounded by bytes, least recently used out first."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from ...values import Entry


class MemoryStore:
    """A `Store` on cachetools' LRU cache. The caller tells the time; an entry past its own goes when it is asked for."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries = self._empty()

    def load(self, key: str, now: float) -> Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at <= now:
                del self._entries[key]
                return None
            return entry

    def save(self, entry: Entry, now: float) -> None:
        with self._lock:
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

    def _empty(self) -> LRUCache[str, Entry]:
        return LRUCache(self._max_bytes, getsizeof=lambda entry: entry.size)
