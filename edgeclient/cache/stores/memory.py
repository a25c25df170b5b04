"""Entries in this process's memory, bounded by bytes, least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from ...values import Entry
from ..marks import Subject

_JITTER_S = 1.0  # two threads may tell the time in the wrong order; a clock that was set goes further back


class MemoryStore:
    """A `Store` on an ordered dict. The caller tells the time; an entry past its own goes when it is asked for."""

    waits = leases = False

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()  # the least recently used first
        self._bytes = 0  # the sum of their sizes
        self._latest = 0.0  # the time that was told last

    def load(self, key: str, now: float) -> Entry | None:
        with self._lock:
            if now < self._latest:
                self._set_back(now)
            self._latest = now
            entry = self._entries.get(key)
            if entry is not None and not entry.stored_at <= now < entry.kept_until:
                if entry.kept_until <= now:
                    self._drop(key)
                return None
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    async def load_async(self, key: str, now: float) -> Entry | None:
        return self.load(key, now)

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return None  # a flight does it, in one process

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return None

    def release(self, key: str) -> None: ...

    def load_many(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        return [self.load(key, now) for key in keys]

    async def load_many_async(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        return self.load_many(keys, now)

    def save(self, entry: Entry, now: float) -> bool:
        with self._lock:
            if now < self._latest:
                self._set_back(now)
            self._latest = now
            if entry.key in self._entries:
                self._drop(entry.key)
            if entry.size > self._max_bytes:
                return False
            self._entries[entry.key] = entry
            self._bytes += entry.size
            while self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1].size
            return True

    def delete(self, key: str) -> None:
        with self._lock:
            self._drop(key)

    def invalidate(self, subject: Subject, at: float) -> None:
        with self._lock:
            for key in [key for key, one in self._entries.items() if one.stored_at <= at and subject.fits(one)]:
                self._drop(key)

    def gone(self, entry: Entry) -> bool:
        return False  # it would not be here

    async def gone_async(self, entry: Entry) -> bool:
        return False

    def clear(self) -> None:
        with self._lock:
            self._entries, self._bytes = OrderedDict(), 0

    def usage(self) -> tuple[int, int]:
        with self._lock:
            return len(self._entries), self._bytes

    def close(self) -> None:
        self.clear()

    def after_fork(self) -> None:
        """In a forked child: a lock that was held at the fork is never released, and what it guarded may be half-written."""
        if self._lock.locked():
            self._lock, self._entries, self._bytes = threading.Lock(), OrderedDict(), 0

    def _set_back(self, now: float) -> None:
        """When the clock went back: forget what is of the future now. It would come to life when its time comes again."""
        if now < self._latest - _JITTER_S:
            for key in [key for key, entry in self._entries.items() if entry.stored_at > now]:
                self._drop(key)

    def _drop(self, key: str) -> None:
        gone = self._entries.pop(key, None)
        if gone is not None:
            self._bytes -= gone.size
