"""Entries in this process's memory, bounded by bytes, least recently used out first."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cachetools import LRUCache

from ...values import Entry

_JITTER_S = 1.0  # two threads may tell the time in the wrong order; a clock that was set goes further back


class MemoryStore:
    """A `Store` on cachetools' LRU cache. The caller tells the time; an entry past its own goes when it is asked for."""

    waits = leases = False

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries = self._empty()
        self._latest = 0.0  # the time that was told last

    def load(self, key: str, now: float) -> Entry | None:
        with self._lock:
            if now < self._latest:
                self._set_back(now)
            self._latest = now
            entry = self._entries.get(key)
            if entry is not None and not entry.stored_at <= now < entry.kept_until:
                if entry.kept_until <= now:
                    del self._entries[key]
                return None
            return entry

    async def load_async(self, key: str, now: float) -> Entry | None:
        return self.load(key, now)

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return None  # a flight does it, in one process

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return None

    def release(self, key: str) -> None: ...

    def save(self, entry: Entry, now: float) -> bool:
        with self._lock:
            if now < self._latest:
                self._set_back(now)
            self._latest = now
            if entry.size > self._max_bytes:
                self._entries.pop(entry.key, None)
                return False
            self._entries[entry.key] = entry
            return True

    def delete(self, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._entries = self._empty()

    def usage(self) -> tuple[int, int]:
        with self._lock:
            return len(self._entries), int(self._entries.currsize)

    def close(self) -> None:
        self.clear()

    def after_fork(self) -> None:
        """In a forked child: a lock that was held at the fork is never released, and what it guarded may be half-written."""
        if self._lock.locked():
            self._lock, self._entries = threading.Lock(), self._empty()

    def _set_back(self, now: float) -> None:
        """When the clock went back: forget what is of the future now. It would come to life when its time comes again."""
        if now < self._latest - _JITTER_S:
            for key in [key for key, entry in self._entries.items() if entry.stored_at > now]:
                del self._entries[key]

    def _empty(self) -> LRUCache[str, Entry]:
        return LRUCache(self._max_bytes, getsizeof=lambda entry: entry.size)
