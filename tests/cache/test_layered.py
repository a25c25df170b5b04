"""Memory over a store that others share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stores import entry

from edgeclient.cache.stores import Store
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.values import Entry

Load = Callable[[Store, str, float], "Entry | None"]


def _as_a_task(store: Store, key: str, now: float) -> Entry | None:
    steps = store.load_async(key, now)
    try:
        steps.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("memory never waits")


both = pytest.mark.parametrize(
    "load", [lambda store, key, now: store.load(key, now), _as_a_task], ids=["sync", "async"]
)


@both
def test_what_is_found_below_is_put_above_for_the_rest_of_its_life(load: Load) -> None:
    above, below = MemoryStore(10_000), MemoryStore(10_000)
    store = Layered(above, below)
    below.save(entry("a", expires_at=10.0), 1.0)
    assert load(store, "a", 4.0) == entry("a", expires_at=10.0)
    below.clear()
    assert load(store, "a", 9.9) == entry("a", expires_at=10.0)
    assert load(store, "a", 10.0) is None


@both
def test_what_is_above_is_not_asked_for_below(load: Load) -> None:
    above, below = MemoryStore(10_000), MemoryStore(10_000)
    store = Layered(above, below)
    store.save(entry("a"), 1.0)
    below.save(entry("a", body=20), 2.0)
    assert load(store, "a", 3.0) == entry("a")


@both
def test_what_has_expired_above_makes_way_for_a_newer_one_below(load: Load) -> None:
    """Another process has asked anew; until then the old one is there for those who take it."""
    above, below = MemoryStore(10_000), MemoryStore(10_000)
    store, old, new = Layered(above, below), entry("a", expires_at=10.0, stale_s=90.0), entry("a", expires_at=50.0)
    store.save(old, 1.0)
    assert load(store, "a", 20.0) == old
    below.save(new, 20.0)
    assert load(store, "a", 20.0) == new
    below.clear()
    assert load(store, "a", 20.0) == new


@both
def test_an_older_one_below_does_not_replace_what_is_above(load: Load) -> None:
    above, below = MemoryStore(10_000), MemoryStore(10_000)
    above.save(entry("a", expires_at=20.0, stale_s=90.0), 1.0)
    below.save(entry("a", expires_at=10.0, stale_s=90.0), 1.0)
    assert load(Layered(above, below), "a", 30.0) == entry("a", expires_at=20.0, stale_s=90.0)


def test_it_is_saved_when_one_of_the_two_takes_it() -> None:
    store = Layered(MemoryStore(10), MemoryStore(10_000))
    assert store.save(entry(body=500), 1.0) and store.load("a", 1.0) == entry(body=500)
    assert Layered(MemoryStore(10_000), MemoryStore(10)).save(entry(body=500), 1.0)
    assert not Layered(MemoryStore(10), MemoryStore(10)).save(entry(body=500), 1.0)


def test_usage_is_that_of_the_store_below_where_it_can_tell() -> None:
    above, below = MemoryStore(10_000), MemoryStore(10_000)
    store = Layered(above, below)
    above.save(entry("a"), 1.0)
    assert store.usage() == (1, entry().size)  # a server tells nothing
    for key in "ab":
        below.save(entry(key), 1.0)
    assert store.usage() == (2, 2 * entry().size)
