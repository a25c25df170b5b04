"""Entries in one SQLite file, shared by the processes of this machine. Opens, writes and (when it is damaged) removes files.

WAL: readers never wait for the writer, and a process that is killed leaves no half-written entry. `synchronous=NORMAL`: after
a power cut the last entries may be missing, and the file is well. Only a file that this library made is ever removed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from urllib.request import pathname2url

from ...errors import StoreError
from .backend import OVER_S, Lease, Record, Wish, long, short

SCHEMA = 2  # of the tables; `user_version` of the file
APPLICATION = 0x65646763  # `application_id`: how we know our own files
_HEADER = b"SQLite format 3\0"
_PAGE = 4096
_WRITE_S = 1.0  # longest wait for another writer; nobody's call waits with it
_SWEEP = 256  # expired entries that one write takes along
_FUTURE_S = 1.0

# `expires_at` is until when an entry is kept; whether it is fresh stands in its data.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, stored_at REAL NOT NULL, expires_at REAL NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS entries_expire ON entries (expires_at);
CREATE TABLE IF NOT EXISTS marks (what TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""

_NEXT = "SELECT id, key, data FROM entries WHERE id > ? ORDER BY id LIMIT 200"  # short: WAL grows under a long reader
# No schema of its own: older versions read a file that has it. `until` is a wall-clock time; an empty token: it is over.
_LEASES = "CREATE TABLE IF NOT EXISTS leases (key BLOB PRIMARY KEY, token BLOB NOT NULL, until REAL NOT NULL)"
# One of a lease is written only where nothing is kept, or while it is the same one's.
_FENCED = """REPLACE INTO entries (key, stored_at, expires_at, data) SELECT :key, :stored_at, :until, :data
    WHERE NOT EXISTS (SELECT 1 FROM entries WHERE key = :key AND expires_at > :now)
    OR EXISTS (SELECT 1 FROM leases WHERE key = :key AND token = :token)"""

_left_behind: list[sqlite3.Connection] = []  # of the parent, in a forked child: closing them there could harm the file


class SqliteBackend:
    """A `Backend` on one file of at most `max_bytes`; the oldest stored go first. `budget_s` bounds a lookup.

    Threads share one connection for reading and one for writing, each behind its lock.
    """

    quick = True

    def __init__(self, path: str, *, max_bytes: int, budget_s: float) -> None:
        self.path = self._path = os.path.abspath(path)
        self._max_bytes = max_bytes
        self._reading, self._writing = _Connection(self._path, budget_s), _Connection(self._path, _WRITE_S)
        self._leasing = _Connection(self._path, _WRITE_S)  # used by the thread for leases alone

    def check(self) -> None:
        """Open it once. Raises OSError, StoreError or sqlite3.Error with what is wrong with the path."""
        if os.path.exists(self._path) and not _ours(self._path):
            raise StoreError("the file is there, and is not one that edgeclient made")
        for last in (False, True):
            try:
                with self._writing as db:
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("ROLLBACK")
                return
            except sqlite3.DatabaseError as error:
                if last or not _is_damage(error):  # a damaged one has just been removed
                    raise

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        with self._reading as db:
            found = [db.execute("SELECT data FROM entries WHERE key = ?", (short(key),)).fetchone() for key in keys]
            return [None if row is None else row[0] for row in found]

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        rows = [(short(it.key), it.stored_at, it.kept_until, it.data) for it in saved if not it.token]
        with self._writing as db, _transaction(db):
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
        with self._writing as db, _transaction(db):
            db.executemany("INSERT OR IGNORE INTO marks VALUES (?)", [(what,) for what in added])
            db.executemany("DELETE FROM marks WHERE what = ?", [(what,) for what in dropped])

    def marks(self) -> list[str]:
        with self._reading as db:
            return [what for (what,) in db.execute("SELECT what FROM marks")]

    def clear(self) -> None:
        with self._writing as db:
            with _transaction(db):
                db.execute("DELETE FROM entries")
            db.executescript("PRAGMA incremental_vacuum")  # `execute` would do one step of it

    def usage(self) -> tuple[int, int]:
        with self._writing as db:
            entries = int(db.execute("SELECT count(*) FROM entries").fetchone()[0])
            return entries, _used(db) if entries else 0

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """All entries, oldest first, through a connection that only reads: a damaged file stays as it is."""
        if not os.path.exists(self._path):
            raise StoreError(f"there is no file {self._path}")
        if not _ours(self._path):
            raise StoreError(f"{self._path} is not one that edgeclient made")
        path = pathname2url(self._path)
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_WRITE_S)) as db:
            _whole(db)
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


class _Connection:
    """One connection behind its lock: `with connection as db`. Opens when it is used, and anew after a failure.

    Waits at most `longest_s` for other threads, and as long for other processes.
    """

    def __init__(self, path: str, longest_s: float) -> None:
        self._path, self._longest_s = path, longest_s
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what is open
        self._kept_out = False
        _all.add(self)

    def __enter__(self) -> sqlite3.Connection:
        if not self._lock.acquire(timeout=self._longest_s):
            raise TimeoutError("other threads hold the connection")
        try:
            if self._db is None or self._file != _identity(self._path):
                self._let_go()
                self._db = _open(self._path, self._longest_s)
                self._file = _identity(self._path)
            return self._db
        except BaseException as error:
            self._failed(error)
            self._lock.release()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._failed(error)
        self._lock.release()

    def close(self) -> None:
        with self._lock:
            self._let_go()

    def __del__(self) -> None:
        """An edge that is dropped and not closed warns of nothing."""
        if self._db is not None:
            self._db.close()

    def before_fork(self) -> None:
        """Let no thread be inside of SQLite at the moment of a fork: a mutex of its own would stay locked in the child."""
        self._kept_out = self._lock.acquire(timeout=2 * _WRITE_S)

    def after_fork_in_parent(self) -> None:
        if self._kept_out:
            self._kept_out = False
            self._lock.release()

    def after_fork(self) -> None:
        self._lock, self._kept_out = threading.Lock(), False
        if self._db is not None:
            _left_behind.append(self._db)
        self._db = None

    def _let_go(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = None

    def _failed(self, error: BaseException) -> None:
        """After a failure the next use opens the file anew; a damaged one makes way for an empty one."""
        if not isinstance(error, sqlite3.Error) or "locked" in str(error):
            return
        known = self._file if self._db is not None else None
        self._let_go()
        replaced = known is not None and known != _identity(self._path)  # by another process, meanwhile
        if _is_damage(error) and not replaced and _ours(self._path):
            for suffix in ("-wal", "-shm", ""):  # in this order: another process that opens it now finds no alien WAL
                with contextlib.suppress(OSError):
                    os.unlink(self._path + suffix)


_all: weakref.WeakSet[_Connection] = weakref.WeakSet()


def _before_fork() -> None:
    for connection in list(_all):
        connection.before_fork()


def _after_fork_in_parent() -> None:
    for connection in list(_all):
        connection.after_fork_in_parent()


def _after_fork() -> None:
    for connection in list(_all):
        connection.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)


def _open(path: str, busy_s: float) -> sqlite3.Connection:
    """A connection to the file, which is made when it is missing: for its owner alone."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db)
        db.execute(f"PRAGMA busy_timeout = {busy_s * 1e3:.0f}")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 4194304")
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are missing."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StoreError(f"a newer version of edgeclient made it (schema {version}); this one reads {SCHEMA}")
    if version == SCHEMA and db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    db.execute(f"PRAGMA busy_timeout = {_WRITE_S * 1e3:.0f}")  # once in the life of a file
    db.execute(f"PRAGMA page_size = {_PAGE}")
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
    _to_wal(db)


def _whole(db: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError when the file itself is damaged, and StoreError for tables of a newer version."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StoreError(f"a newer version of edgeclient made it (schema {version}); this one reads {SCHEMA}")
    said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(said)


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _to_wal(db: sqlite3.Connection) -> None:
    """Switch to WAL. It takes the whole file for a moment, and SQLite does not wait for that by itself."""
    for _ in range(50):
        with contextlib.suppress(sqlite3.OperationalError):
            if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        time.sleep(0.01)
    raise StoreError("the file system does not take SQLite's WAL mode")


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
        with _transaction(db):
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
    return (pages - free) * _PAGE


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_damage(error: sqlite3.Error) -> bool:
    return type(error) is sqlite3.DatabaseError  # "malformed", "not a database"; the rest has classes of its own


def _ours(path: str) -> bool:
    """True for a file that this library made, whole or not, and for one without a table: it may be half made."""
    try:
        with open(path, "rb") as file:
            head = file.read(_PAGE + 1)
    except OSError:
        return False
    if len(head) < 100:
        return _HEADER.startswith(head[:16])
    application = int.from_bytes(head[68:72], "big")
    return head.startswith(_HEADER) and (application == APPLICATION or (application == 0 and len(head) <= _PAGE))
