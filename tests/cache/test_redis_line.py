"""The one connection that lookups go over: a real server that closes it, or answers too late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, running, until
from stores import entry, redis_store

from edgeclient.cache.stores import redis_line
from edgeclient.cache.stores.redis_line import Address, Line, connect, disconnect

redis = pytest.importorskip("redis")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path) as server:
        server.tell("MSET", "a", "1", "b", "2")
        yield server


@pytest.fixture
def client(own: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(redis_line, "LONGEST_S", 0.2)
    address = Address((("127.0.0.1", own.port),))
    client = connect(address)
    yield client
    disconnect(client, address)


def test_lookups_are_one_command_each_over_one_connection(own: Server) -> None:
    store = redis_store(own.port)
    store.save(entry("k"), 1.0)
    assert store.flush(20.0) and store.load("k", 1.0) == entry("k")
    before = own.tell("INFO", "stats")["total_connections_received"]
    for _ in range(20):
        assert store.load("k", 1.0) == entry("k")
    assert own.tell("INFO", "stats")["total_connections_received"] == before + 1  # the one that asks
    assert own.tell("INFO", "commandstats")["cmdstat_mget"]["calls"] == 21
    store.close()
    until(lambda: own.tell("INFO", "clients")["connected_clients"] == 1)


def test_an_answer_that_comes_late_is_not_taken_for_the_next_one(own: Server, client: Any) -> None:
    line = Line()
    assert line.ask(client, "GET", "a") == b"1"
    own.freeze()
    with pytest.raises(redis.TimeoutError):
        line.ask(client, "GET", "a")
    own.thaw()
    assert line.ask(client, "GET", "b") == b"2"
    line.close()


def test_one_that_was_closed_while_it_was_idle_is_made_anew(own: Server, client: Any) -> None:
    line = Line()
    assert line.ask(client, "GET", "a") == b"1"
    own.kill()
    own.start()
    assert line.ask(client, "GET", "a") is None  # a server without entries
    own.kill()
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            line.ask(client, "GET", "a")
    line.close()


def test_an_error_is_raised_and_the_next_command_is_answered(own: Server, client: Any) -> None:
    line = Line()
    with pytest.raises(redis.ResponseError):
        line.ask(client, "LLEN", "a")
    assert line.ask(client, "GET", "a") == b"1"
    line.close()
