"""One connection to PostgreSQL that never waits for ever. Opens sockets, through the `psycopg` package."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.waiting import Ready

LONGEST_S = 1.0  # for one step of the reader or the writer; a caller leaves at its budget
PATIENCE_S = 5.0  # for what is done beside all calls

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # opens no file of its own

# Connections of the parent, in a forked child: closing them there would end its sessions.
_left_behind: list[psycopg.Connection] = []


class Bounded(psycopg.Connection):
    """A connection that gives up when one answer takes too long; psycopg itself would wait for a frozen server for ever."""

    longest_s = LONGEST_S

    def wait(self, gen: PQGen[Any], interval: float = 0.0, timeout: float | None = None) -> Any:
        deadline = time.monotonic() + self.longest_s
        try:
            wanted = next(gen)
            while True:
                ready = _ready(self.fileno(), wanted, deadline - time.monotonic())
                if not ready:
                    self.close()  # else psycopg would try to roll back, and log that it could not
                    raise TimeoutError("PostgreSQL has not answered")
                wanted = gen.send(Ready(ready))
        except StopIteration as done:
            return done.value


def _ready(file: int, wanted: int, longest_s: float) -> int:
    """For which of these a socket is ready, after so long at the most; 0 for none. The numbers are those of `selectors`."""
    with _Selector() as waiting:
        waiting.register(file, wanted)
        found = waiting.select(max(0.0, longest_s))
    return found[0][1] if found else 0


class Line:
    """One connection behind its lock: `with line as db`. Opens when it is used, and anew after a failure."""

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said
        self._lock = threading.Lock()
        self._db: Bounded | None = None
        self.is_new = False  # nothing has succeeded on this connection yet
        _all.add(self)

    def __enter__(self) -> Bounded:
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise TimeoutError("other threads hold the connection")
        try:
            if self._db is not None and _is_stale(self._db):
                self._let_go()
            if self._db is None:
                # Nothing is prepared: the next statement may be another session's, behind a PgBouncer.
                self._db = Bounded.connect(autocommit=True, prepare_threshold=None, **self._said)
                self.is_new = True
            return self._db
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.is_new = False
        else:
            self._let_go()
        self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def __del__(self) -> None:
        """An edge that is dropped and not closed warns of nothing."""
        self._let_go()

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        if self._db is not None:
            _left_behind.append(self._db)
        self._db = None

    def _let_go(self) -> None:
        if self._db is not None:
            with contextlib.suppress(psycopg.Error):
                self._db.close()
        self._db = None


_all: weakref.WeakSet[Line] = weakref.WeakSet()


def _after_fork() -> None:
    for line in list(_all):
        line.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _is_stale(db: psycopg.Connection) -> bool:
    """True when the server has said something without being asked: that it goes, as a rule."""
    return db.closed or _ready(db.fileno(), selectors.EVENT_READ, 0.0) != 0


@contextlib.contextmanager
def limited(db: Bounded, longest_s: float) -> Iterator[None]:
    """A transaction whose statements the server ends after so long, and which waits for no disk.

    The limits hold for the transaction alone: behind a PgBouncer the session is somebody else's, too.
    """
    db.longest_s = longest_s + 0.2
    try:
        with db.transaction():
            db.execute(
                "SELECT set_config('statement_timeout', %s, true), set_config('synchronous_commit', 'off', true)",
                (f"{longest_s * 1e3:.0f}",),
            )
            yield
    finally:
        db.longest_s = LONGEST_S
