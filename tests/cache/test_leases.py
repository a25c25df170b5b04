"""Of several processes one leads the calls for a key: what a lease gives to the others, in each store that is shared."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import Server, clustered, running, until
from stores import Clock, Mishaps, entry, postgres_store, redis_store, sqlite_store

from edgeclient.cache.stores.backend import Lease, Wish
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.cache.stores.redis_line import Address
from edgeclient.cache.stores.sealed import Sealed
from edgeclient.values import Entry

pytest.importorskip("redis")

PATIENCE_S = 20.0
LONG_S = 1000.0  # as a lease, or a wait, that must not come to its end
KINDS = ["sqlite", "sealed", "redis", "postgres"]

Make = Callable[[], Guarded]


def anything(found: Entry) -> bool:
    return True


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes stores that share what is kept, as several processes have them."""
    made: list[Guarded] = []

    def one() -> Guarded:
        mishaps = Mishaps()
        if request.param == "sqlite":
            made.append(sqlite_store(tmp_path / "cache.db", mishaps, budget_s=PATIENCE_S))
        elif request.param == "sealed":
            form = Sealed(bytes(32), mishaps)
            made.append(sqlite_store(tmp_path / "cache.db", mishaps, budget_s=PATIENCE_S, form=form))
        elif request.param == "redis":
            made.append(redis_store(request.getfixturevalue("server").port, mishaps, budget_s=PATIENCE_S))
        else:
            made.append(postgres_store(request.getfixturevalue("postgres").url, mishaps, budget_s=PATIENCE_S))
        return made[-1]

    yield one
    for store in made:
        store.close()
        assert not store._mishap, store._mishap.last  # type: ignore[attr-defined]


@pytest.fixture(params=["a thread", "a task"])
def claim(request: pytest.FixtureRequest) -> Iterator[Callable[..., Future[Entry | None]]]:
    """Claims beside the test, as one of the two."""
    with ThreadPoolExecutor(8) as pool:

        def go(store: Guarded, key: str = "a", longest_s: float = LONG_S) -> Future[Entry | None]:
            if request.param == "a thread":
                return pool.submit(store.claim, key, anything, longest_s)
            return pool.submit(lambda: asyncio.run(store.claim_async(key, anything, longest_s)))

        yield go


Claim = Callable[..., "Future[Entry | None]"]


def leads(store: Guarded, key: str = "a") -> bool:
    return key in store._leading.held


def test_others_wait_for_the_answer_of_who_leads(make: Make, claim: Claim) -> None:
    one, other = make(), make()
    assert claim(one).result(PATIENCE_S) is None and leads(one)
    waiting = [claim(other), claim(make())]
    until(lambda: bool(other._leading._claims._running))
    assert one.save(entry("a"), 1.0)
    assert [it.result(PATIENCE_S) for it in waiting] == [entry("a")] * 2
    assert one.flush(PATIENCE_S)
    until(lambda: not leads(one))
    assert not leads(other) and claim(make()).result(PATIENCE_S) == entry("a")


def test_all_are_let_go_at_once_when_there_is_no_answer_to_keep(make: Make, claim: Claim) -> None:
    one, others = make(), [make() for _ in range(3)]
    assert claim(one).result(PATIENCE_S) is None
    waiting = [claim(other) for other in others]
    one.release("a")
    assert [it.result(PATIENCE_S) for it in waiting] == [None] * 3
    assert not leads(one) and not any(leads(other) for other in others)


def test_who_has_waited_long_enough_goes_alone(make: Make, claim: Claim) -> None:
    one, other = make(), make()
    assert claim(one).result(PATIENCE_S) is None
    assert claim(other, "a", 0.05).result(PATIENCE_S) is None and leads(one) and not leads(other)


def test_what_a_process_leads_it_does_not_wait_for(make: Make, claim: Claim) -> None:
    """It may be a stream that the caller itself is reading."""
    one, other = make(), make()
    assert claim(one).result(PATIENCE_S) is None and leads(one)
    assert claim(one).result(PATIENCE_S) is None and leads(one)
    assert claim(other, "a", 0.05).result(PATIENCE_S) is None and not leads(other)


def test_the_thread_that_lets_go_stays_as_long_as_there_is_something_to(
    make: Make, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letting go starts no thread: the collector may do it."""
    monkeypatch.setattr("edgeclient.cache.stores.leases._IDLE_S", 0.01)
    one, other = make(), make()
    assert claim(one).result(PATIENCE_S) is None and leads(one)
    waiting = claim(other)
    until(lambda: other._leading._claims._running)
    assert not one._leading._claims._ends()
    one.release("a")
    assert waiting.result(PATIENCE_S) is None
    until(lambda: not one._leading._claims._running)


def test_the_lease_of_a_process_that_died_ends_and_the_next_one_leads(make: Make, claim: Claim) -> None:
    died, other = make(), make()
    assert claim(died, "a", 0.2).result(PATIENCE_S) is None and leads(died)
    assert claim(other).result(PATIENCE_S) is None and leads(other)


def test_a_leader_that_was_paused_overwrites_no_newer_answer(make: Make, claim: Claim) -> None:
    paused, other = make(), make()
    assert claim(paused, "a", 0.05).result(PATIENCE_S) is None and leads(paused)
    assert claim(other).result(PATIENCE_S) is None and leads(other)
    newer, older = entry("a", body=5), entry("a", body=1)
    other.save(newer, 1.0)
    assert other.flush(PATIENCE_S)
    paused.save(older, 1.0)
    assert paused.flush(PATIENCE_S) and make().load("a", 2.0) == newer
    until(lambda: not leads(paused))
    paused.save(older, 1.0)  # of a call that asked for a fresh answer, say: under no lease
    assert paused.flush(PATIENCE_S) and make().load("a", 2.0) == older


def test_a_leader_that_is_late_still_saves_what_nobody_else_has(make: Make, claim: Claim) -> None:
    late, other = make(), make()
    assert claim(late, "a", 0.05).result(PATIENCE_S) is None
    assert claim(other).result(PATIENCE_S) is None and leads(other)
    late.save(entry("a"), 1.0)
    assert late.flush(PATIENCE_S) and make().load("a", 2.0) == entry("a")
    other.save(entry("a", body=7), 1.0)
    assert other.flush(PATIENCE_S) and make().load("a", 2.0) == entry("a", body=7)


def test_what_is_kept_and_may_not_be_used_is_replaced(make: Make) -> None:
    one, other = make(), make()
    one.save(entry("a"), 1.0)
    assert one.flush(PATIENCE_S)
    assert other.claim("a", lambda found: False, LONG_S) is None and leads(other)
    other.save(entry("a", body=3), 1.0)
    assert other.flush(PATIENCE_S) and make().load("a", 2.0) == entry("a", body=3)


def test_keys_do_not_wait_for_one_another(make: Make, claim: Claim) -> None:
    one, other = make(), make()
    assert claim(one, "a").result(PATIENCE_S) is None
    waiting = claim(other, "a")
    assert claim(other, "b").result(PATIENCE_S) is None and leads(other, "b")
    one.save(entry("a"), 1.0)
    assert waiting.result(PATIENCE_S) == entry("a")


def test_of_many_at_once_one_leads(make: Make, claim: Claim) -> None:
    stores = [make() for _ in range(6)]
    found = [claim(store) for store in stores]
    until(lambda: any(leads(store) for store in stores))
    (leader,) = (store for store in stores if leads(store))
    leader.save(entry("a"), 1.0)
    assert sorted(it.result(PATIENCE_S) is None for it in found) == [False] * 5 + [True]


def test_after_a_clearing_the_lease_still_works(make: Make, claim: Claim) -> None:
    one, other = make(), make()
    one.save(entry("a"), 1.0)
    assert one.flush(PATIENCE_S) and other.load("a", 1.0) == entry("a")
    one.clear()
    assert claim(other).result(PATIENCE_S) is None and leads(other)
    other.save(entry("a"), 1.0)
    assert other.flush(PATIENCE_S) and one.load("a", 1.0) == entry("a")


def test_an_answer_that_others_gave_is_kept_in_memory(make: Make) -> None:
    below, memory = make(), MemoryStore(100_000)
    below.save(entry("a"), 1.0)
    assert below.flush(PATIENCE_S)
    assert Layered(memory, make()).claim("a", anything, LONG_S) == entry("a") == memory.load("a", 2.0)


def test_a_lease_that_came_when_nobody_waited_any_more_is_let_go(make: Make) -> None:
    store, may = make(), threading.Event()
    asked = store._backend.claim

    def late(wishes: list[Wish]) -> list[tuple[Lease, bytes | None]]:
        assert may.wait(PATIENCE_S)
        return asked(wishes)

    store._backend.claim = late  # type: ignore[method-assign, assignment]
    store._budget_s = 0.0
    assert store.claim("a", anything, LONG_S) is None and not leads(store)
    assert store._mishap.pop("cache lease timeout") == 1  # type: ignore[attr-defined]
    may.set()
    other = make()
    until(lambda: other.claim("a", anything, 0.001) is None and leads(other))  # not after 1,000 s


def test_a_cancelled_task_leaves_no_lease_behind(make: Make) -> None:
    one, other, third = make(), make(), make()
    assert one.claim("a", anything, LONG_S) is None

    async def go() -> None:
        task = asyncio.ensure_future(other.claim_async("a", anything, LONG_S))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    one.release("a")
    until(lambda: third.claim("a", anything, 0.001) is None and leads(third))


def test_a_server_that_fails_gives_no_lease_and_is_left_alone(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        mishaps, clock = Mishaps(), Clock()
        store = redis_store(server.port, mishaps, clock=clock)
        assert store.claim("a", anything, LONG_S) is None and leads(store)
        server.kill()
        for _ in range(10):
            assert store.claim("b", anything, LONG_S) is None
        assert mishaps == {"cache lease": 3} and not leads(store, "b")
        server.start()
        clock.now += 3.0
        assert store.claim("b", anything, LONG_S) is None and leads(store, "b")
        store.close()


def test_who_has_just_waited_for_a_server_in_vain_does_not_wait_again(tmp_path: Path) -> None:
    """A call pays one budget, not one to look and another one to ask who leads."""
    with running(tmp_path) as server:
        mishaps = Mishaps()
        store = redis_store(server.port, mishaps)
        assert store.load("a", 1.0) is None
        server.freeze()
        store._budget_s = 0.01
        assert store.load("a", 1.0) is None and store.claim("a", anything, LONG_S) is None
        assert asyncio.run(store.claim_async("a", anything, LONG_S)) is None
        assert mishaps == {"cache load timeout": 1}
        server.thaw()
        store._budget_s = PATIENCE_S
        assert store.load("a", 1.0) is None and store.claim("a", anything, LONG_S) is None and leads(store)
        store.close()


def test_who_waits_is_let_go_when_the_server_dies(tmp_path: Path) -> None:
    with running(tmp_path) as server, ThreadPoolExecutor(1) as pool:
        one, other = redis_store(server.port), redis_store(server.port)
        assert one.claim("a", anything, LONG_S) is None
        waiting = pool.submit(other.claim, "a", anything, LONG_S)
        until(lambda: other._leading._claims._running)
        server.kill()
        assert waiting.result(PATIENCE_S) is None
        one.close()
        other.close()


def test_a_cluster_keeps_lease_and_entry_together(tmp_path: Path) -> None:
    with clustered(tmp_path) as servers, ThreadPoolExecutor(1) as pool:
        mishaps = Mishaps()
        where = Address((("127.0.0.1", servers[0].port),), cluster=True)
        one, other = redis_store(where, mishaps), redis_store(where, mishaps)
        for key in "abcdef":
            assert one.claim(key, anything, LONG_S) is None and leads(one, key)
            waiting = pool.submit(other.claim, key, anything, LONG_S)
            one.save(entry(key), 1.0)
            assert waiting.result(PATIENCE_S) == entry(key)
        assert one.claim("x", anything, LONG_S) is None
        one.release("x")
        until(lambda: other.claim("x", anything, 0.001) is None)
        assert not mishaps
        one.close()
        other.close()


def test_where_no_scripts_may_run_there_are_no_leases_and_all_is_saved(server: Server) -> None:
    server.tell("ACL", "SETUSER", "plain", "on", ">pw", "~edgeclient:*", "+@all", "-@scripting")
    mishaps = Mishaps()
    store = redis_store(server.port, mishaps, username="plain", password="pw")
    for key in "ab":
        assert store.claim(key, anything, LONG_S) is None
        store.save(entry(key), 1.0)
        assert store.flush(PATIENCE_S)
    assert store.load("a", 1.0) == entry("a") and store.load("b", 1.0) == entry("b") and not mishaps
    assert not leads(store, "b")
    store.close()
    server.tell("ACL", "DELUSER", "plain")
