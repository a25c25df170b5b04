"""Lets one process lead the calls for a key, and the others wait for its answer: as flights do within a process.

Waits, and asks the monotonic clock; the store is asked in the thread of `Claims`, within a budget and behind a breaker.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from ...values import Entry
from ..waiting import wait, wait_async
from .backend import Backend, Lease, Mishap, Record, Wish
from .breaker import Breaker
from .leases import Claim, Claims

_FIRST_S = 0.025  # for the first word about a lease, where a load may have less: without it the call goes over the net


class Leading:
    """The leases that this process has, and what its callers wait for. Never raises: no lease is no harm."""

    def __init__(
        self, backend: Backend, decode: Callable[[str, bytes], Entry], mishap: Mishap, clock: Callable[[], float]
    ) -> None:
        self._claims = Claims(backend, lambda: bool(self.held))
        self._decode, self._mishap, self._clock = decode, mishap, clock
        self.after_fork()

    def after_fork(self) -> None:
        self._claims.after_fork()
        self._breaker = Breaker()
        self.held: dict[str, bytes] = {}  # tokens, by key

    def claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float, budget_s: float) -> Entry | None:
        claim = self._claim(key, usable, longest_s)
        if claim is None:
            return None
        try:
            wait(claim.heard, max(budget_s, _FIRST_S))
            if claim.heard.landed and claim.over.landed is None:
                wait(claim.over, longest_s)
        except BaseException:  # interrupted
            self._give_up(claim)
            raise
        return self._claimed(claim)

    async def claim_async(
        self, key: str, usable: Callable[[Entry], bool], longest_s: float, budget_s: float
    ) -> Entry | None:
        claim = self._claim(key, usable, longest_s)
        if claim is None:
            return None
        try:
            await wait_async(claim.heard, max(budget_s, _FIRST_S))
            if claim.heard.landed and claim.over.landed is None:
                await wait_async(claim.over, longest_s)
        except BaseException:  # cancelled
            self._give_up(claim)
            raise
        return self._claimed(claim)

    def release(self, key: str) -> None:
        token = self.held.pop(key, None)
        if token is not None:
            self._claims.release(Wish(key, token, 0.0))

    def _claim(self, key: str, usable: Callable[[Entry], bool], longest_s: float) -> Claim | None:
        def read(data: bytes) -> Entry | None:
            try:
                entry = self._decode(key, data)
                return entry if usable(entry) else None
            except Exception:  # damaged, or of a newer version: `load` counts these
                return None

        if longest_s <= 0 or key in self.held or not self._breaker.allows(self._clock()):
            return (
                None  # what this process leads it does not wait for: that may be a stream which the caller itself reads
            )
        claim = Claim(Wish(key, secrets.token_bytes(8), longest_s), read)
        try:
            self._claims.ask(claim)
        except RuntimeError as error:
            self._mishap("cache lease", error)
            return None
        return claim

    def _claimed(self, claim: Claim) -> Entry | None:
        """What became of a claim. A store that is silent or fails gives no lease, and the call goes on."""
        if claim.heard.landed is None:
            self._breaker.failed(self._clock())
            self._mishap("cache lease timeout", TimeoutError("the store has not said who leads"))
        elif isinstance(claim.said, BaseException):
            self._breaker.failed(self._clock())
            self._mishap("cache lease", claim.said)
            return None
        else:
            self._breaker.succeeded()
        if claim.over.landed is None:
            self._give_up(claim)
            return None
        if claim.said is Lease.MINE:
            self.held[claim.wish.key] = claim.wish.token
        return claim.said if isinstance(claim.said, Entry) else None

    def _give_up(self, claim: Claim) -> None:
        """Nobody waits for it any more. A lease that comes too late is let go by the thread, or, came it just now, here."""
        claim.given_up = True
        if claim.said is Lease.MINE:
            self._claims.release(claim.wish)

    def ended(self, saved: Sequence[Record]) -> None:
        """These were written, and that ended their leases."""
        for record in saved:
            if record.token and self.held.get(record.key) == record.token:
                del self.held[record.key]
