"""Runs one thread that writes for all callers: a bounded queue off the call path. When it is full, entries are dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice

from ...values import Entry

_MOST, _MOST_BYTES = 2048, 32 * 2**20  # entries and bytes that may wait
_BATCH = 128
_IDLE_S = 10.0

Pending = tuple["Entry | None", float]  # None: delete it; and when it was saved
Write = Callable[[dict[str, Pending]], None]


class Writer:
    """Gives batches to `write` in a daemon thread, which starts when there is something to write. `write` never raises.

    Of two entries under one key the later one counts. Until it is written, an entry can be found here.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's to write."""
        self._awake = threading.Condition(threading.Lock())
        self._waiting: dict[str, Pending] = {}
        self._bytes = 0
        self._under_way: dict[str, Pending] = {}
        self._running = False

    def put(self, key: str, entry: Entry | None, now: float) -> bool:
        """Queue an entry, or its deletion; False when the queue is full or no thread can be had."""
        size = entry.size if entry is not None else 0
        with self._awake:
            self._take_back(key)
            if len(self._waiting) >= _MOST or self._bytes + size > _MOST_BYTES:
                return False
            if not self._running:
                try:
                    threading.Thread(target=self._run, name="edgeclient-cache-writer", daemon=True).start()
                except RuntimeError:  # at interpreter exit, or at the limit
                    return False
                self._running = True
            self._waiting[key] = entry, now
            self._bytes += size
            self._awake.notify_all()
            return True

    def pending(self, key: str) -> Pending | None:
        """What is still to be written under this key. Takes no lock: a dict is read in one step."""
        return self._waiting.get(key) or self._under_way.get(key)

    def forget(self) -> None:
        """Drop what waits, and wait for what is being written."""
        with self._awake:
            self._waiting, self._bytes = {}, 0
            self._awake.wait_for(lambda: not self._under_way, 2.0)

    def flush(self, longest_s: float) -> bool:
        """Wait until all is written; False when that took too long."""
        with self._awake:
            return self._awake.wait_for(lambda: not self._waiting and not self._under_way, longest_s)

    def _take_back(self, key: str) -> None:
        known = self._waiting.pop(key, None)
        if known is not None and known[0] is not None:
            self._bytes -= known[0].size

    def _run(self) -> None:
        while batch := self._next():
            self._write(batch)
            with self._awake:
                self._under_way = {}
                self._awake.notify_all()

    def _next(self) -> dict[str, Pending]:
        """The next batch; {} when there was none for a while, and the thread is over."""
        with self._awake:
            if not self._waiting and not self._awake.wait_for(lambda: bool(self._waiting), _IDLE_S):
                self._running = False
                return {}
            batch = dict(islice(self._waiting.items(), _BATCH))
            self._under_way = batch  # before it leaves the other: a reader finds it in one of the two
            for key in batch:
                self._take_back(key)
            return batch
