"""Runs one thread that asks for leases for all callers, and looks whether those of other processes are over for who waits.

A lease makes one process lead the calls for a key, as a flight makes one caller of a process lead. It is short, and a hint:
whoever cannot have one, or has waited long enough, asks by itself.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from ...values import Entry
from ..flights import Flight
from .backend import Backend, Lease, Wish

_IDLE_S = 10.0  # after which the thread ends; the next claim starts another one
_FIRST_S, _LONGEST_S = 0.01, 0.1  # between two looks for those who wait

Usable = Callable[[bytes], "Entry | None"]


class Claim:
    """One wish. It is `heard` with the first word from the store, and `over` when there is nothing to wait for."""

    __slots__ = ("given_up", "heard", "over", "said", "usable", "wish")

    def __init__(self, wish: Wish, usable: Usable) -> None:
        self.wish, self.usable = wish, usable
        self.heard, self.over = Flight(wish.key), Flight(wish.key)
        self.said: Entry | Lease | BaseException | None = None
        self.given_up = False

    def end(self, said: Entry | Lease | BaseException) -> None:
        self.said = said
        _land(self.over)
        _land(self.heard)


class Claims:
    """Asks a backend in a daemon thread that starts with the first claim. Those who wait at once share a round trip."""

    def __init__(self, backend: Backend, leads: Callable[[], bool]) -> None:
        self._backend, self._leads = backend, leads
        self.after_fork()

    def after_fork(self) -> None:
        self._asked: queue.SimpleQueue[Claim | Wish] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    def release(self, wish: Wish) -> None:
        """Let a lease go that led to no answer. Takes no lock: the collector may come here, for a stream that was forgotten.

        One that cannot be let go ends by itself.
        """
        self._asked.put(wish)

    def ask(self, asked: Claim) -> None:
        """Put a claim; it is heard some time, or never. Raises RuntimeError when there is no thread to be had."""
        with self._lock:
            if not self._running:
                threading.Thread(target=self._run, name="edgeclient-cache-leases", daemon=True).start()
                self._running = True
            self._asked.put(asked)

    def _run(self) -> None:
        waiting: list[Claim] = []
        pause_s = _FIRST_S
        while True:
            try:
                asked = [self._asked.get(timeout=pause_s if waiting else _IDLE_S)]
                pause_s = _FIRST_S
            except queue.Empty:
                asked, pause_s = [], min(pause_s * 1.5, _LONGEST_S)
                if not waiting and self._ends():
                    return
            while not self._asked.empty():
                asked.append(self._asked.get())
            self._let_go([it for it in asked if isinstance(it, Wish)])
            waiting += [it for it in asked if isinstance(it, Claim)]
            waiting = self._look([claim for claim in waiting if not claim.given_up])

    def _ends(self) -> bool:
        with self._lock:
            self._running = self._leads() or not self._asked.empty()  # who leads may have a lease to let go
            return not self._running

    def _look(self, claims: list[Claim]) -> list[Claim]:
        """Ask for all of them; gives back those who wait on."""
        if not claims:
            return []
        try:
            found = self._backend.claim([claim.wish for claim in claims])
        except BaseException as error:
            for claim in claims:
                claim.end(error)
            return []
        waiting, unwanted = list[Claim](), list[Wish]()
        for claim, (lease, data) in zip(claims, found, strict=True):
            entry = claim.usable(data) if data is not None else None
            if entry is None and lease is Lease.THEIRS:
                _land(claim.heard)
                waiting.append(claim)
            else:
                claim.end(lease if entry is None else entry)
                if lease is Lease.MINE and (entry is not None or claim.given_up):
                    unwanted.append(claim.wish)
        self._let_go(unwanted)
        return waiting

    def _let_go(self, wishes: list[Wish]) -> None:
        if wishes:
            with contextlib.suppress(Exception):  # it ends by itself
                self._backend.release(wishes)


def _land(flight: Flight) -> None:
    for wake in flight.land(True):
        wake()
