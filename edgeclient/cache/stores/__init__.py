"""Where entries are kept, behind one contract."""

from __future__ import annotations

from typing import Protocol

from ...values import Entry


class Store(Protocol):
    """Keeps entries by key.

    Guarantees: `load` gives back an equal entry or None, never a part of one; an expired entry is never given; a
    missing one is None. `save` replaces. Both are thread-safe. Either may raise: the pipeline counts it and goes on.
    """

    def load(self, key: str, now: float) -> Entry | None: ...

    def save(self, entry: Entry, now: float) -> None: ...

    def clear(self) -> None: ...

    def usage(self) -> tuple[int, int]:
        """Entries and bytes held."""
