"""Which settings of a cache have no use in the kind of cache that is chosen. Reads a variable that names the store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

_SEMANTIC = ("semantic", "max_wrong_rate", "audit_rate", "embedder", "index_bytes")
_SIZED = ("sqlite", "postgres")  # how stores begin that hold so many bytes at the most


def misfit(said: Mapping[str, Any]) -> str:
    """What is wrong with settings that would be ignored, and what to do; "" when each of them has a use.

    `said`: those that are not at their defaults. A cache that is off may say anything, which waits to be switched on again.
    """
    mode = said.get("mode", "off")
    return next(_misfits(said, mode), "") if mode in ("exact", "semantic") else ""


def _misfits(said: Mapping[str, Any], mode: object) -> Iterator[str]:
    for name in _SEMANTIC:
        if name in said and mode == "exact":
            yield (
                f"{name} is {said[name]!r}, which only the semantic cache uses, and mode is 'exact'; remove {name}, "
                "or set mode='semantic'"
            )
    store = _store(said.get("store", "memory"))
    if store == "memory" and said.get("budget_s") is not None:
        yield (
            f"budget_s is {said['budget_s']!r}, the longest wait for a file or a server, and store is 'memory'; remove "
            "budget_s, or name a store"
        )
    if "file_bytes" in said and store and not store.startswith(_SIZED):
        kind = store.partition(":")[0]  # the rest may hold a password
        yield (
            f"file_bytes is {said['file_bytes']!r}, the size of a file or a table, and store is {kind!r}, which has none; "
            "remove file_bytes" + (", or set max_bytes, which is the size in memory" if kind == "memory" else "")
        )


def _store(said: object) -> str:
    """The store that is meant; "" when that is not known here."""
    if not isinstance(said, str):
        return ""
    return os.environ.get(said.removeprefix("env:"), "") if said.startswith("env:") else said
