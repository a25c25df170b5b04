"""What a store outside this process must be able to do. `Guarded` makes a `Store` of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from ...values import Entry

Mishap = Callable[[str, BaseException], None]  # counts something that failed beside calls


@dataclass(frozen=True, slots=True)
class Record:
    """What a backend keeps: bytes that mean nothing to it, and their times in wall-clock seconds."""

    key: str
    data: bytes
    stored_at: float
    kept_until: float
    ttl_s: float  # how much of that was left when it was saved
    token: bytes = b""  # of the lease under which it was asked for: then it overwrites nothing once that is another's


class Lease(Enum):
    """Who leads the calls for a key. OVER: who did has just gone without an answer that is kept; nobody need wait."""

    MINE, THEIRS, OVER = range(3)


@dataclass(frozen=True, slots=True)
class Wish:
    """A lease that one would have, for `longest_s` seconds, under a token that nobody else has."""

    key: str
    token: bytes
    longest_s: float


OVER_S = 1.0  # for how long a lease that is over says so


class Backend(Protocol):
    """Blocking, and plain: raises whatever its library raises, and opens again by itself after a failure.

    Guarantees: `write` writes each record wholly or not at all; what it has not understood is never given back as a
    record's bytes of another key. A record with a token is written where nothing is kept, or while the lease of its key has
    that token; that ends the lease. `load` is called by any thread if `quick`, else by one at a time; `claim` and `release`
    by one at a time; the others by any.
    """

    quick: bool
    """True when `load` takes microseconds, and ends within the budget by itself; then callers need no thread beside them.

    Where it takes longer all the same, tasks ask in the thread of the store until it is quick again.
    """

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        """What is kept under each key."""

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        """Delete these, save those, and sweep what is kept no longer."""

    def claim(self, wishes: Sequence[Wish]) -> list[tuple[Lease, bytes | None]]:
        """Take each lease that is free, and tell what is kept under its key: looked at later than the lease."""

    def release(self, wishes: Sequence[Wish]) -> None:
        """Say of each lease that is still ours that it is over: for `OVER_S` seconds, then it is free."""

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        """Add these texts to a set that all who share the store have, then take those out of it.

        Who adds at the same time loses nothing. A store that may lose the set has to lose all of its entries with it.
        """

    def marks(self) -> list[str]:
        """That set. Called by any thread, as `write` is."""

    def clear(self) -> None:
        """Forget all entries. What is in the set may stay: it means nothing to later ones."""

    def usage(self) -> tuple[int, int]: ...

    def close(self) -> None: ...

    def after_fork(self) -> None: ...


class Form(Protocol):
    """How entries are spelled: `wire` in clear, `Sealed` encrypted. `decode` raises what `wire.decode` raises."""

    def encode(self, entry: Entry) -> bytes: ...

    def decode(self, key: str, data: bytes) -> Entry: ...


@runtime_checkable
class Scannable(Protocol):
    """A backend that can be looked through, for `edgeclient cache`. Optional: calls never need it."""

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Each key and what is kept under it, in pieces, so that nobody who writes waits for long. Changes nothing.

        What may stand there and is no bytes at all is given as none. Raises `StoreError` for what is not ours or not there,
        and else what its library raises: then the rest cannot be read.
        """


def short(key: str) -> bytes:
    """A key as few bytes: 32 hexadecimal digits are 16 of them."""
    if len(key) == 32:
        try:
            return bytes.fromhex(key)
        except ValueError:
            pass
    return key.encode("utf-8", "surrogatepass")


def long(key: object) -> str:
    """The key that `short` was made of."""
    if isinstance(key, bytes):
        return key.hex() if len(key) == 16 else key.decode("utf-8", "replace")
    return str(key)
