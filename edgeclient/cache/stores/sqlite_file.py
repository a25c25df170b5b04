"""The file that entries are kept in: how it is made, opened and left alone. Opens and (when it is damaged) removes files.

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
from collections.abc import Iterator
from urllib.request import pathname2url

from ...errors import StoreError

SCHEMA = 2  # of the tables; `user_version` of the file
APPLICATION = 0x65646763  # `application_id`: how we know our own files
PAGE = 4096
WRITE_S = 1.0  # longest wait for another writer; nobody's call waits with it
_HEADER = b"SQLite format 3\0"

# `expires_at` is until when an entry is kept; whether it is fresh stands in its data.
_TABLES = f"""
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, stored_at REAL NOT NULL, expires_at REAL NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS entries_expire ON entries (expires_at);
CREATE TABLE IF NOT EXISTS marks (what TEXT PRIMARY KEY) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA};
"""


_left_behind: list[sqlite3.Connection] = []  # of the parent, in a forked child: closing them there could harm the file


class Connection:
    """One connection behind its lock: `with connection as db`. Opens when it is used, and anew after a failure.

    Waits at most `longest_s` for other threads, and as long for other processes; a second where no call waits with it.
    """

    def __init__(self, path: str, longest_s: float | None = None) -> None:
        self._path, self._longest_s = path, WRITE_S if longest_s is None else longest_s
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
        self._kept_out = self._lock.acquire(timeout=2 * WRITE_S)

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
        if is_damage(error) and not replaced and ours(self._path):
            for suffix in ("-wal", "-shm", ""):  # in this order: another process that opens it now finds no alien WAL
                with contextlib.suppress(OSError):
                    os.unlink(self._path + suffix)


_all: weakref.WeakSet[Connection] = weakref.WeakSet()


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
    with _closed_unless_well(db):
        _prepare(db)
        db.execute(f"PRAGMA busy_timeout = {busy_s * 1e3:.0f}")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_size_limit = 4194304")
    return db


@contextlib.contextmanager
def _closed_unless_well(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:  # a cancelled caller too leaves no open file
        db.close()
        raise


def _version(db: sqlite3.Connection) -> int:
    """The schema of the file. Raises StoreError for one that this version does not know."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StoreError(f"a newer version of edgeclient made it (schema {version}); this one reads {SCHEMA}")
    return version


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are missing."""
    if _version(db) == SCHEMA and db.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    db.execute(f"PRAGMA busy_timeout = {WRITE_S * 1e3:.0f}")  # once in the life of a file
    db.execute(f"PRAGMA page_size = {PAGE}")
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
    _to_wal(db)


def read_only(path: str) -> sqlite3.Connection:
    """A connection that changes nothing. Raises StoreError for a file that is not there or not ours, else sqlite3.Error."""
    if not os.path.exists(path):
        raise StoreError(f"there is no file {path}")
    if not ours(path):
        raise StoreError(f"{path} is not one that edgeclient made")
    db = sqlite3.connect(f"file:{pathname2url(path)}?mode=ro", uri=True, timeout=WRITE_S)
    with _closed_unless_well(db):
        _whole(db)
    return db


def _whole(db: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError when the file itself is damaged, and StoreError for tables of a newer version."""
    _version(db)
    said = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise sqlite3.DatabaseError(said)


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
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


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_damage(error: sqlite3.Error) -> bool:
    return type(error) is sqlite3.DatabaseError  # "malformed", "not a database"; the rest has classes of its own


def ours(path: str) -> bool:
    """True for a file that this library made, whole or not, and for one without a table: it may be half made."""
    try:
        with open(path, "rb") as file:
            head = file.read(PAGE + 1)
    except OSError:
        return False
    if len(head) < 100:
        return _HEADER.startswith(head[:16])
    application = int.from_bytes(head[68:72], "big")
    return head.startswith(_HEADER) and (application == APPLICATION or (application == 0 and len(head) <= PAGE))
