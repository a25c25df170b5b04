"""Two stores as one: what is near is asked first, and what is found below is put there for the rest of its life. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...values import Entry
from ..marks import Subject
from . import Store


class Layered:
    """Memory above a store that others share. An entry's times are its own, so it lives as long above as below.

    What is made invalid below, by whatever process, is not answered from above. One that has expired above answers only when
    there is no newer one below.
    """

    def __init__(self, above: Store, below: Store) -> None:
        self._above, self._below = above, below
        self.leases = below.leases

    @property
    def waits(self) -> bool:
        return self._below.waits

    @property
    def below(self) -> Store:
        """The store that others share: what they write is seen there at once."""
        return self._below

    def load(self, key: str, now: float) -> Entry | None:
        entry = self._above.load(key, now)
        if entry is not None and self._below.gone(entry):
            self._above.delete(key)
            entry = None
        if entry is not None and now < entry.expires_at:
            return entry
        return self._newer(entry, self._below.load(key, now), now)

    async def load_async(self, key: str, now: float) -> Entry | None:
        entry = self._above.load(key, now)
        if entry is not None and await self._below.gone_async(entry):
            self._above.delete(key)
            entry = None
        if entry is not None and now < entry.expires_at:
            return entry
        return self._newer(entry, await self._below.load_async(key, now), now)

    def load_many(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        above = [self._above.load(key, now) for key in keys]
        here = [one is not None and now < one.expires_at and not self._below.gone(one) for one in above]
        missing = [key for key, found in zip(keys, here, strict=True) if not found]
        return self._with(above, here, self._below.load_many(missing, now) if missing else [], now)

    async def load_many_async(self, keys: Sequence[str], now: float) -> list[Entry | None]:
        above = [self._above.load(key, now) for key in keys]
        here = [one is not None and now < one.expires_at and not await self._below.gone_async(one) for one in above]
        missing = [key for key, found in zip(keys, here, strict=True) if not found]
        return self._with(above, here, await self._below.load_many_async(missing, now) if missing else [], now)

    def _with(
        self, above: list[Entry | None], here: list[bool], below: list[Entry | None], now: float
    ) -> list[Entry | None]:
        rest = iter(below)
        return [one if found else self._newer(None, next(rest), now) for one, found in zip(above, here, strict=True)]

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

    def invalidate(self, subject: Subject, at: float) -> None:
        self._above.invalidate(subject, at)
        self._below.invalidate(subject, at)

    def gone(self, entry: Entry) -> bool:
        return self._below.gone(entry)

    async def gone_async(self, entry: Entry) -> bool:
        return await self._below.gone_async(entry)

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
