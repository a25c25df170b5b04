"""Entries in a PostgreSQL table, shared by all processes that reach it. Opens sockets, through the `psycopg` package.

The table is UNLOGGED unless its maker says otherwise: a crash of the server empties it, and nothing of it is replicated.
Times are the server's: an entry stays as long as it had left when it was saved, whatever a client's clock says. One
connection reads and one writes: all loads share one thread already (see reader.py), and a pool would bring its own threads.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from ...errors import StoreError
from .backend import Record, short
from .postgres_line import LONGEST_S, PATIENCE_S, Bounded, Line, limited

_CONNECT_S = 2  # the least that libpq takes
_LOCK = 0x65646763  # of the advisory locks that we take
_TIDY_S = 30.0  # between two looks at what is held
_SWEEP = 5000  # rows that one look takes away, before it is over for now
_ROW = 100  # bytes that a row costs besides its data

# Step n makes schema n+1 of schema n. The comment says which one a table has.
_STEPS = (
    """CREATE {logged} TABLE edgeclient_entries (
        key bytea PRIMARY KEY, data bytea NOT NULL, size integer NOT NULL, kept_until timestamptz NOT NULL);
    CREATE INDEX edgeclient_entries_kept_until ON edgeclient_entries (kept_until) INCLUDE (size);""",
)
_SAID = "edgeclient cache, schema "

# Asked of pg_class itself: what a session knows by name may be older than what another one has just committed.
_DESCRIBED = """SELECT obj_description(oid, 'pg_class') FROM pg_class
    WHERE relname = 'edgeclient_entries' AND relkind = 'r' AND pg_table_is_visible(oid)"""
_LOAD = "SELECT key, data FROM edgeclient_entries WHERE key = ANY(%b)"
_DELETE = "DELETE FROM edgeclient_entries WHERE key = ANY(%b)"
_SAVE = """INSERT INTO edgeclient_entries (key, data, size, kept_until)
    SELECT key, data, size, now() + make_interval(secs => ttl_s)
    FROM unnest(%b::bytea[], %b::bytea[], %b::integer[], %b::float8[]) AS said (key, data, size, ttl_s)
    ON CONFLICT (key) DO UPDATE SET data = excluded.data, size = excluded.size, kept_until = excluded.kept_until"""
_USAGE = "SELECT count(*), coalesce(sum(size), 0)::bigint FROM edgeclient_entries"
_FIRST_TO_GO = """DELETE FROM edgeclient_entries WHERE key IN
    (SELECT key FROM edgeclient_entries {where} ORDER BY kept_until LIMIT %s FOR UPDATE SKIP LOCKED)"""
_EXPIRE = _FIRST_TO_GO.format(where="WHERE kept_until <= now()")
_EVICT = _FIRST_TO_GO.format(where="")

_left_behind: list[
    psycopg.Connection
] = []  # of the parent, in a forked child: closing them there would end its sessions


class PostgresBackend:
    """A `Backend` in one table of at most `max_bytes`; what expires first goes first. Needs the `psycopg` package.

    `url` is a connection URI of libpq. The table is the one that the search path names, and made when it is missing.
    """

    quick = False

    def __init__(self, url: str, *, max_bytes: int, logged: bool = False) -> None:
        self._max_bytes, self._logged = max_bytes, logged
        said = {"connect_timeout": _CONNECT_S, "fallback_application_name": "edgeclient", **conninfo_to_dict(url)}
        self._reading, self._writing = Line(said), Line(said)
        self._tidy_at = 0.0
        self._written = 0  # bytes, since the last look

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        try:
            with self._reading as db:
                if self._reading.is_new:
                    _check(db)
                found: dict[bytes, bytes] = dict(
                    db.execute(_LOAD, ([short(key) for key in keys],), binary=True).fetchall()
                )
        except errors.UndefinedTable:  # nobody has written yet
            return [None] * len(keys)
        return [found.get(short(key)) for key in keys]

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        rows = sorted((short(it.key), it.data, len(it.data) + _ROW, it.ttl_s) for it in saved)  # no two lock crosswise
        with self._writing as db:
            self._prepare(db)
            if deleted:
                with limited(db, LONGEST_S):
                    db.execute(_DELETE, ([short(key) for key in deleted],))
            if rows:
                with limited(db, LONGEST_S):
                    db.execute(_SAVE, [list(column) for column in zip(*rows, strict=True)])
            self._written += sum(row[2] for row in rows)
            if time.monotonic() >= self._tidy_at or self._written > self._max_bytes // 64:
                self._tidy(db)

    def clear(self) -> None:
        with self._writing as db:
            self._prepare(db)
            try:
                with limited(db, LONGEST_S / 4):
                    db.execute("TRUNCATE edgeclient_entries")
            except (errors.QueryCanceled, errors.InsufficientPrivilege):  # a dump of the database reads it for long
                with limited(db, PATIENCE_S):
                    db.execute("DELETE FROM edgeclient_entries")

    def usage(self) -> tuple[int, int]:
        with self._writing as db:
            self._prepare(db)
            return _usage(db)

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    def after_fork(self) -> None:
        self._reading.after_fork()
        self._writing.after_fork()

    def _prepare(self, db: Bounded) -> None:
        """Make the table where it is missing or old; of many processes one does. Nothing, once it was there."""
        if not self._writing.is_new or _check(db) == len(_STEPS):
            return
        with limited(db, LONGEST_S):
            db.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))
            for step in _STEPS[_check(db) :]:
                db.execute(step.format(logged="" if self._logged else "UNLOGGED").encode())
            db.execute(f"COMMENT ON TABLE edgeclient_entries IS '{_SAID}{len(_STEPS)}'".encode())

    def _tidy(self, db: Bounded) -> None:
        """Take away what has expired and what is too much: a part of it, if it is a lot. Of many processes one does."""
        with limited(db, PATIENCE_S):
            if not _one(db.execute("SELECT pg_try_advisory_xact_lock(%s, 1)", (_LOCK,)))[0]:
                return
            gone = db.execute(_EXPIRE, (_SWEEP,)).rowcount
            entries, held = _usage(db)
            while held > self._max_bytes and gone < _SWEEP:
                share = (held - self._max_bytes) * entries // held
                taken = db.execute(_EVICT, (min(share + 8, _SWEEP),)).rowcount
                entries, held = _usage(db)
                gone += taken
                if not taken:
                    break
        self._written = 0
        self._tidy_at = time.monotonic() + (_TIDY_S if gone < _SWEEP else 0.0)


def _check(db: psycopg.Connection) -> int:
    """The schema of the table that is there, 0 for none. Raises StoreError for one of a newer version."""
    row = db.execute(_DESCRIBED).fetchone()
    said = (row and row[0]) or ""
    schema = int(said.removeprefix(_SAID)) if said.startswith(_SAID) else 0
    if schema > len(_STEPS):
        raise StoreError(
            f"a newer version of edgeclient made the table (schema {schema}); this one reads {len(_STEPS)}"
        )
    return schema


def _usage(db: psycopg.Connection) -> tuple[int, int]:
    entries, held = _one(db.execute(_USAGE))
    return entries, held


def _one(found: psycopg.Cursor[Any]) -> Any:
    row = found.fetchone()
    assert row is not None
    return row
