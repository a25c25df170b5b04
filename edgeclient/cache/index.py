"""Finds the stored prompts that are nearest to a vector, within a partition. Exact: it compares with all of them. Pure.

Bounded by bytes: the oldest go first. Thread-safe.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

_BESIDE = 300  # bytes an entry costs beside its prompt and vector


class Index:
    """Prompts and vectors of length 1 by (partition, key)."""

    def __init__(self, dimensions: int, max_bytes: int) -> None:
        self._dimensions, self._max_bytes = dimensions, max_bytes
        self._entries: OrderedDict[str, tuple[str, str]] = OrderedDict()  # key -> partition, prompt
        self._rows: dict[str, dict[str, Any]] = {}  # partition -> key -> vector
        self._bytes = 0
        self._lock = threading.Lock()

    def add(self, partition: str, key: str, prompt: str, vector: Any) -> None:
        with self._lock:
            self._drop(key)
            self._entries[key] = partition, prompt
            self._rows.setdefault(partition, {})[key] = np.asarray(vector, np.float16)
            self._bytes += self._size(prompt)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def nearest(self, partition: str, vector: Any, most: int) -> list[tuple[str, str, float]]:
        """The nearest entries: key, prompt, cosine; the nearest first."""
        with self._lock:
            rows = self._rows.get(partition)
            if not rows:
                return []
            keys, vectors = list(rows), np.stack(list(rows.values())).astype(np.float32)
            prompts = [self._entries[key][1] for key in keys]
        cosines = vectors @ np.asarray(vector, np.float32)
        return [(keys[n], prompts[n], float(cosines[n])) for n in np.argsort(-cosines, kind="stable")[:most]]

    def drop(self, key: str) -> None:
        with self._lock:
            self._drop(key)

    def partitions(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._rows)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def _drop(self, key: str) -> None:
        partition, prompt = self._entries.pop(key, ("", ""))
        if not partition:
            return
        del self._rows[partition][key]
        if not self._rows[partition]:
            del self._rows[partition]
        self._bytes -= self._size(prompt)

    def _size(self, prompt: str) -> int:
        return 2 * self._dimensions + len(prompt) + _BESIDE
