"""What is behind a store may hang, fail, or give back rubbish: callers get a miss in time, and all of it is counted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from servers import until
from stores import Clock, Mishaps, entry

from edgeclient.cache.marks import Subject
from edgeclient.cache.stores import HEARD_S, wire, writer
from edgeclient.cache.stores import guarded as module
from edgeclient.cache.stores.backend import Record
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.latency import Latency
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.errors import StoreError

PATIENCE_S = 20.0


class Fake:
    """A backend in memory that does what a test says: `hangs` while it is held, `fails` when there is an error."""

    def __init__(self, *, quick: bool = False) -> None:
        self.quick = quick
        self.kept: dict[str, bytes] = {}
        self.told: set[str] = set()
        self.heard = 0
        self.hear_fails: Exception | None = None
        self.loads: list[tuple[str, ...]] = []
        self.thread = 0  # of the last one
        self.takes: Callable[[], object] = lambda: None
        self.writes: list[int] = []
        self.load_fails: Exception | None = None
        self.write_fails: Exception | None = None
        self.may_load, self.may_write = threading.Event(), threading.Event()
        self.may_hear = threading.Event()
        self.may_load.set()
        self.may_write.set()
        self.may_hear.set()
        self.loading, self.writing = threading.Event(), threading.Event()

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        self.loads.append(tuple(keys))
        self.loading.set()
        self.thread = threading.get_ident()
        self.takes()
        assert self.may_load.wait(PATIENCE_S)
        if self.load_fails:
            raise self.load_fails
        return [self.kept.get(key) for key in keys]

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        self.writing.set()
        assert self.may_write.wait(PATIENCE_S)
        if self.write_fails:
            raise self.write_fails
        self.writes.append(len(saved) + len(deleted))
        for key in deleted:
            self.kept.pop(key, None)
        self.kept.update({record.key: record.data for record in saved})

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        if self.write_fails:
            raise self.write_fails
        self.told = (self.told | set(added)) - set(dropped)

    def marks(self) -> list[str]:
        self.heard += 1
        assert self.may_hear.wait(PATIENCE_S)
        if self.hear_fails:
            raise self.hear_fails
        return sorted(self.told)

    def clear(self) -> None:
        if self.write_fails:
            raise self.write_fails
        self.kept.clear()

    def usage(self) -> tuple[int, int]:
        if self.load_fails:
            raise self.load_fails
        return len(self.kept), sum(map(len, self.kept.values()))

    def close(self) -> None: ...

    def after_fork(self) -> None: ...


class Case:
    def __init__(self, *, quick: bool = False, budget_s: float = PATIENCE_S) -> None:
        self.fake, self.mishaps, self.clock = Fake(quick=quick), Mishaps(), Clock()
        self.store = Guarded(self.fake, budget_s=budget_s, mishap=self.mishaps, clock=self.clock)

    def put(self, *keys: str) -> None:
        """As somebody else put it there."""
        self.fake.kept.update({key: wire.encode(entry(key)) for key in keys})


@pytest.fixture(params=["a thread", "a task"])
def load(request: pytest.FixtureRequest) -> Callable[[Case, str], object]:
    """Loads as one of the two, and sees that no task stays behind."""

    async def go(case: Case, key: str) -> object:
        try:
            return await case.store.load_async(key, 1.0)
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    if request.param == "a task":
        return lambda case, key: asyncio.run(go(case, key))
    return lambda case, key: case.store.load(key, 1.0)


Load = Callable[[Case, str], object]


def test_a_frozen_backend_is_a_miss_after_the_budget(load: Load) -> None:
    case = Case(budget_s=0.001)
    case.put("a")
    case.fake.may_load.clear()
    assert [load(case, "a") for _ in range(10)] == [None] * 10
    assert case.mishaps == {"cache load timeout": 3}  # then it was left alone
    assert "within 1 ms" in str(case.mishaps.last["cache load timeout"])
    case.fake.may_load.set()


def test_it_is_asked_again_after_a_while_and_recovers(load: Load) -> None:
    case = Case(budget_s=0.001)
    case.put("a")
    case.fake.may_load.clear()
    for _ in range(5):
        load(case, "a")
    case.fake.may_load.set()
    case.store._budget_s = PATIENCE_S
    assert load(case, "a") is None  # the pause is not over
    case.clock.now += 0.3
    assert load(case, "a") == entry("a") and load(case, "a") == entry("a")


def test_questions_that_were_given_up_are_not_asked_later() -> None:
    case = Case(budget_s=0.001)
    case.fake.may_load.clear()
    for _ in range(3):
        case.store.load("a", 1.0)
    case.fake.may_load.set()
    case.clock.now += 0.3
    case.store._budget_s = PATIENCE_S
    case.store.load("b", 1.0)
    assert case.fake.loads == [("a",), ("b",)]


def test_a_failing_backend_is_a_miss(load: Load) -> None:
    case = Case()
    case.fake.load_fails = OSError("broken")
    assert [load(case, "a") for _ in range(5)] == [None] * 5
    assert case.mishaps == {"cache load": 3}
    assert case.store.usage() == (0, 0) and case.mishaps["cache usage"] == 1


def test_a_quick_backend_is_asked_without_a_thread(load: Load) -> None:
    case = Case(quick=True)
    case.put("a")
    before = threading.active_count()
    assert load(case, "a") == entry("a") and threading.active_count() == before
    case.fake.load_fails = OSError("broken")
    assert load(case, "a") is None and case.mishaps == {"cache load": 1}


def test_tasks_ask_a_backend_that_has_become_slow_in_its_thread_until_it_is_quick_again() -> None:
    case = Case(quick=True)
    case.put("a")

    def beside(took_s: float) -> bool:
        """Whether a task's lookup, which takes so long, was in another thread."""
        case.fake.takes = lambda: setattr(case.clock, "now", case.clock.now + took_s)
        assert asyncio.run(case.store.load_async("a", 1.0)) == entry("a")
        return case.fake.thread != threading.get_ident()

    assert [beside(took_s) for took_s in (0.0, 0.008, 0.0, 0.0)] == [False] * 4  # a busy machine
    assert [beside(took_s) for took_s in (0.02, 0.02, 1.0)] == [False, True, True]
    assert case.store.load("a", 1.0) == entry("a") and case.fake.thread == threading.get_ident()
    until(lambda: not beside(0.0))
    assert not beside(0.0) and not case.mishaps


def test_a_second_of_slowness_is_over_after_some_dozens_of_lookups() -> None:
    pace = Latency()
    for _ in range(3):
        pace.took(60.0)
    lookups = 0
    while not pace.is_quick:
        pace.took(0.0)
        lookups += 1
    assert lookups < 50


def test_callers_at_once_share_a_batch() -> None:
    case = Case()
    case.put("a", "b", "c")
    case.fake.may_load.clear()

    async def all_at_once() -> list[object]:
        first = asyncio.ensure_future(case.store.load_async("a", 1.0))
        while not case.fake.loading.is_set():
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(case.store.load_async(key, 1.0)) for key in "abc"]
        await asyncio.sleep(0)
        case.fake.may_load.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(all_at_once()) == [entry(key) for key in "aabc"]
    assert case.fake.loads == [("a",), ("a", "b", "c")]


def test_a_cancelled_task_leaves_nothing_behind() -> None:
    case = Case()
    case.fake.may_load.clear()

    async def go() -> None:
        task = asyncio.ensure_future(case.store.load_async("a", 1.0))
        while not case.fake.loading.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(go())
    case.fake.may_load.set()  # and its answer finds nobody, on a loop that has closed
    assert case.store.load("a", 1.0) is None and case.mishaps == {}


def test_a_damaged_entry_is_a_miss_counted_and_deleted(load: Load) -> None:
    case = Case()
    case.fake.kept["a"] = wire.encode(entry("a"))[:-1]
    assert load(case, "a") is None
    assert case.store.flush(PATIENCE_S) and case.fake.kept == {} and case.mishaps == {"damaged cache entry": 1}


def test_an_entry_of_a_newer_version_is_a_miss_counted_and_left_alone(load: Load) -> None:
    case = Case()
    case.fake.kept["a"] = b"ec\x63" + bytes(40)
    assert load(case, "a") is None
    assert case.store.flush(PATIENCE_S) and len(case.fake.kept) == 1
    assert case.mishaps == {"cache entry of a newer version": 1}


# -- writing


@pytest.fixture
def held() -> Iterator[Case]:
    """A case whose backend is busy writing."""
    case = Case()
    case.fake.may_write.clear()
    case.store.save(entry("first"), 1.0)
    assert case.fake.writing.wait(PATIENCE_S)
    yield case
    case.fake.may_write.set()
    assert case.store.flush(PATIENCE_S)


def test_what_waits_to_be_written_is_found(held: Case) -> None:
    held.store.save(entry("a"), 1.0)
    assert held.store.load("first", 1.0) == entry("first") and held.store.load("a", 1.0) == entry("a")
    assert held.store.load("a", 100.0) is None
    held.store.delete("a")
    held.store.delete("first")
    assert held.store.load("first", 1.0) is None and held.store.load("a", 1.0) is None
    held.fake.may_write.set()
    assert held.store.flush(PATIENCE_S) and held.fake.kept == {}


def test_a_full_queue_drops_and_counts(held: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOST", 5)
    assert [held.store.save(entry(str(n)), 1.0) for n in range(7)] == [True] * 5 + [False] * 2
    assert held.store.save(entry("0", body=1), 1.0)  # in the place of another one
    monkeypatch.setattr(writer, "_MOST", 1000)
    monkeypatch.setattr(writer, "_MOST_BYTES", 7 * entry().size)
    assert not held.store.save(entry("large", body=2 * entry().size), 1.0) and held.store.save(entry("s"), 1.0)
    assert held.mishaps == {"cache save dropped": 3}


def test_saving_never_waits_and_writes_are_batched(held: Case) -> None:
    for n in range(100):
        held.store.save(entry(str(n)), 1.0)
    held.fake.may_write.set()
    assert held.store.flush(PATIENCE_S) and held.fake.writes == [1, 100]


def test_failing_writes_are_counted_and_reading_goes_on() -> None:
    case = Case()
    case.put("a")
    case.fake.write_fails = OSError("disk full")
    for n in range(3):
        assert case.store.save(entry(str(n)), 1.0) and case.store.flush(PATIENCE_S)
    assert not case.store.save(entry("b"), 1.0)  # not even queued
    assert case.mishaps == {"cache write": 3, "cache save dropped": 4}
    assert case.store.load("a", 1.0) == entry("a") and case.store.load("0", 1.0) is None
    case.fake.write_fails = None
    case.clock.now += 0.3
    assert case.store.save(entry("b"), 1.0) and case.store.flush(PATIENCE_S)
    assert set(case.fake.kept) == {"a", "b"}


def test_an_entry_that_has_expired_already_is_not_taken() -> None:
    case = Case()
    assert not case.store.save(entry(expires_at=1.0), 1.0)


def test_no_thread_to_be_had_is_a_miss_and_a_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    case = Case()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert case.store.load("a", 1.0) is None and not case.store.save(entry("a"), 1.0)
    assert case.mishaps == {"cache load": 1, "cache save dropped": 1}


def test_clear_drops_what_waits_and_says_when_it_fails(held: Case) -> None:
    held.store.save(entry("a"), 1.0)
    held.fake.may_write.set()
    held.store.clear()
    assert held.store.load("a", 1.0) is None and held.store.load("first", 1.0) is None
    held.fake.write_fails = OSError("no way")
    with pytest.raises(StoreError, match=r"was not cleared.*no way"):
        held.store.clear()


def test_close_writes_what_waits_but_not_for_ever(held: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FLUSH_S", 0.01)
    held.store.close()
    assert held.mishaps == {"cache flush": 1}
    held.fake.may_write.set()
    monkeypatch.setattr(module, "_FLUSH_S", PATIENCE_S)
    held.store.close()
    assert held.fake.kept and held.mishaps == {"cache flush": 1}


def test_threads_end_when_nothing_is_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_IDLE_S", 0.01)
    monkeypatch.setattr("edgeclient.cache.stores.reader._IDLE_S", 0.01)
    case, others = Case(), set(threading.enumerate())
    for n in range(3):
        case.store.save(entry(str(n)), 1.0)
        case.store.load("other", 1.0)
        for thread in set(threading.enumerate()) - others:
            thread.join(PATIENCE_S)
        assert not case.store._saving.writer._running and not case.store._asking._reader._running
    assert len(case.fake.kept) == 3


def test_a_backend_that_takes_writes_again_gets_all_of_them() -> None:
    case = Case()
    case.fake.write_fails = OSError("full")
    for n in range(5):
        case.store.save(entry(str(n)), 1.0)
        assert case.store.flush(PATIENCE_S)
    assert case.mishaps["cache write"] == 3
    case.fake.write_fails = None
    case.clock.now += 0.3
    for n in range(5):  # the first one is a trial
        assert case.store.save(entry(str(n)), 1.0)
        assert case.store.flush(PATIENCE_S)
    assert len(case.fake.kept) == 5 and case.mishaps["cache write"] == 3


# -- what other processes made invalid


class Two:
    """Two processes with memory above the same backend; their clocks are one."""

    def __init__(self, *, quick: bool, budget_s: float = PATIENCE_S) -> None:
        self.fake, self.mishaps, self.clock = Fake(quick=quick), Mishaps(), Clock()
        self.stores = [
            Layered(MemoryStore(10_000), Guarded(self.fake, budget_s=budget_s, mishap=self.mishaps, clock=self.clock))
            for _ in range(2)
        ]

    def stock(self) -> None:
        """An entry that both have in memory."""
        self.fake.kept["a"] = wire.encode(entry("a"))
        assert all(store.load("a", 1.0) is not None for store in self.stores)
        self.fake.loads.clear()


@pytest.fixture(params=["sync", "async"])
def look(request: pytest.FixtureRequest) -> Callable[[Layered], bool]:
    if request.param == "sync":
        return lambda store: store.load("a", 3.0) is not None
    return lambda store: asyncio.run(store.load_async("a", 3.0)) is not None


Look = Callable[[Layered], bool]


@pytest.mark.parametrize("quick", [True, False], ids=["file", "server"])
def test_what_one_process_makes_invalid_is_so_for_others_within_the_bound(look: Look, quick: bool) -> None:
    two = Two(quick=quick)
    two.stock()
    two.stores[0].invalidate(Subject(key="a"), 2.0)
    assert not look(two.stores[0])
    two.clock.now += HEARD_S
    assert not look(two.stores[1])  # the first one to ask after so long waits for the news
    assert not two.mishaps


@pytest.mark.parametrize("quick", [True, False], ids=["file", "server"])
def test_a_hit_asks_for_news_once_a_second_at_most(look: Look, quick: bool) -> None:
    two = Two(quick=quick)
    two.stock()
    heard = two.fake.heard
    for _ in range(50):
        assert look(two.stores[1])
    assert (two.fake.heard, two.fake.loads) == (heard, [])
    two.clock.now += 1.0
    for _ in range(50):
        assert look(two.stores[1])
    assert two.fake.loads == []
    until(lambda: two.fake.heard == heard + 1)


def test_nobody_who_looked_lately_waits_for_news(look: Look) -> None:
    two = Two(quick=False)
    two.stock()
    two.fake.may_hear.clear()
    two.clock.now += 1.0
    assert look(two.stores[1])  # a budget of 20 s would be felt
    two.fake.may_hear.set()


def test_a_store_that_is_silent_takes_no_answer_from_memory_away(look: Look) -> None:
    two = Two(quick=False)
    two.stock()
    for store in two.stores:
        store.below._budget_s = 0.001  # type: ignore[attr-defined]
    two.fake.may_hear.clear()
    for _ in range(30):
        two.clock.now += HEARD_S
        assert look(two.stores[1])
    assert two.mishaps["cache news"] <= 30
    two.clock.now += 0.1
    before = two.mishaps.total()
    for _ in range(30):
        assert look(two.stores[1])
    assert two.mishaps.total() == before
    two.fake.may_hear.set()


@pytest.mark.parametrize("quick", [True, False], ids=["file", "server"])
def test_without_the_news_nothing_that_the_store_keeps_is_given(quick: bool) -> None:
    """Memory was filled with what was valid; what lies in the store may long be invalid."""
    case = Case(quick=quick)
    case.put("a")
    case.fake.hear_fails = OSError("no rights")
    assert case.store.load("a", 1.0) is None and case.mishaps == {"cache load": 1}
    case.fake.hear_fails = None
    assert case.store.load("a", 1.0) is not None


def test_what_could_not_be_written_is_so_here_and_the_caller_hears_of_it() -> None:
    case = Case()
    case.put("a")
    case.fake.write_fails = OSError("full")
    with pytest.raises(StoreError, match=r"may not be so for others.*full"):
        case.store.invalidate(Subject(key="a"), 2.0)
    assert case.store.load("a", 3.0) is None


# -- several at once


@pytest.mark.parametrize("as_task", [False, True], ids=["a thread", "a task"])
def test_several_wait_no_longer_than_one_and_fail_as_one(as_task: bool) -> None:
    case = Case(budget_s=0.001)
    keys = [str(n) for n in range(200)]
    case.put(*keys)

    def load_many() -> list[object]:
        if as_task:
            return list(asyncio.run(case.store.load_many_async(keys, 1.0)))
        return list(case.store.load_many(keys, 1.0))

    case.fake.may_load.clear()
    for _ in range(5):
        assert load_many() == [None] * 200
    assert case.mishaps == {"cache load timeout": 3}
    case.fake.may_load.set()


def test_several_share_a_round_trip() -> None:
    case = Case()
    keys = [str(n) for n in range(60)]
    case.put(*keys[::2])
    case.fake.may_load.clear()
    case.store._asking.ask("first")
    assert case.fake.loading.wait(PATIENCE_S)
    threading.Timer(0.0, case.fake.may_load.set).start()
    assert [one is not None for one in case.store.load_many(keys, 1.0)] == [True, False] * 30
    assert sum(map(len, case.fake.loads)) == 61 and len(case.fake.loads) <= 60
