"""Where entries are kept, behind one contract. Every store passes tests/cache/test_store_contract.py."""

from __future__ import annotations

from typing import Protocol

from ...values import Entry


class Store(Protocol):
    """Keeps entries by key. All times are wall-clock seconds, and come from the caller.

    Guarantees: `load` gives back an equal entry or None, never a part of one. An entry past its `kept_until` is never
    given, nor one from the future: it was stored before the clock went back, and may not live longer for that. One that has
    expired, and is kept, is given: whether it answers is not the store's to say. `save` replaces, and
    what was saved is found at once by the same store. Loading and saving end within the store's time budget, whatever
    happens to what is behind it. All methods are thread-safe. Any may raise: the pipeline counts it and goes on.
    """

    @property
    def waits(self) -> bool:
        """True when `load` may have to wait for something outside this process; then tasks use `load_async`."""

    def load(self, key: str, now: float) -> Entry | None: ...

    async def load_async(self, key: str, now: float) -> Entry | None:
        """The same without blocking the event loop, and without leaving a task behind."""

    def save(self, entry: Entry, now: float) -> bool:
        """Take an entry and return at once; False when it was not taken. It may be written later, beside the call."""

    def delete(self, key: str) -> None: ...

    def clear(self) -> None:
        """Forget all entries, for everybody who shares them. Raises `StoreError` where that did not succeed."""

    def usage(self) -> tuple[int, int]:
        """Entries and bytes held, as far as the store can tell without reading all of them; 0 for what it cannot."""

    def close(self) -> None:
        """Write what waits to be written, within a second or two, and let go of files, sockets and memory.

        A closed store opens again when it is used.
        """

    def after_fork(self) -> None:
        """In a forked child: new locks, no thread, no connection of the parent's."""
