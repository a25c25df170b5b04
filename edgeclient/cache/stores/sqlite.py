"""Entries in one SQLite file, shared by the processes of this machine. Reads and writes it; `sqlite_file` opens it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence

from ...errors import StoreError
from .backend import OVER_S, Lease, Record, Wish, long, short
from .sqlite_file import PAGE, Connection, is_damage, ours, read_only, transaction

_SWEEP = 256  # expired entries that one write takes along
_FUTURE_S = 1.0
_NEXT = "SELECT id, key, data FROM entries WHERE id > ? ORDER BY id LIMIT 200"  # short: WAL grows under a long reader
# No schema of its own: older versions read a file that has it. `until` is a wall-clock time; an empty token: it is over.
_LEASES = "CREATE TABLE IF NOT EXISTS leases (key BLOB PRIMARY KEY, token BLOB NOT NULL, until REAL NOT NULL)"
# One of a lease is written only where nothing is kept, or while it is the same one's.
_FENCED = """REPLACE INTO entries (key, stored_at, expires_at, data) SELECT :key, :stored_at, :until, :data
    WHERE NOT EXISTS (SELECT 1 FROM entries WHERE key = :key AND expires_at > :now)
    OR EXISTS (SELECT 1 FROM leases WHERE key = :key AND token = :token)"""


class SqliteBackend:
    """A `Backend` on one file of at most `max_bytes`; the oldest stored go first. `budget_s` bounds a lookup.

    Threads share one connection for reading and one for writing, each behind its lock.
    """

    quick = True

    def __init__(self, path: str, *, max_bytes: int, budget_s: float) -> None:
        self.path = self._path = os.path.abspath(path)
        self._max_bytes = max_bytes
        self._reading, self._writing = Connection(self._path, budget_s), Connection(self._path)
        self._leasing = Connection(self._path)  # used by the thread for leases alone

    def check(self) -> None:
        """Open it once. Raises OSError, StoreError or sqlite3.Error with what is wrong with the path."""
        if os.path.exists(self._path) and not ours(self._path):
            raise StoreError("the file is there, and is not one that edgeclient made")
        for last in (False, True):
            try:
                with self._writing as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("ROLLBACK")
                return
            except sqlite3.DatabaseError as error:
                if last or not is_damage(error):  # a damaged one has just been removed
                    raise

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        with self._reading as db:
            found = [db.execute("SELECT data FROM entries WHERE key = ?", (short(key),)).fetchone() for key in keys]
            return [None if row is None else row[0] for row in found]

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        rows = [(short(it.key), it.stored_at, it.kept_until, it.data) for it in saved if not it.token]
        with self._writing as db, transaction(db):
            _forget_future(db, now)
            db.executemany("DELETE FROM entries WHERE key = ?", [(short(key),) for key in deleted])
            db.executemany("REPLACE INTO entries (key, stored_at, expires_at, data) VALUES (?, ?, ?, ?)", rows)
            for record in saved:
                if record.token:
                    _save_fenced(db, record, now)
            db.execute(
                "DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE expires_at <= ? LIMIT ?)", (now, _SWEEP)
            )
            _make_room(db, self._max_bytes)

    def claim(self, wishes: Sequence[Wish]) -> list[tuple[Lease, bytes | None]]:
        with self._leasing as db:
            db.execute(_LEASES)
            found = [_claimed(db, wish) for wish in wishes]
            kept = [
                db.execute("SELECT data FROM entries WHERE key = ?", (short(wish.key),)).fetchone() for wish in wishes
            ]
            return [(lease, None if row is None else row[0]) for lease, row in zip(found, kept, strict=True)]

    def release(self, wishes: Sequence[Wish]) -> None:
        said = [(time.time() + OVER_S, short(wish.key), wish.token) for wish in wishes]
        with self._leasing as db:
            db.executemany("UPDATE leases SET token = x'', until = ? WHERE key = ? AND token = ?", said)

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        with self._writing as db, transaction(db):
            db.executemany("INSERT OR IGNORE INTO marks VALUES (?)", [(what,) for what in added])
            db.executemany("DELETE FROM marks WHERE what = ?", [(what,) for what in dropped])

    def marks(self) -> list[str]:
        with self._reading as db:
            return [what for (what,) in db.execute("SELECT what FROM marks")]

    def clear(self) -> None:
        with self._writing as db:
            with transaction(db):
                db.execute("DELETE FROM entries")
            db.executescript("PRAGMA incremental_vacuum")  # `execute` would do one step of it

    def usage(self) -> tuple[int, int]:
        with self._writing as db:
            entries = int(db.execute("SELECT count(*) FROM entries").fetchone()[0])
            return entries, _used(db) if entries else 0

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """All entries, oldest first, through a connection that only reads: a damaged file stays as it is."""
        with contextlib.closing(read_only(self._path)) as db:
            last = -1
            while rows := db.execute(_NEXT, (last,)).fetchall():
                for _, key, data in rows:
                    yield long(key), data if isinstance(data, bytes) else b""
                last = rows[-1][0]

    def close(self) -> None:
        self._reading.close()
        self._writing.close()
        self._leasing.close()

    def after_fork(self) -> None:
        self._reading.after_fork()
        self._writing.after_fork()
        self._leasing.after_fork()


def _save_fenced(db: sqlite3.Connection, record: Record, now: float) -> None:
    key = short(record.key)
    said = {"key": key, "stored_at": record.stored_at, "until": record.kept_until, "data": record.data}
    db.execute(_LEASES)
    db.execute(_FENCED, {**said, "now": now, "token": record.token})
    db.execute("DELETE FROM leases WHERE key = ? AND token = ?", (key, record.token))


def _claimed(db: sqlite3.Connection, wish: Wish) -> Lease:
    """Take a lease if it is free; one that is another's is only read, so that those who wait write nothing."""
    key, now = short(wish.key), time.time()
    asked = "SELECT token FROM leases WHERE key = ? AND until > ?"
    held = db.execute(asked, (key, now)).fetchone()
    if held is None:
        with transaction(db):
            held = db.execute(asked, (key, now)).fetchone()
            if held is None:
                db.execute("DELETE FROM leases WHERE until <= ?", (now,))
                db.execute("INSERT INTO leases VALUES (?, ?, ?)", (key, wish.token, now + wish.longest_s))
                return Lease.MINE
    if held[0] == wish.token:
        return Lease.MINE
    return Lease.THEIRS if held[0] else Lease.OVER


def _forget_future(db: sqlite3.Connection, now: float) -> None:
    """After the clock went back. New entries have higher ids, so that the last one tells whether there is anything."""
    while True:
        last = db.execute("SELECT stored_at FROM entries ORDER BY id DESC LIMIT 1").fetchone()
        if last is None or last[0] <= now + _FUTURE_S:
            return
        db.execute(
            "DELETE FROM entries WHERE id IN (SELECT id FROM (SELECT id, stored_at FROM entries ORDER BY id DESC LIMIT 500)"
            " WHERE stored_at > ?)",
            (now + _FUTURE_S,),
        )


def _make_room(db: sqlite3.Connection, max_bytes: int) -> None:
    """Let the oldest go until the pages in use are within the bound; SQLite uses the free ones again."""
    while (over := _used(db) - max_bytes) > 0:
        oldest = "SELECT id FROM entries ORDER BY id LIMIT ?"
        if not db.execute(f"DELETE FROM entries WHERE id IN ({oldest})", (over // 2048 + 8,)).rowcount:
            return


def _used(db: sqlite3.Connection) -> int:
    pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * PAGE
