"""What is special about the store in a PostgreSQL table, and what befalls a server: real ones, killed, frozen, filled."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from befalling import PATIENCE_S, QUESTIONS, SHORT_S, Befallen
from pipeline.scripted import Run, both_ways
from postgres_servers import Server, running
from servers import free_port, until
from stores import Mishaps, entry, postgres_store

from edgeclient.cache.stores import wire

pytest.importorskip("psycopg")

from edgeclient.cache.stores import postgres as module

TABLE = "edgeclient_entries"


def calls_over(url: str, run: Run) -> Befallen:
    return Befallen(lambda mishaps, clock: postgres_store(url, mishaps, budget_s=PATIENCE_S, clock=clock), run)


@pytest.fixture(scope="module")
def _harmed() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def own(_harmed: Server) -> Server:
    """A server of one's own, to do harm to; well again, and empty."""
    _harmed.renew()
    return _harmed


def in_table(server: Server, what: str = "count(*)") -> object:
    return server.tell(f"SELECT {what} FROM {TABLE}")[0][0]


# -- what it keeps


def test_rows_hold_the_wire_format_and_the_servers_time(postgres: Server) -> None:
    store = postgres_store(postgres.url)
    kept = entry("k", stored_at=1000.0, expires_at=1090.0, stale_s=600.0)
    store.save(kept, 1000.0)
    assert store.flush(PATIENCE_S)
    assert wire.decode("k", in_table(postgres, "data")) == kept  # type: ignore[arg-type]
    left = float(in_table(postgres, "extract(epoch from kept_until - now())"))  # type: ignore[arg-type]
    assert 600.0 < left <= 690.0
    store.close()


@pytest.mark.parametrize(("logged", "kind"), [(False, "u"), (True, "p")])
def test_the_table_is_unlogged_unless_its_maker_says_otherwise(postgres: Server, logged: bool, kind: str) -> None:
    store = postgres_store(postgres.url, logged=logged)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S)
    assert postgres.tell(f"SELECT relpersistence::text FROM pg_class WHERE relname = '{TABLE}'") == [(kind,)]
    store.close()


def test_two_processes_see_each_others_entries_and_clearing(postgres: Server) -> None:
    one, other = postgres_store(postgres.url), postgres_store(postgres.url)
    assert other.load("a", 1.0) is None  # before there is a table
    one.save(entry("a"), 1.0)
    assert one.flush(PATIENCE_S) and other.load("a", 1.0) == entry("a")
    other.clear()
    assert one.load("a", 1.0) is None and other.load("a", 1.0) is None
    one.close()
    other.close()


def test_many_processes_begin_at_once_and_make_one_table(postgres: Server) -> None:
    mishaps = Mishaps()
    stores = [postgres_store(postgres.url, mishaps) for _ in range(8)]
    for n, store in enumerate(stores):
        store.save(entry(str(n)), 1.0)
    assert all(store.flush(PATIENCE_S) for store in stores)
    assert not mishaps, mishaps.last
    assert in_table(postgres) == 8
    for store in stores:
        store.close()


def test_what_has_expired_goes_by_the_servers_clock(postgres: Server) -> None:
    """A client whose clock is wrong takes nobody's entries away."""
    store = postgres_store(postgres.url)
    store.save(entry("short", stored_at=1.0, expires_at=1.001), 1.0)
    store.save(entry("long", stored_at=1.0, expires_at=60.0), 1.0)

    assert store.flush(PATIENCE_S)

    def gone() -> bool:
        postgres.tell("DELETE FROM edgeclient_leases")
        store._backend._tidy_at = 0.0  # type: ignore[attr-defined]
        store.save(entry("other", stored_at=1e9, expires_at=1e9 + 60), 1e9)
        assert store.flush(PATIENCE_S)
        return in_table(postgres, "count(*) FILTER (WHERE key = 'short')") == 0

    until(gone)
    assert store.load("long", 2.0) is not None and store.load("short", 1.0005) is None
    store.close()


def test_its_size_is_bounded_and_what_expires_first_goes_first(postgres: Server) -> None:
    bound = 2**20
    store = postgres_store(postgres.url, max_bytes=bound)
    for n in range(400):
        store.save(entry(str(n), body=10_000, expires_at=100.0 + n), 1.0)
        if n % 50 == 0:
            assert store.flush(PATIENCE_S)
    assert store.flush(PATIENCE_S)
    entries, held = store.usage()
    assert 0.8 * bound < held <= bound * 1.05 and 80 <= entries <= 110
    assert store.load("399", 2.0) is not None and store.load("0", 2.0) is None
    store.close()


def test_of_many_processes_one_tidies_up(postgres: Server) -> None:
    store = postgres_store(postgres.url, max_bytes=2**20)
    store.save(entry("first"), 1.0)
    assert store.flush(PATIENCE_S)
    import psycopg

    with psycopg.connect(postgres.url) as another:
        another.execute("SELECT pg_advisory_xact_lock(%s, 1)", (module._LOCK,))
        for n in range(300):
            store.save(entry(str(n), body=10_000), 1.0)
        assert store.flush(PATIENCE_S) and in_table(postgres) == 301
    store.save(entry("last"), 1.0)
    assert store.flush(PATIENCE_S) and int(in_table(postgres)) < 120  # type: ignore[call-overload]
    store.close()


def test_now_and_then_one_of_many_processes_looks_what_is_held(postgres: Server) -> None:
    one, other = postgres_store(postgres.url), postgres_store(postgres.url)
    one.save(entry("short"), 1.0)
    assert one.flush(PATIENCE_S)
    postgres.tell(f"UPDATE {TABLE} SET kept_until = now() - interval '1 s'")
    other.save(entry("a"), 1.0)  # its first look, but one has just looked
    assert other.flush(PATIENCE_S) and in_table(postgres) == 2
    one.close()
    other.close()


def test_a_lot_that_has_expired_goes_bit_by_bit(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWEEP", 10)
    store = postgres_store(postgres.url)
    store.save(entry("first"), 1.0)
    assert store.flush(PATIENCE_S)
    postgres.tell(
        f"INSERT INTO {TABLE} SELECT n::text::bytea, '', 100, now() - interval '1 s' FROM generate_series(1, 25) AS n"
    )
    postgres.tell("DELETE FROM edgeclient_leases")
    store._backend._tidy_at = 0.0  # type: ignore[attr-defined]
    left = []
    for _ in range(4):
        store.save(entry("first"), 1.0)
        assert store.flush(PATIENCE_S)
        left.append(in_table(postgres))
    assert left == [16, 6, 1, 1]
    store.close()


# -- schemas


def test_a_table_of_a_newer_version_is_left_alone(postgres: Server) -> None:
    mishaps = Mishaps()
    store = postgres_store(postgres.url)
    store.save(entry("a"), 1.0)
    store.close()
    postgres.tell(f"COMMENT ON TABLE {TABLE} IS 'edgeclient cache, schema 99'")
    store = postgres_store(postgres.url, mishaps)
    store.save(entry("b"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) is None
    assert "schema 99" in str(mishaps.last["cache load"]) and "schema 99" in str(mishaps.last["cache write"])
    assert in_table(postgres) == 1
    store.close()


def test_an_older_table_is_brought_up_to_date_and_keeps_its_entries(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgres_store(postgres.url)
    store.save(entry("a"), 1.0)
    store.close()
    monkeypatch.setattr(module, "_STEPS", (*module._STEPS, f"ALTER TABLE {TABLE} ADD COLUMN more text"))
    mishaps = Mishaps()
    stores = [postgres_store(postgres.url, mishaps) for _ in range(4)]
    assert stores[0].load("a", 1.0) == entry("a")
    for n, store in enumerate(stores):
        store.save(entry(str(n)), 1.0)
    assert all(store.flush(PATIENCE_S) for store in stores) and not mishaps
    assert in_table(postgres, "count(*) FILTER (WHERE more IS NULL)") == 5
    said = postgres.tell(f"SELECT obj_description('{TABLE}'::regclass, 'pg_class')")
    assert said == [(f"edgeclient cache, schema {len(module._STEPS)}",)]
    for store in stores:
        store.close()


def test_somebody_elses_table_of_that_name_is_not_touched(postgres: Server) -> None:
    postgres.tell(f"CREATE TABLE {TABLE} (mine text)")
    mishaps = Mishaps()
    store = postgres_store(postgres.url, mishaps)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) is None
    assert mishaps["cache write"] == 1 and mishaps["cache load"] == 1
    assert postgres.tell(f"SELECT * FROM {TABLE}") == []
    store.close()


@pytest.mark.parametrize("wrong", ["password", "database"])
def test_who_is_not_let_in_is_a_counted_miss(postgres: Server, wrong: str) -> None:
    mishaps = Mishaps()
    url = postgres.url_of("edge", "s3cr4t") if wrong == "password" else postgres.url_of("no_such")
    store = postgres_store(url, mishaps)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) is None
    assert mishaps["cache load"] == 1 and mishaps["cache write"] == 1
    assert wrong in str(mishaps.last["cache load"]) and "s3cr" not in repr(mishaps.last)
    store.close()


def test_it_is_cleared_while_somebody_reads_the_whole_table(postgres: Server) -> None:
    import psycopg

    store = postgres_store(postgres.url)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S)
    with psycopg.connect(postgres.url) as dump:
        dump.execute(f"SELECT * FROM {TABLE}")
        store.clear()
        assert store.load("a", 1.0) is None
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_connections_of_its_own(postgres: Server) -> None:
    store = postgres_store(postgres.url)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) == entry("a")
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'edgeclient' ORDER BY pid"
    before = postgres.tell(sessions)
    child = os.fork()
    if child == 0:
        store.after_fork()
        store.save(entry("b"), 1.0)
        os._exit(0 if store.load("a", 1.0) == entry("a") and store.flush(PATIENCE_S) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    mishaps = store._mishap
    assert store.load("b", 1.0) == entry("b") and not mishaps
    until(lambda: postgres.tell(sessions) == before)  # the parent's are the same, and well
    store.close()


# -- what befalls it


@both_ways
def test_it_was_never_there(run: Run) -> None:
    case = calls_over(f"postgresql://127.0.0.1:{free_port()}/edge", run)
    assert case.calls(*"abcdef") == ["miss"] * 6
    assert case.mishaps["cache load"] == 3
    case.store.close()


@both_ways
def test_it_is_started_anew_between_two_calls(own: Server, run: Run) -> None:
    """The connections are stale, which is noticed before they are used; an orderly stop keeps the entries."""
    case = calls_over(own.url, run)
    case.calls("a?")
    case.settle()
    own.stop()
    own.start()
    assert case.calls("a?", "b?") == ["hit", "miss"]
    case.settle()
    assert case.calls("b?") == ["hit"] and not case.mishaps
    case.store.close()


@both_ways
def test_an_administrator_ends_its_sessions(postgres: Server, run: Run) -> None:
    case = calls_over(postgres.url, run)
    case.calls("a?")
    case.settle()
    assert case.calls("a?") == ["hit"]
    postgres.tell("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'edgeclient'")
    assert case.calls("a?", "b?") == ["hit", "miss"]
    case.settle()
    assert not case.mishaps
    case.store.close()


def test_a_frozen_server_holds_up_the_thread_no_longer_than_its_limit(
    own: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a path that swallows everything would keep the reader for as long as TCP hopes."""
    mishaps = Mishaps()
    store = postgres_store(own.url, mishaps)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) == entry("a")
    own.freeze()
    assert store.load("a", 1.0) is None  # though the caller would have waited for 10 s
    assert "has not answered" in str(mishaps.last["cache load timeout"])
    store.save(entry("b"), 1.0)
    assert store.flush(PATIENCE_S) and isinstance(mishaps.last["cache write"], TimeoutError)
    assert store.claim("c", lambda found: True, 1.0) is None
    own.thaw()
    assert store.load("a", 1.0) == entry("a") and not caplog.records  # psycopg has nothing to say either
    store.close()


@both_ways
def test_it_is_full(own: Server, run: Run) -> None:
    """Emulated: the sessions may write no file. The one that failed is let go, and the next one has room again."""
    case = calls_over(own.url, run)
    case.calls("a?")
    case.settle()
    assert case.calls("a?") == ["hit"]
    before = in_table(own)
    for (pid,) in own.tell("SELECT pid FROM pg_stat_activity WHERE application_name = 'edgeclient'"):
        own.fill(pid)
    for n in range(100):
        case.store.save(entry(f"{n}", body=1900), 1.0)
        case.settle()
        if case.mishaps["cache write"]:
            break
    assert case.mishaps["cache write"] == 1 and in_table(own) == before + n  # those that were said to be written
    assert case.calls("a?") == ["hit"]
    assert case.recovers()
    case.store.close()


@both_ways
def test_it_becomes_read_only(own: Server, run: Run) -> None:
    case = calls_over(own.url, run)
    case.calls("a?")
    case.settle()
    _say(own, "default_transaction_read_only", "on")
    for question in "bcdef":
        assert case.calls(question, "a?") == ["miss", "hit"]
        case.settle()
    assert case.mishaps["cache write"] == 3 and not case.mishaps["cache load"]
    _say(own, "default_transaction_read_only", "off")
    assert case.recovers()
    case.store.close()


def _say(server: Server, name: str, value: str) -> None:
    server.tell(f"ALTER SYSTEM SET {name} = {value}")
    server.tell("SELECT pg_reload_conf()")
    until(lambda: server.tell(f"SHOW {name}") == [(value,)])


@both_ways
def test_the_table_is_locked(postgres: Server, run: Run) -> None:
    import psycopg

    case = calls_over(postgres.url, run)
    case.calls("a?")
    case.settle()
    assert case.calls("a?") == ["hit"]
    with psycopg.connect(postgres.url) as another:
        another.execute(f"LOCK TABLE {TABLE}")
        case.store._budget_s = SHORT_S
        assert case.calls(*QUESTIONS) == ["miss"] * 20
        assert case.mishaps["cache load timeout"] == 3
    assert case.recovers()
    case.store.close()


@both_ways
def test_the_table_is_dropped(postgres: Server, run: Run) -> None:
    case = calls_over(postgres.url, run)
    case.calls("a?")
    case.settle()
    postgres.forget()
    assert case.calls("a?", "b?") == ["miss", "miss"]
    case.settle()
    assert case.recovers()
    case.store.close()


@both_ways
def test_values_of_somebody_else_are_misses(postgres: Server, run: Run) -> None:
    case = calls_over(postgres.url, run)
    case.calls("a?")
    case.settle()
    data = in_table(postgres, "data")
    assert isinstance(data, bytes)
    for value in (b"", b"garbage", data[:-1], b"ec\x63" + bytes(50)):
        postgres.tell(f"UPDATE {TABLE} SET data = '\\x{value.hex()}'")
        assert case.calls("a?") == ["miss"]
        case.settle()
        assert case.calls("a?") == ["hit"]  # it was written anew
    assert case.mishaps["damaged cache entry"] == 3 and case.mishaps["cache entry of a newer version"] == 1
    case.store.close()


def test_many_threads_over_one_that_comes_and_goes(own: Server) -> None:
    """Nobody ever gets an exception, or another key's entry."""
    store = postgres_store(own.url, budget_s=SHORT_S)
    over = threading.Event()
    wrong: list[object] = []

    def go(name: str) -> None:
        n = 0
        while not over.is_set():
            n += 1
            key = f"{name}{n % 20}"
            try:
                found = store.load(key, 1.0)
                wrong.extend([found] if found is not None and found != entry(key) else [])
                store.save(entry(key), 1.0)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=go, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for _ in range(2):
        own.kill()
        own.start()
        own.freeze()
        own.thaw()
    over.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not wrong and not any(thread.is_alive() for thread in threads)
    store.close()
