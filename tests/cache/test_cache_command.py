"""`edgeclient cache`: what it finds in files and on servers that are really damaged, and what it leaves alone."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from servers import clustered, free_port, running
from stores import Mishaps, entry, postgres_store, redis_store, sqlite_store

from edgeclient.cache.stores import wire
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.redis_line import Address
from edgeclient.cache.stores.sealed import Sealed
from edgeclient.cli import main

MINE, OTHER = bytes(32), bytes(range(32))
NOW = time.time()
LATER = NOW + 86_400.0  # whenever the test has its turn
KEYS = [f"{n:032x}" for n in range(600)]
PROMPT = "the prompt that nobody may see"


class Place:
    """A store with entries, which a test can harm behind its back."""

    def __init__(self, url: str, store: Guarded, raw: Any) -> None:
        self.url, self.store, self.harm = url, store, raw


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        path = tmp_path / "a.db"

        def in_file(key: str, data: Any) -> None:
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("REPLACE INTO entries VALUES (NULL, ?, ?, ?, ?)", (bytes.fromhex(key), NOW, LATER, data))

        store = sqlite_store(path)
        yield Place(f"sqlite:{path}", store, in_file)
        store.close()
        return
    if request.param == "postgres":
        postgres = request.getfixturevalue("postgres")

        def in_table(key: str, data: Any) -> None:
            import psycopg

            with psycopg.connect(postgres.url, autocommit=True) as db:
                data = data.encode() if isinstance(data, str) else data
                db.execute(
                    "INSERT INTO edgeclient_entries VALUES (%s, %s, %s, now() + interval '1 day') "
                    "ON CONFLICT (key) DO UPDATE SET data = excluded.data",
                    (bytes.fromhex(key), data, len(data)),
                )

        store = postgres_store(postgres.url)
        yield Place(postgres.url, store, in_table)
        store.close()
        return
    pytest.importorskip("redis")
    with running(tmp_path) as server:
        store = redis_store(server.port)

        def on_server(key: str, data: Any) -> None:
            generation = server.tell("GET", "edgeclient:1:generation").decode()
            server.tell("SET", f"edgeclient:1:{generation}:{key}", data)

        yield Place(f"redis://127.0.0.1:{server.port}", store, on_server)
        store.close()


def fill(place: Place, count: int) -> None:
    for key in KEYS[:count]:
        place.store.save(entry(key, stored_at=NOW, expires_at=LATER), NOW)
    assert place.store.flush(20.0)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main(["cache", *words, "--json"])
    said = capsys.readouterr().out
    assert PROMPT not in said
    return status, json.loads(said)


def kinds(said: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in said["kinds"].items() if count}


def harmed(place: Place) -> None:
    """One of each kind that there can be, on keys of their own."""
    whole = wire.encode(entry(KEYS[1], stored_at=NOW, expires_at=LATER))
    place.harm(KEYS[0], whole)  # moved to another key
    place.harm(KEYS[1], whole[:-1] + b"?")  # one byte
    place.harm(KEYS[2], whole[:40])  # cut
    place.harm(KEYS[3], PROMPT.encode())  # somebody else's
    place.harm(KEYS[4], b"ec\x09" + whole[3:])  # of the future
    place.harm(KEYS[5], Sealed(OTHER, Mishaps()).encode(entry(KEYS[5])))
    place.harm(KEYS[6], wire.encode(entry(KEYS[6], stored_at=NOW - 60.0, expires_at=NOW - 30.0)))


def test_a_store_that_is_well(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place, 600)
    status, said = told(capsys, "verify", "--store", place.url)
    assert status == 0 and kinds(said) == {"good": 600} and said["entries"] == 600
    assert said["bytes"] == sum(len(wire.encode(entry(k, stored_at=NOW, expires_at=LATER))) for k in KEYS)
    assert main(["cache", "--store", place.url]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["entries  600", f"bytes    {said['bytes']:,}"]


def test_each_kind_is_found_and_only_what_nobody_can_read_is_removed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(place, 20)
    harmed(place)
    found = {"good": 13, "expired": 1, "damaged": 3, "foreign": 1, "newer": 1, "unreadable": 1}
    status, said = told(capsys, "verify", "--store", place.url)
    assert status == 1 and kinds(said) == found and said["removed"] == 0
    assert sorted(said["keys"]["damaged"]) == KEYS[:3] and said["keys"]["newer"] == [KEYS[4]]
    assert told(capsys, "--store", place.url)[0] == 0, "figures alone are no verdict"
    status, said = told(capsys, "verify", "--delete", "--store", place.url)
    assert status == 1 and kinds(said) == found and said["removed"] == 4
    status, said = told(capsys, "verify", "--store", place.url)
    left = kinds(said)
    left.pop("expired", None)  # whoever writes to a file sweeps it
    assert status == 1 and left == {"good": 13, "newer": 1, "unreadable": 1}


def test_where_a_key_is_set_what_is_in_clear_is_found(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(place, 3)
    place.harm(KEYS[0], Sealed(MINE, Mishaps()).encode(entry(KEYS[0], stored_at=NOW, expires_at=LATER)))
    place.harm(KEYS[9], Sealed(OTHER, Mishaps()).encode(entry(KEYS[9], stored_at=NOW, expires_at=LATER)))
    monkeypatch.setenv("SEAL", MINE.hex())
    monkeypatch.setenv("EDGECLIENT_CACHE", json.dumps({"mode": "exact", "store": place.url, "encryption": "env:SEAL"}))
    status, said = told(capsys, "verify")
    assert status == 1 and kinds(said) == {"good": 1, "in clear": 2, "unreadable": 1}
    assert told(capsys, "verify", "--delete")[1]["removed"] == 2
    assert kinds(told(capsys, "verify")[1]) == {"good": 1, "unreadable": 1}, "another tenant's stays"


def test_the_table_has_keys_and_no_prompts(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place, 20)
    harmed(place)
    assert main(["cache", "verify", "--store", place.url]) == 1
    said = capsys.readouterr().out
    assert KEYS[3] in said and PROMPT not in said and "--delete removes them" in said
    assert "damaged             3" in said and "damaged: not what was written under this key" in said
    assert main(["cache", "verify", "--delete", "--store", place.url]) == 1
    assert "removed 4" in capsys.readouterr().out


def test_a_damaged_file_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.db"
    store = sqlite_store(path)
    for key in KEYS:
        store.save(entry(key, body=2000, stored_at=NOW, expires_at=LATER), NOW)
    store.close()
    whole = bytearray(path.read_bytes())
    whole[40_000:80_000] = b"?" * 40_000
    for harmed_now in (bytes(whole), bytes(whole[:50_000])):
        path.write_bytes(harmed_now)
        for words in (["verify"], ["verify", "--delete"], []):
            status, said = told(capsys, *words, "--store", f"sqlite:{path}")
            assert status == 1 and said["broken"].startswith("DatabaseError")
        assert path.read_bytes() == harmed_now
    assert main(["cache", "verify", "--store", f"sqlite:{path}"]) == 1
    assert "the rest cannot be read: DatabaseError" in capsys.readouterr().out


def test_a_file_is_read_while_another_process_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = sqlite_store(tmp_path / "a.db")
    store.save(entry(KEYS[0], stored_at=NOW, expires_at=LATER), NOW)
    assert store.flush(20.0)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        status, said = told(capsys, "verify", "--store", f"sqlite:{tmp_path}/a.db")
        db.execute("ROLLBACK")
    assert status == 0 and kinds(said) == {"good": 1}
    store.close()


def test_what_is_no_string_on_a_server_is_foreign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("redis")
    with running(tmp_path) as server:
        store, url = redis_store(server.port), f"redis://127.0.0.1:{server.port}"
        store.save(entry(KEYS[0], stored_at=NOW, expires_at=LATER), NOW)
        assert store.flush(20.0)
        generation = server.tell("GET", "edgeclient:1:generation").decode()
        server.tell("LPUSH", f"edgeclient:1:{generation}:{KEYS[1]}", PROMPT)
        server.tell("SET", f"edgeclient:1:{generation}:{PROMPT}", PROMPT)
        server.tell("SET", f"edgeclient:1:cleared:{KEYS[2]}", PROMPT)  # of an earlier generation: it expires by itself
        server.tell("SET", "another program's", PROMPT)
        status, said = told(capsys, "verify", "--store", url)
        assert status == 1 and kinds(said) == {"good": 1, "foreign": 2}
        assert set(said["keys"]["foreign"]) == {"(no key of ours)", KEYS[1]}
        assert told(capsys, "verify", "--delete", "--store", url)[0] == 0
        assert server.tell("DBSIZE") == 4
        store.close()


def test_a_cluster_is_looked_through_on_all_its_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("redis")
    with clustered(tmp_path) as servers:
        store = redis_store(Address((("127.0.0.1", servers[0].port),), cluster=True))
        for key in KEYS[:61]:
            store.save(entry(key, stored_at=NOW, expires_at=LATER), NOW)
        assert store.flush(20.0)
        counts = [server.tell("DBSIZE") for server in servers]
        assert min(counts) > 0 and sum(counts) == 62
        url = f"redis+cluster://127.0.0.1:{servers[1].port}"
        assert kinds(told(capsys, "verify", "--store", url)[1]) == {"good": 61}
        other = redis_store(Address((("127.0.0.1", servers[0].port),), cluster=True))
        other.clear()
        assert told(capsys, "verify", "--store", url)[1]["entries"] == 0
        store.close()
        other.close()


def test_a_server_that_cannot_be_reached(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("redis")
    status, said = told(capsys, "--store", f"redis://me:s3cr3t@127.0.0.1:{free_port()}")
    assert status == 1 and said["broken"].startswith("ConnectionError") and "s3cr3t" not in json.dumps(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify"], "each process keeps its own answers; name a file or a server"),
        (["--store", "sqlite:FOLDER/none.db"], "there is no file"),
        (["--store", "sqlite:FOLDER/notes.txt"], "is not one that edgeclient made"),
        (["verify", "--store", "sqlite:FOLDER/new.db"], "a newer version of edgeclient made it"),
        (["--store", "redsi://me:s3cr3t@h"], "'redsi://***@h'; give 'memory'"),
        (["--delete"], "--delete is for `edgeclient cache verify`"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("my notes")
    sqlite_store(tmp_path / "new.db").close()
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        db.execute("PRAGMA user_version = 99")
    assert main(["cache", *(word.replace("FOLDER", str(tmp_path)) for word in words)]) == 2
    told_ = capsys.readouterr()
    assert said in told_.err and "s3cr3t" not in told_.err and not told_.out and told_.err.count("\n") == 1
    assert not (tmp_path / "none.db").exists() and (tmp_path / "notes.txt").read_text() == "my notes"
