"""Where entries are kept, behind one contract. Every store passes tests/cache/test_store_contract.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ...values import Entry
from ..marks import Subject

HEARD_S = 5.0  # after which all who share a store know what one of them made invalid


class Store(Protocol):
    """Keeps entries by key. All times are wall-clock seconds, and come from the caller.

    Guarantees: `load` gives back an equal entry or None, never a part of one, nor one that was made invalid. An entry past
    its `kept_until` is never given, nor one from the future: it was stored before the clock went back, and may not live
    longer for that. One that has expired, and is kept, is given: whether it answers is not the store's to say. What
    `save` took replaces what was there, and is found at once by the same store. Loading and saving end within the store's
    time budget, whatever happens to what is behind it. All methods are thread-safe. Any may raise: the pipeline
    counts it and goes on.
    """

    @property
    def waits(self) -> bool:
        """True while `load` may have to wait for something outside this process; then tasks use `load_async`."""

    @property
    def leases(self) -> bool:
        """True when several processes may share it, so that one of them can lead the calls for a key."""

    def load(self, key: str, now: float) -> Entry | None: ...

    async def load_async(self, key: str, now: float) -> Entry | None:
        """The same without blocking the event loop, and without leaving a task behind."""

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        """Lead the calls for a key among all processes, or wait so long for the answer of the process that does.

        Gives the usable entry that somebody else stored meanwhile. None: ask for the answer yourself, as leader or because
        there is nothing to wait for, and then `save` it or `release` the key. Never raises.
        """

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None: ...

    def release(self, key: str) -> None:
        """There will be no answer to save: let those who wait in other processes go. Nothing, when the key is not led."""

    def load_many(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        """`load` for each key, all within the budget of one."""

    async def load_many_async(self, keys: Sequence[str], now: float) -> list[Entry | None]: ...

    def save(self, entry: Entry, now: float) -> bool:
        """Take an entry and return at once; False when it was not taken. It may be written later, beside the call."""

    def delete(self, key: str) -> None: ...

    def invalidate(self, subject: Subject, at: float) -> None:
        """Let what fits, and was stored until `at`, answer nobody any more.

        It holds here at once, and within `HEARD_S` seconds in other processes that share the store and reach it. Raises
        `StoreError` where it may hold here only.
        """

    def gone(self, entry: Entry) -> bool:
        """True when an entry, which somebody else has kept of this store, was made invalid. Ends within the budget."""

    async def gone_async(self, entry: Entry) -> bool:
        """The same without blocking the event loop."""

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


class Shared(Store, Protocol):
    """A store that outlives this process, and that others may share."""

    def surely(self, key: str, now: float) -> Entry | None:
        """`load` for work beside calls: takes its time. None: there is none. Raises where it cannot tell."""

    @property
    def heard(self) -> object:
        """Another one whenever something more was made invalid, as far as was heard."""
