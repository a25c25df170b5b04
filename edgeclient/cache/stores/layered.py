"""Two stores as one: what is near is asked first, and what is found below is put there for the rest of its life. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ...values import Entry
from . import Store


class Layered:
    """Memory above a store that others share. An entry's times are its own, so it lives as long above as below.

    What another process clears below may be answered from above until it expires. One that has expired above answers only
    when there is no newer one below.
    """

    def __init__(self, above: Store, below: Store) -> None:
        self._above, self._below = above, below
        self.waits, self.leases = below.waits, below.leases

    @property
    def below(self) -> Store:
        """The store that others share: what they write is seen there at once."""
        return self._below

    def load(self, key: str, now: float) -> Entry | None:
        entry = self._above.load(key, now)
        if entry is not None and now < entry.expires_at:
            return entry
        return self._newer(entry, self._below.load(key, now), now)

    async def load_async(self, key: str, now: float) -> Entry | None:
        entry = self._above.load(key, now)
        if entry is not None and now < entry.expires_at:
            return entry
        return self._newer(entry, await self._below.load_async(key, now), now)

    def _newer(self, above: Entry | None, below: Entry | None, now: float) -> Entry | None:
        """What was found below, unless it is older than the expired one above."""
        if below is None or (above is not None and below.expires_at <= above.expires_at):
            return above
        self._above.save(below, now)
        return below

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return self._kept(self._below.claim(key, usable, longest_s))

    async def claim_async(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Entry | None:
        return self._kept(await self._below.claim_async(key, usable, longest_s))

    def _kept(self, entry: Entry | None) -> Entry | None:
        if entry is not None:
            self._above.save(entry, entry.stored_at)
        return entry

    def release(self, key: str) -> None:
        self._below.release(key)

    def save(self, entry: Entry, now: float) -> bool:
        above = self._above.save(entry, now)
        return self._below.save(entry, now) or above

    def delete(self, key: str) -> None:
        self._above.delete(key)
        self._below.delete(key)

    def clear(self) -> None:
        self._above.clear()
        self._below.clear()

    def usage(self) -> tuple[int, int]:
        """Of the store below; of the one above where that cannot tell."""
        below = self._below.usage()
        return below if below[0] else self._above.usage()

    def close(self) -> None:
        self._above.close()
        self._below.close()

    def after_fork(self) -> None:
        self._above.after_fork()
        self._below.after_fork()
