"""What is special about the store in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stores import entry

from edgeclient.cache.stores.memory import MemoryStore

ONE = entry().size


@given(bodies=st.lists(st.integers(0, 5 * ONE), max_size=30))
def test_bytes_are_bounded(bodies: list[int]) -> None:
    store = MemoryStore(4 * ONE)
    for n, body in enumerate(bodies):
        given = entry(str(n), body=body)
        assert store.save(given, 1.0) is (given.size <= 4 * ONE)
        entries, held = store.usage()
        assert held <= 4 * ONE and (held == 0) is (entries == 0)
        assert (store.load(str(n), 1.0) is not None) is (given.size <= 4 * ONE)


def test_an_entry_that_is_too_large_pushes_nothing_out() -> None:
    store = MemoryStore(ONE)
    store.save(entry("a"), 1.0)
    assert not store.save(entry("b", body=1), 1.0)
    assert store.load("a", 1.0) is not None and store.load("b", 1.0) is None


def test_two_threads_that_tell_the_time_in_the_wrong_order_lose_nothing() -> None:
    store = MemoryStore(10 * ONE)
    store.save(entry("a", stored_at=5.0), 5.0)
    assert store.load("a", 4.9999) is None and store.load("a", 5.0) is not None


def test_the_least_recently_used_goes_first() -> None:
    store = MemoryStore(3 * ONE)
    for key in "abc":
        store.save(entry(key), 1.0)
    store.load("a", 1.0)
    store.save(entry("d"), 1.0)
    assert [key for key in "abcd" if store.load(key, 1.0)] == ["a", "c", "d"]


def test_an_expired_entry_goes_before_a_used_one() -> None:
    store = MemoryStore(3 * ONE)
    store.save(entry("old", expires_at=2.0), 1.0)
    store.save(entry("a"), 1.0)
    store.save(entry("b"), 1.0)
    store.save(entry("c"), 3.0)
    assert [key for key in ("old", "a", "b", "c") if store.load(key, 3.0)] == ["a", "b", "c"]


def test_a_fork_with_the_lock_held_starts_empty_and_unlocked() -> None:
    store = MemoryStore(10 * ONE)
    store.save(entry(), 1.0)
    assert store._lock.acquire(blocking=False)  # as another thread does at the moment of the fork
    store.after_fork()
    assert store.load("a", 1.0) is None  # and does not hang
    store.save(entry(), 1.0)
    assert store.usage() == (1, ONE)


def test_a_fork_with_the_lock_free_keeps_the_entries() -> None:
    store = MemoryStore(10 * ONE)
    store.save(entry(), 1.0)
    store.after_fork()
    assert store.load("a", 1.0) == entry()
