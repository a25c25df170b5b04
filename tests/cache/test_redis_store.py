"""What is special about the store on a server, and what befalls one: real servers, killed, frozen, filled, made read-only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from befalling import PATIENCE_S, QUESTIONS, Befallen
from pipeline.scripted import Run, both_ways
from servers import Server, clustered, replicated, running, until
from stores import Mishaps, entry, redis_store

from edgeclient.cache.marks import Subject
from edgeclient.cache.stores import wire
from edgeclient.cache.stores.redis_line import Address

pytest.importorskip("redis")


def calls_over(port: int | Address, run: Run, **said: str) -> Befallen:
    return Befallen(lambda mishaps, clock: redis_store(port, mishaps, budget_s=PATIENCE_S, clock=clock, **said), run)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server of one's own, to do harm to."""
    with running(tmp_path) as server:
        yield server


# -- what it keeps


def test_keys_have_our_prefix_and_the_servers_expiry(server: Server) -> None:
    store = redis_store(server.port)
    store.save(entry("k", stored_at=1000.0, expires_at=1090.0), 1000.0)
    assert store.flush(PATIENCE_S)
    names = sorted(server.tell("KEYS", "*"))
    assert names[1] == b"edgeclient:1:generation" and names[0].startswith(b"edgeclient:1:") and names[0].endswith(b":k")
    assert 80_000 < server.tell("PTTL", names[0]) <= 90_000
    assert wire.decode("k", server.tell("GET", names[0])) == entry("k", stored_at=1000.0, expires_at=1090.0)
    store.save(entry("k", stored_at=1000.0, expires_at=1090.0, stale_s=600.0), 1000.0)
    assert store.flush(PATIENCE_S)
    assert 680_000 < server.tell("PTTL", names[0]) <= 690_000  # kept for those who take a stale one
    store.close()


def test_two_processes_see_each_others_entries_and_clearing(server: Server) -> None:
    one, other = redis_store(server.port), redis_store(server.port)
    one.save(entry("a"), 1.0)
    assert one.flush(PATIENCE_S) and other.load("a", 1.0) == entry("a")
    other.clear()
    assert one.load("a", 1.0) is None and other.load("a", 1.0) is None
    one.save(entry("b"), 1.0)
    assert one.flush(PATIENCE_S) and other.load("b", 1.0) == entry("b")
    one.close()
    other.close()


def test_what_was_cleared_does_not_come_back_when_the_generation_is_lost(server: Server) -> None:
    """A server that is short of memory may evict any key."""
    store = redis_store(server.port)
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S) and store.load("a", 1.0) is not None
    store.clear()
    server.tell("DEL", "edgeclient:1:generation")
    assert store.load("a", 1.0) is None
    store.save(entry("b"), 1.0)
    assert store.flush(PATIENCE_S)
    assert store.load("a", 1.0) is None and store.load("b", 1.0) == entry("b")
    store.close()


def test_a_writer_learns_that_others_have_cleared(server: Server) -> None:
    one, other = redis_store(server.port), redis_store(server.port)
    one.save(entry("a"), 1.0)
    assert one.flush(PATIENCE_S)
    other.clear()
    for key in "bc":  # the first of these may still go to what was cleared
        one.save(entry(key), 1.0)
        assert one.flush(PATIENCE_S)
    assert other.load("a", 1.0) is None and other.load("c", 1.0) == entry("c")
    one.close()
    other.close()


def test_nothing_scans_the_server(server: Server) -> None:
    store = redis_store(server.port)
    server.tell("CONFIG", "RESETSTAT")
    store.save(entry("a"), 1.0)
    store.load("a", 1.0)
    store.clear()
    store.usage()
    store.delete("a")
    assert store.flush(PATIENCE_S)
    used = set(server.tell("INFO", "commandstats"))
    assert "cmdstat_get" in used
    assert not {name for name in used if name.rpartition("_")[2] in ("scan", "keys", "flushdb", "dbsize")}
    store.close()


def test_a_password_is_given(tmp_path: Path) -> None:
    with running(tmp_path, "--requirepass", "s3cr3t") as server:
        right, wrong, none = Mishaps(), Mishaps(), Mishaps()
        store = redis_store(server.port, right, password="s3cr3t")
        store.save(entry("a"), 1.0)
        assert store.flush(PATIENCE_S) and store.load("a", 1.0) == entry("a") and not right
        for mishaps, said in ((wrong, {"password": "s3cr4t"}), (none, {})):
            refused = redis_store(server.port, mishaps, **said)
            refused.save(entry("a"), 1.0)
            assert refused.flush(PATIENCE_S) and refused.load("a", 1.0) is None
            assert mishaps["cache load"] == 1 and mishaps["cache write"] == 1
            assert "s3cr" not in repr(mishaps.last)
            refused.close()
        store.close()


# -- what befalls it


@both_ways
def test_it_was_never_there(own: Server, run: Run) -> None:
    own.kill()
    case = calls_over(own.port, run)
    assert case.calls(*"abcdef") == ["miss"] * 6
    assert case.mishaps["cache load"] == 3
    own.start()
    assert case.recovers()
    case.store.close()


@both_ways
def test_it_is_started_anew_between_two_calls(own: Server, run: Run) -> None:
    """The connections are stale: the first lookup and the first write go over new ones."""
    case = calls_over(own.port, run)
    case.calls("a?")
    case.settle()
    own.kill()
    own.start()
    assert case.calls("a?") == ["miss"]
    case.settle()
    assert case.calls("a?") == ["hit"] and not case.mishaps
    case.store.close()


@both_ways
def test_it_is_full(own: Server, run: Run) -> None:
    case = calls_over(own.port, run)
    case.calls("a?")
    case.settle()
    own.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
    own.tell("CONFIG", "SET", "maxmemory", "1")
    for question in "bcdef":
        assert case.calls(question, "a?") == ["miss", "hit"]  # what is there is still found
        case.settle()
    assert case.mishaps["cache write"] == 3 and not case.mishaps["cache load"]
    own.tell("CONFIG", "SET", "maxmemory", "0")
    assert case.recovers()
    case.store.close()


@both_ways
def test_it_becomes_read_only(own: Server, run: Run) -> None:
    case = calls_over(own.port, run)
    case.calls("a?")
    case.settle()
    own.tell("CONFIG", "SET", "replica-serve-stale-data", "yes")
    own.tell("REPLICAOF", "127.0.0.1", 1)
    for question in "bcdef":
        assert case.calls(question, "a?") == ["miss", "hit"]
        case.settle()
    assert case.mishaps["cache write"] == 3
    own.tell("REPLICAOF", "NO", "ONE")
    assert case.recovers()
    case.store.close()


@both_ways
def test_values_of_somebody_else_are_misses(server: Server, run: Run) -> None:
    case = calls_over(server.port, run)
    case.calls("a?")
    case.settle()
    (name,) = (key for key in server.tell("KEYS", "*") if not key.endswith(b"generation"))
    for value in (b"", b"garbage", server.tell("GET", name)[:-1], b"ec\x63" + bytes(50)):
        server.tell("SET", name, value)
        assert case.calls("a?") == ["miss"]
        case.settle()
        assert case.calls("a?") == ["hit"]  # it was written anew
    server.tell("DEL", name)
    server.tell("LPUSH", name, "a list")
    assert case.calls("a?") == ["miss"]
    assert case.mishaps["damaged cache entry"] == 3 and case.mishaps["cache entry of a newer version"] == 1
    case.store.close()


# -- several servers


@both_ways
def test_sentinels_name_the_primary_and_the_next_one(tmp_path: Path, run: Run) -> None:
    with replicated(tmp_path) as (primary, replica, sentinel):
        case = calls_over(Address((("127.0.0.1", sentinel.port),), service="main"), run)
        assert case.calls("a?") == ["miss"]
        case.settle()
        until(lambda: replica.tell("DBSIZE") == 2)
        assert case.calls("a?") == ["hit"] and not case.mishaps
        primary.kill()
        assert case.calls(*QUESTIONS) == ["miss"] * 20
        case.settle()
        until(lambda: b"role:master" in replica.raw("INFO replication"))
        until(lambda: f"\r\nport\r\n$5\r\n{replica.port}\r\n".encode() in sentinel.raw("SENTINEL master main"))
        assert case.recovers() and case.calls("a?") == ["hit"]  # it was replicated
        case.store.close()


@both_ways
def test_a_cluster_shares_the_entries_among_its_servers(tmp_path: Path, run: Run) -> None:
    with clustered(tmp_path) as servers:
        case = calls_over(Address((("127.0.0.1", servers[0].port),), cluster=True), run)
        assert case.calls(*QUESTIONS) == ["miss"] * 20
        case.settle()
        assert case.calls(*QUESTIONS) == ["hit"] * 20 and not case.mishaps
        held = [server.tell("DBSIZE") for server in servers]
        assert sum(held) == 21 and 0 not in held
        case.store.clear()
        assert case.calls("0?") == ["miss"]
        case.settle()
        for server in servers:
            server.kill()
        assert case.calls(*QUESTIONS) == ["miss"] * 20
        case.settle()
        case.store.close()


# -- what is made invalid


def marked(server: Server) -> list[bytes]:
    return list(server.tell("KEYS", "edgeclient:1:marks:*"))


def test_a_set_of_marks_that_is_evicted_takes_all_entries_with_it(server: Server) -> None:
    one, other = redis_store(server.port), redis_store(server.port)
    for key in "ab":
        one.save(entry(key), 1.0)
    assert one.flush(PATIENCE_S)
    one.invalidate(Subject(key="a"), 2.0)
    assert other.load("a", 3.0) is None and other.load("b", 3.0) is not None
    (name,) = marked(server)
    server.tell("DEL", name)
    third = redis_store(server.port)
    assert [third.load(key, 3.0) for key in "ab"] == [None, None]
    third.save(entry("b"), 3.0)
    assert third.flush(PATIENCE_S) and redis_store(server.port).load("b", 3.0) is not None
    for store in (one, other, third):
        store.close()


def test_a_new_process_leads_by_the_name_that_all_others_know(server: Server) -> None:
    """The first word that it hears of the generation has the flag of the marks behind it."""
    one, other = redis_store(server.port), redis_store(server.port)
    one.invalidate(Subject(key="a"), 2.0)
    assert other.claim("k", lambda found: True, 10.0) is None
    (lease,) = server.tell("KEYS", "edgeclient:1:lease:*")
    assert b"!" not in lease
    one.close()
    other.close()


def test_a_cleared_server_keeps_no_marks(server: Server) -> None:
    store = redis_store(server.port)
    store.invalidate(Subject(key="a"), 2.0)
    assert len(marked(server)) == 1
    store.clear()
    assert marked(server) == []
    store.close()


def test_processes_that_mark_at_the_same_time_lose_nothing(server: Server) -> None:
    stores = [redis_store(server.port) for _ in range(4)]
    threads = [
        threading.Thread(
            target=lambda n=n, store=store: [store.invalidate(Subject(tag=f"{n}-{m}"), 1.0) for m in range(20)]
        )
        for n, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0]._backend.marks()) == 80
    for store in stores:
        store.close()


@both_ways
def test_marks_hold_in_a_cluster(tmp_path: Path, run: Run) -> None:
    with clustered(tmp_path) as servers:
        address = Address((("127.0.0.1", servers[0].port),), cluster=True)
        case, other = calls_over(address, run), calls_over(address, run)
        assert case.calls("a?", "b?") == ["miss", "miss"]
        case.settle()
        case.store.invalidate(Subject(model="gpt-4o"), case.rt.wall())
        case.rt.time += 1
        other.rt.time += 1
        assert other.calls("a?", "b?") == ["miss", "miss"]
        other.settle()
        assert case.calls("a?", "b?") == ["hit", "hit"]
        assert not case.mishaps and not other.mishaps
        case.store.close()
        other.store.close()
