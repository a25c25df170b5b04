"""The contract of a store, and what is special about the one in memory. A further store joins `STORES`."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.stores import Store
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.values import Entry

STORES: list[Callable[[int], Store]] = [MemoryStore]
each_store = pytest.mark.parametrize("make", STORES)


def entry(key: str = "a", *, size: int = 10, stored_at: float = 0.0, expires_at: float = 100.0) -> Entry:
    return Entry(
        key=key, body=b'{"key":"%s"}' % key.encode(), has_usage=True, headers=((b"request-id", b"r"),), size=size,
        stored_at=stored_at, expires_at=expires_at, id="1", endpoint="fra", pop="FRA",
    )  # fmt: skip


@each_store
def test_load_gives_back_what_was_saved(make: Callable[[int], Store]) -> None:
    store = make(1000)
    store.save(entry("a"), 1.0)
    store.save(entry("b"), 1.0)
    assert (store.load("a", 2.0), store.load("b", 2.0), store.load("c", 2.0)) == (entry("a"), entry("b"), None)


@each_store
@pytest.mark.parametrize(("now", "found"), [(99.9, True), (100.0, False), (101.0, False)])
def test_an_expired_entry_is_never_given(make: Callable[[int], Store], now: float, found: bool) -> None:
    store = make(1000)
    store.save(entry(), 1.0)
    assert (store.load("a", now) is not None) is found


@each_store
def test_save_replaces(make: Callable[[int], Store]) -> None:
    store = make(1000)
    store.save(entry(size=10), 1.0)
    store.save(entry(size=30, stored_at=2.0), 2.0)
    loaded = store.load("a", 3.0)
    assert loaded is not None and loaded.stored_at == 2.0
    assert store.usage() == (1, 30)


@each_store
def test_clear_forgets_all(make: Callable[[int], Store]) -> None:
    store = make(1000)
    store.save(entry(), 1.0)
    store.clear()
    assert store.load("a", 1.0) is None and store.usage() == (0, 0)


@each_store
@given(sizes=st.lists(st.integers(1, 120), max_size=30))
def test_bytes_are_bounded(make: Callable[[int], Store], sizes: list[int]) -> None:
    store = make(100)
    for n, size in enumerate(sizes):
        store.save(entry(str(n), size=size), 1.0)
        entries, held = store.usage()
        assert held <= 100 and (held == 0) is (entries == 0)
        assert (store.load(str(n), 1.0) is not None) is (size <= 100)


@each_store
def test_an_entry_that_is_too_large_pushes_nothing_out(make: Callable[[int], Store]) -> None:
    store = make(100)
    store.save(entry("a", size=60), 1.0)
    store.save(entry("b", size=101), 1.0)
    assert store.load("a", 1.0) is not None and store.load("b", 1.0) is None


@each_store
def test_many_threads_may_share_it(make: Callable[[int], Store]) -> None:
    store = make(500)

    def hammer(seed: int) -> None:
        rng = random.Random(seed)
        for now in range(400):
            key = str(rng.randrange(20))
            if rng.random() < 0.5:
                store.save(entry(key, size=rng.randrange(1, 80), expires_at=now + rng.randrange(1, 50)), float(now))
            else:
                loaded = store.load(key, float(now))
                assert loaded is None or (loaded.key, loaded.body) == (key, entry(key).body)
            if rng.random() < 0.01:
                store.clear()
            assert store.usage()[1] <= 500

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(hammer, seed) for seed in range(8)]:
            done.result()


def test_the_least_recently_used_goes_first() -> None:
    store = MemoryStore(30)
    for key in "abc":
        store.save(entry(key), 1.0)
    store.load("a", 1.0)
    store.save(entry("d"), 1.0)
    assert [key for key in "abcd" if store.load(key, 1.0)] == ["a", "c", "d"]


def test_an_expired_entry_goes_before_a_used_one() -> None:
    store = MemoryStore(30)
    store.save(entry("old", expires_at=2.0), 1.0)
    store.save(entry("a"), 1.0)
    store.save(entry("b"), 1.0)
    store.save(entry("c"), 3.0)
    assert [key for key in ("old", "a", "b", "c") if store.load(key, 3.0)] == ["a", "b", "c"]


def test_a_fork_with_the_lock_held_starts_empty_and_unlocked() -> None:
    store = MemoryStore(100)
    store.save(entry(), 1.0)
    assert store._lock.acquire(blocking=False)  # as another thread does at the moment of the fork
    store.after_fork()
    assert store.load("a", 1.0) is None  # and does not hang
    store.save(entry(), 1.0)
    assert store.usage() == (1, 10)


def test_a_fork_with_the_lock_free_keeps_the_entries() -> None:
    store = MemoryStore(100)
    store.save(entry(), 1.0)
    store.after_fork()
    assert store.load("a", 1.0) == entry()
