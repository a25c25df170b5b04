"""The contract of a store, kept by each of them. A further store joins `KINDS`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from stores import Mishaps, entry, postgres_store, redis_store, sqlite_store

from edgeclient.cache.marks import EVERYTHING, Subject
from edgeclient.cache.stores import Store
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.cache.stores.sealed import Sealed
from edgeclient.values import Entry

KINDS = ["memory", "sqlite", "sealed", "redis", "postgres", "layered"]


class Kept:
    """A store, and how to wait until what it was given is where it keeps it."""

    def __init__(self, store: Store, behind: list[Guarded]) -> None:
        self.store, self._behind = store, behind

    def settle(self) -> None:
        assert all(guarded.flush(20.0) for guarded in self._behind)


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    behind: list[Guarded] = []
    if request.param == "sqlite":
        behind = [sqlite_store(tmp_path / "cache.db")]
    elif request.param == "sealed":
        behind = [sqlite_store(tmp_path / "cache.db", form=Sealed(bytes(32), Mishaps()))]
    elif request.param == "redis":
        behind = [redis_store(request.getfixturevalue("server").port)]
    elif request.param == "postgres":
        behind = [postgres_store(request.getfixturevalue("postgres").url)]
    elif request.param == "layered":
        behind = [sqlite_store(tmp_path / "cache.db")]
    store: Store = behind[0] if behind else MemoryStore(100_000)
    if request.param == "layered":
        store = Layered(MemoryStore(100_000), store)
    yield Kept(store, behind)
    store.close()


Load = Callable[[str, float], "Entry | None"]


def test_load_gives_back_what_was_saved(kept: Kept) -> None:
    for settled in (False, True):
        assert kept.store.save(entry("a"), 1.0) and kept.store.save(entry("b" * 32), 1.0)
        if settled:
            kept.settle()
        found = kept.store.load("a", 2.0), kept.store.load("b" * 32, 2.0), kept.store.load("c", 2.0)
        assert found == (entry("a"), entry("b" * 32), None)


@pytest.mark.anyio
@pytest.mark.parametrize("settled", [False, True], ids=["at once", "once written"])
async def test_several_are_found_together(kept: Kept, settled: bool) -> None:
    many = [entry(str(n), stored_at=float(n), expires_at=200.0) for n in range(100)]
    for one in many[::2]:
        kept.store.save(one, 100.0)
    if settled:
        kept.settle()
    kept.store.invalidate(Subject(key="4"), 50.0)
    keys = [one.key for one in many]
    wanted = [one if one.key != "4" and n % 2 == 0 else None for n, one in enumerate(many)]
    assert kept.store.load_many(keys, 100.0) == wanted
    assert await kept.store.load_many_async(keys[::-1], 100.0) == wanted[::-1]
    assert kept.store.load_many([], 100.0) == []


@pytest.mark.anyio
async def test_tasks_find_the_same(kept: Kept) -> None:
    kept.store.save(entry("a"), 1.0)
    assert await kept.store.load_async("a", 2.0) == entry("a")
    kept.settle()
    assert await kept.store.load_async("a", 2.0) == entry("a")
    assert await kept.store.load_async("b", 2.0) is None


@pytest.mark.parametrize(
    ("now", "found"), [(49.9, False), (50.0, True), (99.9, True), (100.0, False), (101.0, False), (0.0, False)]
)
def test_neither_an_expired_entry_nor_one_of_the_future_is_given(kept: Kept, now: float, found: bool) -> None:
    kept.store.save(entry(stored_at=50.0), 50.0)
    kept.settle()
    assert (kept.store.load("a", now) is not None) is found


@pytest.mark.parametrize(
    ("now", "found"), [(49.9, False), (99.9, True), (100.0, True), (129.9, True), (130.0, False), (200.0, False)]
)
def test_an_entry_that_is_kept_after_its_end_is_given_until_then(kept: Kept, now: float, found: bool) -> None:
    saved = entry(stored_at=50.0, stale_s=30.0)
    kept.store.save(saved, 50.0)
    assert kept.store.load("a", now) == (saved if found else None)  # not written yet, where it is written at all
    kept.store.save(saved, 50.0)
    kept.settle()
    assert kept.store.load("a", now) == (saved if found else None)


def test_a_clock_that_goes_back_lets_no_entry_live_longer(kept: Kept) -> None:
    kept.store.save(entry("a", stored_at=50.0), 50.0)
    kept.settle()
    assert kept.store.load("a", 50.0) is not None
    assert kept.store.load("b", 10.0) is None
    kept.settle()
    if kept.store.waits:
        return  # a server's expiry runs by its own clock
    assert kept.store.load("a", 90.0) is None


def test_save_replaces(kept: Kept) -> None:
    kept.store.save(entry(body=10), 1.0)
    kept.settle()
    kept.store.save(entry(body=30, stored_at=2.0), 2.0)
    kept.store.save(entry(body=20, stored_at=2.5), 2.5)
    assert kept.store.load("a", 3.0) == entry(body=20, stored_at=2.5)
    kept.settle()
    assert kept.store.load("a", 3.0) == entry(body=20, stored_at=2.5)


def test_delete_forgets_one(kept: Kept) -> None:
    for settled in (False, True):
        kept.store.save(entry("a"), 1.0)
        kept.store.save(entry("b"), 1.0)
        if settled:
            kept.settle()
        kept.store.delete("a")
        kept.store.delete("never there")
        assert kept.store.load("a", 1.0) is None and kept.store.load("b", 1.0) is not None
        kept.settle()
        assert kept.store.load("a", 1.0) is None and kept.store.load("b", 1.0) is not None


OF_THE_FAQ = replace(entry("a"), model="m", namespace="faq", named="q", tags=("t", "u"))
ANOTHER = replace(entry("b"), model="n", tags=("v",))


@pytest.mark.parametrize(
    "subject",
    [
        Subject(key="a"), Subject(key="q"), Subject(namespace="faq"), Subject(model="m"), Subject(tag="u"),
        Subject("q", "faq", "m", "t"), EVERYTHING,
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("settled", [False, True], ids=["at once", "once written"])
def test_what_is_made_invalid_is_gone_and_nothing_else(kept: Kept, subject: Subject, settled: bool) -> None:
    for one in (OF_THE_FAQ, ANOTHER, replace(OF_THE_FAQ, key="c", stored_at=3.0)):
        kept.store.save(one, 4.0)
    if settled:
        kept.settle()
    kept.store.invalidate(subject, 2.0)
    found = [kept.store.load(key, 4.0) is not None for key in "abc"]
    assert found == [False, subject != EVERYTHING, True]  # what was stored later stays
    kept.settle()
    assert [kept.store.load(key, 4.0) is not None for key in "abc"] == found
    assert kept.store.save(replace(OF_THE_FAQ, stored_at=5.0), 5.0)
    assert kept.store.load("a", 5.0) is not None


@pytest.mark.parametrize("subject", [Subject(tag="v"), Subject(namespace=""), Subject(model="m", tag="v")], ids=str)
def test_what_does_not_fit_in_every_word_stays(kept: Kept, subject: Subject) -> None:
    kept.store.save(OF_THE_FAQ, 1.0)
    kept.store.invalidate(subject, 2.0)
    assert kept.store.load("a", 3.0) == OF_THE_FAQ


def test_a_mark_stays_after_a_later_one_of_an_earlier_time(kept: Kept) -> None:
    kept.store.save(OF_THE_FAQ, 1.0)
    kept.settle()
    kept.store.invalidate(Subject(tag="t"), 2.0)
    kept.store.invalidate(Subject(tag="t"), -1.0)
    assert kept.store.load("a", 3.0) is None


def test_clear_forgets_all(kept: Kept) -> None:
    kept.store.save(entry("a"), 1.0)
    kept.settle()
    kept.store.save(entry("b"), 1.0)
    kept.store.clear()
    kept.settle()
    assert kept.store.load("a", 1.0) is None and kept.store.load("b", 1.0) is None
    assert kept.store.usage() == (0, 0)
    kept.store.save(entry("a"), 1.0)
    kept.settle()
    assert kept.store.load("a", 1.0) == entry("a")


def test_usage_tells_entries_where_it_can(kept: Kept) -> None:
    assert kept.store.usage() == (0, 0)
    for key in "abc":
        kept.store.save(entry(key), 1.0)
    kept.settle()
    entries, held = kept.store.usage()
    assert (entries, held > 0) in ((3, True), (0, False))


def test_a_closed_store_opens_again(kept: Kept) -> None:
    kept.store.save(entry(), 1.0)
    kept.store.close()
    kept.store.close()
    assert kept.store.load("a", 1.0) in (entry(), None)
    kept.store.save(entry("b"), 1.0)
    kept.settle()
    assert kept.store.load("b", 1.0) == entry("b")


def test_after_a_fork_nothing_hangs(kept: Kept) -> None:
    """What the child does, without the fork: the locks and threads of the parent are not its own."""
    kept.store.save(entry(), 1.0)
    kept.settle()
    assert kept.store.load("a", 1.0) == entry()
    kept.store.after_fork()
    kept.store.save(entry("b"), 1.0)
    kept.settle()
    assert kept.store.load("a", 1.0) == entry() and kept.store.load("b", 1.0) == entry("b")


def test_a_loaded_entry_keeps_odd_headers_and_texts(kept: Kept) -> None:
    odd = replace(entry(), request_id=bytes(range(32, 256)), id="\u20ac\ud800", pop="", body=b"")
    kept.store.save(odd, 1.0)
    kept.settle()
    assert kept.store.load("a", 1.0) == odd


def test_many_threads_may_share_it(kept: Kept) -> None:
    def hammer(seed: int) -> None:
        rng = random.Random(seed)
        for now in range(200):
            key = str(rng.randrange(20))
            if rng.random() < 0.5:
                kept.store.save(entry(key, expires_at=now + rng.randrange(1, 50)), now)
            else:
                loaded = kept.store.load(key, now)
                assert loaded is None or (loaded.key, loaded.body) == (key, entry(key).body)
            if rng.random() < 0.01:
                kept.store.clear()
            kept.store.usage()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(hammer, seed) for seed in range(8)]:
            done.result()
