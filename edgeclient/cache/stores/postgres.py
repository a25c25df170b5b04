"""Entries in a PostgreSQL table, shared by all processes that reach it. Opens sockets, through the `psycopg` package.

The table is UNLOGGED unless its maker says otherwise: a crash of the server empties it, and nothing of it is replicated.
Times are the server's: an entry stays as long as it had left when it was saved, whatever a client's clock says. One
connection reads and one writes: all loads share one thread already (see reader.py), and a pool would bring its own threads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from ...errors import StoreError
from .backend import OVER_S, Lease, Record, Wish, long, short
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
    CREATE INDEX edgeclient_entries_kept_until ON edgeclient_entries (kept_until) INCLUDE (size);
    CREATE {logged} TABLE edgeclient_leases (key bytea PRIMARY KEY, token bytea NOT NULL, until timestamptz NOT NULL);""",
    "CREATE {logged} TABLE edgeclient_marks (what text PRIMARY KEY)",
)
_SAID = "edgeclient cache, schema "

# Asked of pg_class itself: what a session knows by name may be older than what another one has just committed.
_DESCRIBED = """SELECT obj_description(oid, 'pg_class') FROM pg_class
    WHERE relname = 'edgeclient_entries' AND relkind = 'r' AND pg_table_is_visible(oid)"""
_LOAD = "SELECT key, data FROM edgeclient_entries WHERE key = ANY(%b)"
_DELETE = "DELETE FROM edgeclient_entries WHERE key = ANY(%b)"
# What has a token is written only where nothing is kept, or while the lease of its key has that token.
_SAVE = """INSERT INTO edgeclient_entries AS kept (key, data, size, kept_until)
    SELECT key, data, size, now() + make_interval(secs => ttl_s)
    FROM unnest(%(keys)b::bytea[], %(data)b::bytea[], %(sizes)b::integer[], %(ttls)b::float8[]) AS it (key, data, size, ttl_s)
    ON CONFLICT (key) DO UPDATE SET data = excluded.data, size = excluded.size, kept_until = excluded.kept_until
    WHERE kept.kept_until <= now() OR NOT kept.key = ANY(%(led)b)
    OR EXISTS (SELECT 1 FROM edgeclient_leases AS l WHERE l.key = kept.key AND l.token = ANY(%(tokens)b))"""
_LANDED = "DELETE FROM edgeclient_leases WHERE token = ANY(%(tokens)b) AND key = ANY(%(led)b)"
# In one round trip. Each statement sees what is committed when it begins: who takes a lease that another one ends at this
# moment waits for that one, and then finds what it has saved.
_CLAIM = """INSERT INTO edgeclient_leases AS held (key, token, until)
    SELECT key, token, now() + make_interval(secs => longest_s)
    FROM unnest(%(keys)s::bytea[], %(tokens)s::bytea[], %(longest)s::float8[]) AS it (key, token, longest_s)
    ON CONFLICT (key) DO UPDATE SET token = excluded.token, until = excluded.until WHERE held.until <= now();
    SELECT key, token FROM edgeclient_leases WHERE key = ANY(%(keys)s::bytea[]) AND until > now();
    SELECT key, data FROM edgeclient_entries WHERE key = ANY(%(keys)s::bytea[])"""
_TURN = """INSERT INTO edgeclient_leases AS held VALUES ('tidy', '-', now() + make_interval(secs => %s))
    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE held.until <= now() RETURNING 1"""
_RELEASE = """UPDATE edgeclient_leases SET token = '', until = now() + make_interval(secs => %s)
    WHERE key = ANY(%b) AND token = ANY(%b)"""
_NEXT = "SELECT key, data FROM edgeclient_entries WHERE key > %b ORDER BY key LIMIT 200"
_USAGE = "SELECT count(*), coalesce(sum(size), 0)::bigint FROM edgeclient_entries"
_FIRST_TO_GO = """DELETE FROM edgeclient_entries WHERE key IN
    (SELECT key FROM edgeclient_entries {where} ORDER BY kept_until LIMIT %s FOR UPDATE SKIP LOCKED)"""
_EXPIRE = _FIRST_TO_GO.format(where="WHERE kept_until <= now()")
_EVICT = _FIRST_TO_GO.format(where="")


class PostgresBackend:
    """A `Backend` in one table of at most `max_bytes`; what expires first goes first. Needs the `psycopg` package.

    `url` is a connection URI of libpq. The table is the one that the search path names, and made when it is missing.
    """

    quick = False

    def __init__(self, url: str, *, max_bytes: int, logged: bool = False) -> None:
        self._max_bytes, self._logged = max_bytes, logged
        said = {"connect_timeout": _CONNECT_S, "fallback_application_name": "edgeclient", **conninfo_to_dict(url)}
        self._reading, self._writing, self._leasing = Line(said), Line(said), Line(said)
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
        rows = sorted((short(it.key), it.data, len(it.data) + _ROW, it.ttl_s, it.token) for it in saved)  # no deadlocks
        with self._writing as db:
            self._prepare(self._writing, db)
            if deleted:
                with limited(db, LONGEST_S):
                    db.execute(_DELETE, ([short(key) for key in deleted],))
            if rows:
                with limited(db, LONGEST_S):
                    self._save(db, rows)
            self._written += sum(row[2] for row in rows)
            if time.monotonic() >= self._tidy_at or self._written > self._max_bytes // 64:
                self._tidy(db)

    def _save(self, db: Bounded, rows: Sequence[tuple[bytes, bytes, int, float, bytes]]) -> None:
        keys, data, sizes, ttls, _ = map(list, zip(*rows, strict=True))
        led = [(row[0], row[4]) for row in rows if row[4]]
        said = {"keys": keys, "data": data, "sizes": sizes, "ttls": ttls}
        said |= {"led": [key for key, _ in led], "tokens": [token for _, token in led]}
        db.execute(_SAVE, said)
        if led:
            db.execute(_LANDED, said)

    def claim(self, wishes: Sequence[Wish]) -> list[tuple[Lease, bytes | None]]:
        asked = sorted((short(wish.key), wish.token, wish.longest_s) for wish in wishes)
        keys, tokens, longest = map(list, zip(*{row[0]: row for row in asked}.values(), strict=True))
        with self._leasing as db:
            self._prepare(self._leasing, db)
            cursor = psycopg.ClientCursor(db)  # it takes several statements at once
            cursor.execute(_CLAIM, {"keys": keys, "tokens": tokens, "longest": longest})
            cursor.nextset()
            holders: dict[bytes, bytes] = dict(cursor.fetchall())
            cursor.nextset()
            found: dict[bytes, bytes] = dict(cursor.fetchall())
        return [(_whose(holders.get(short(wish.key)), wish), found.get(short(wish.key))) for wish in wishes]

    def release(self, wishes: Sequence[Wish]) -> None:
        keys, tokens = sorted(short(wish.key) for wish in wishes), [wish.token for wish in wishes]
        with self._leasing as db:
            db.execute(_RELEASE, (OVER_S, keys, tokens))

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        with self._writing as db:
            self._prepare(self._writing, db)
            with limited(db, LONGEST_S):
                db.execute(
                    "INSERT INTO edgeclient_marks SELECT unnest(%b::text[]) ON CONFLICT DO NOTHING", (list(added),)
                )
                db.execute("DELETE FROM edgeclient_marks WHERE what = ANY(%b)", (list(dropped),))

    def marks(self) -> list[str]:
        try:
            with self._reading as db:
                if self._reading.is_new:
                    _check(db)
                return [what for (what,) in db.execute("SELECT what FROM edgeclient_marks").fetchall()]
        except errors.UndefinedTable:  # nobody has marked anything yet
            return []

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """All entries by their keys, some at a time; makes no table where there is none."""
        last = b""
        while True:
            with self._writing as db:
                if self._writing.is_new:
                    _check(db)
                try:
                    rows = db.execute(_NEXT, (last,), binary=True).fetchall()
                except errors.UndefinedTable:
                    raise StoreError("there is no table of ours in this database") from None
            yield from ((long(key), data) for key, data in rows)
            if not rows:
                return
            last = rows[-1][0]

    def clear(self) -> None:
        with self._writing as db:
            self._prepare(self._writing, db)
            try:
                with limited(db, LONGEST_S / 4):
                    db.execute("TRUNCATE edgeclient_entries")
            except (errors.QueryCanceled, errors.InsufficientPrivilege):  # a dump of the database reads it for long
                with limited(db, PATIENCE_S):
                    db.execute("DELETE FROM edgeclient_entries")

    def usage(self) -> tuple[int, int]:
        with self._writing as db:
            self._prepare(self._writing, db)
            return _usage(db)

    def close(self) -> None:
        for line in (self._reading, self._writing, self._leasing):
            line.close()

    def after_fork(self) -> None:
        for line in (self._reading, self._writing, self._leasing):
            line.after_fork()

    def _prepare(self, line: Line, db: Bounded) -> None:
        """Make the table where it is missing or old; of many processes one does. Nothing, once it was there."""
        if not line.is_new or _check(db) == len(_STEPS):
            return
        with limited(db, LONGEST_S):
            db.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))
            for step in _STEPS[_check(db) :]:
                db.execute(step.format(logged="" if self._logged else "UNLOGGED").encode())
            db.execute(f"COMMENT ON TABLE edgeclient_entries IS '{_SAID}{len(_STEPS)}'".encode())

    def _tidy(self, db: Bounded) -> None:
        """Take away what has expired and what is too much: a part of it, if it is a lot.

        Of many processes one does: now and then, or when it has written a lot.
        """
        much = self._written > self._max_bytes // 64
        with limited(db, PATIENCE_S):
            if not _one(db.execute("SELECT pg_try_advisory_xact_lock(%s, 1)", (_LOCK,)))[0]:
                return
            if db.execute(_TURN, (_TIDY_S,)).fetchone() is None and not much:
                self._tidy_at = time.monotonic() + _TIDY_S
                return
            db.execute("DELETE FROM edgeclient_leases WHERE until <= now()")
            gone = db.execute(_EXPIRE, (_SWEEP,)).rowcount
            entries, held = _usage(db)
            while held > self._max_bytes and gone < _SWEEP:
                share = (held - self._max_bytes) * entries // held
                taken = db.execute(_EVICT, (min(share + 8, _SWEEP),)).rowcount
                entries, held = _usage(db)
                gone += taken
                if not taken:
                    break
            if gone >= _SWEEP:  # there is more: it is anybody's turn at once
                db.execute("DELETE FROM edgeclient_leases WHERE key = 'tidy'")
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


def _whose(held: bytes | None, wish: Wish) -> Lease:
    if held == wish.token:
        return Lease.MINE
    return Lease.THEIRS if held else Lease.OVER


def _usage(db: psycopg.Connection) -> tuple[int, int]:
    entries, held = _one(db.execute(_USAGE))
    return entries, held


def _one(found: psycopg.Cursor[Any]) -> Any:
    row = found.fetchone()
    assert row is not None
    return row
