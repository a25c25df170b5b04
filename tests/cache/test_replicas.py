"""Lookups at the nearest replica of a Redis server: real servers, one of them behind a longer line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from befalling import Line
from servers import Server, replicated, running, until
from stores import Mishaps, entry, redis_store

from edgeclient.cache.marks import Subject
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.redis import RedisBackend
from edgeclient.cache.stores.redis_line import Address

pytest.importorskip("redis")

PATIENCE_S = 20.0


class Far:
    """A primary behind a line of 30 ms, its replica beside us, and stores that know both."""

    def __init__(self, primary: Server, replica: Server, line: Line) -> None:
        self.primary, self.replica, self.line = primary, replica, line
        self.mishaps = Mishaps()
        self._made: list[Guarded] = []

    def store(self) -> Guarded:
        hosts = (("127.0.0.1", self.line.port), ("127.0.0.1", self.replica.port))
        self._made.append(redis_store(Address(hosts), self.mishaps))
        return self._made[-1]

    def settled(self, store: Guarded, key: str) -> None:
        """Saved, measured, and replicated."""
        store.save(entry(key), 1.0)
        assert store.flush(PATIENCE_S)
        until(lambda: any(name.endswith(f":{key}".encode()) for name in self.replica.tell("KEYS", "*")))

    def close(self) -> None:
        for store in self._made:
            store.close()


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    quick = ("--repl-diskless-sync-delay", "0")
    with (
        running(tmp_path, *quick) as primary,
        running(tmp_path, "--replicaof", "127.0.0.1", str(primary.port)) as replica,
    ):
        until(lambda: b"master_link_status:up" in replica.raw("INFO replication"))
        with Line(primary.port, delay_s=0.03) as line:
            it = Far(primary, replica, line)
            yield it
            it.close()


def lookups(server: Server) -> int:
    said = server.tell("INFO", "commandstats").get("cmdstat_mget")
    return 0 if said is None else int(said["calls"])


def test_lookups_go_to_the_near_replica_and_writes_to_the_primary(far: Far) -> None:
    store = far.store()
    far.settled(store, "a")
    before = lookups(far.primary), lookups(far.replica)
    for _ in range(5):
        assert store.load("a", 2.0) == entry("a")
    assert (lookups(far.primary), lookups(far.replica)) == (before[0], before[1] + 5)
    far.settled(store, "b")
    assert store.load("b", 2.0) == entry("b") and not far.mishaps


def test_a_replica_that_is_as_far_as_the_primary_is_not_asked(far: Far) -> None:
    hosts = (("127.0.0.1", far.primary.port), ("127.0.0.1", far.replica.port))
    store = redis_store(Address(hosts), far.mishaps)
    far.settled(store, "a")
    before = lookups(far.replica)
    assert store.load("a", 2.0) == entry("a") and lookups(far.replica) == before
    store.close()


def test_a_replica_that_lags_gives_a_miss_and_the_lease_finds_the_answer(far: Far) -> None:
    store = far.store()
    far.settled(store, "a")
    far.replica.tell("REPLICAOF", "127.0.0.1", 1)  # it hears nothing any more, and still answers
    store.save(entry("b"), 1.0)
    assert store.flush(PATIENCE_S)
    assert store.load("a", 2.0) == entry("a") and store.load("b", 2.0) is None
    assert store.claim("b", lambda found: True, 10.0) == entry("b") and not far.mishaps


def test_what_was_cleared_is_not_given_by_a_replica_that_has_not_heard_of_it(far: Far) -> None:
    store, other = far.store(), far.store()
    far.settled(store, "a")
    assert store.load("a", 2.0) == entry("a")
    far.replica.tell("REPLICAOF", "127.0.0.1", 1)
    store.clear()
    assert store.load("a", 2.0) is None
    assert other.load("a", 2.0) is None  # it asks the primary first


def test_what_others_have_cleared_is_given_only_for_a_while(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = far.store(), far.store()
    far.settled(store, "a")
    far.replica.tell("REPLICAOF", "127.0.0.1", 1)
    other.clear()
    monkeypatch.setattr("edgeclient.cache.stores.replicas._SURE_S", 0.0)
    assert isinstance(store._backend, RedisBackend)
    store._backend._replicas.primary_answered()  # as if that was long ago
    assert store.load("a", 2.0) is None


def test_a_replica_goes_on_answering_after_something_was_made_invalid(far: Far) -> None:
    """The generation is the same, with a flag behind it."""
    store = far.store()
    far.settled(store, "a")
    store.invalidate(Subject(key="another"), 1.0)
    until(lambda: far.replica.tell("GET", "edgeclient:1:generation").endswith(b"!"))
    before = lookups(far.replica)
    assert store.load("a", 2.0) == entry("a") and lookups(far.replica) == before + 1


def test_when_the_replica_goes_the_primary_is_asked_again(far: Far) -> None:
    store = far.store()
    far.settled(store, "a")
    assert store.load("a", 2.0) == entry("a")
    far.replica.kill()
    assert store.load("a", 2.0) is None and far.mishaps == {"cache load": 1}
    assert store.load("a", 2.0) == entry("a") and far.mishaps == {"cache load": 1}


def test_when_the_path_to_the_replica_swallows_everything_the_primary_is_asked_again(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeclient.cache.stores.redis_line.LONGEST_S", 0.5)
    with Line(far.replica.port) as path:
        hosts = (("127.0.0.1", far.line.port), ("127.0.0.1", path.port))
        store = redis_store(Address(hosts), far.mishaps)
        far.settled(store, "a")
        before = lookups(far.replica)
        assert store.load("a", 2.0) == entry("a") and lookups(far.replica) == before + 1
        path.hold()
        assert store.load("a", 2.0) is None and far.mishaps.total() == 1
        assert store.load("a", 2.0) == entry("a") and far.mishaps.total() == 1
        store.close()


def test_a_replica_that_lost_its_primary_is_not_chosen(far: Far) -> None:
    far.replica.tell("REPLICAOF", "127.0.0.1", 1)
    store = far.store()
    store.save(entry("a"), 1.0)
    assert store.flush(PATIENCE_S)
    assert store.load("a", 2.0) == entry("a") and not far.mishaps


def test_sentinels_name_the_replicas(tmp_path: Path) -> None:
    with replicated(tmp_path) as (_, replica, sentinel):
        store = redis_store(Address((("127.0.0.1", sentinel.port),), service="main"))
        assert isinstance(store._backend, RedisBackend)
        (found,) = store._backend._find_replicas()
        assert found.connection_pool.connection_kwargs["port"] == replica.port
        store.close()
