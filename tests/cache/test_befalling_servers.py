"""What befalls a server that keeps answers, whatever its kind: killed, frozen, slow, somebody else. Every call goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import postgres_servers
import pytest
import servers
from befalling import PATIENCE_S, QUESTIONS, SHORT_S, Befallen, Line
from pipeline.scripted import Run, both_ways
from stores import postgres_store, redis_store

from edgeclient.cache.stores import redis_line


class Kind:
    """A server of one's own, to do harm to, and calls over what listens at a port."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def calls_over(self, port: int, run: Run) -> Befallen:
        if isinstance(self.server, servers.Server):
            return Befallen(lambda *told: redis_store(port, told[0], budget_s=PATIENCE_S, clock=told[1]), run)
        url = self.server.url.replace(f":{self.server.port}/", f":{port}/")
        return Befallen(lambda *told: postgres_store(url, told[0], budget_s=PATIENCE_S, clock=told[1]), run)


@pytest.fixture(scope="module")
def _postgres() -> Iterator[postgres_servers.Server]:
    with postgres_servers.running() as server:
        yield server


@pytest.fixture(params=["redis", "postgres"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    if request.param == "redis":
        with servers.running(tmp_path) as server:
            yield Kind(server)
        return
    server = request.getfixturevalue("_postgres")
    server.renew()
    yield Kind(server)


@both_ways
def test_it_is_killed(kind: Kind, run: Run) -> None:
    case = kind.calls_over(kind.server.port, run)
    assert case.calls("a?", "a?") == ["miss", "hit"]
    kind.server.kill()
    case.settle()
    for question in QUESTIONS:
        assert case.calls(question) == ["miss"]
        case.settle()
    assert case.mishaps["cache load"] == 3 and case.mishaps["cache write"] == 3  # then both were left alone
    kind.server.start()
    assert case.recovers()
    case.store.close()


@both_ways
def test_it_is_frozen(kind: Kind, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_line, "LONGEST_S", 0.2)  # of PostgreSQL's a test of its own tells
    case = kind.calls_over(kind.server.port, run)
    assert case.calls("a?", "a?") == ["miss", "hit"]
    case.settle()
    assert case.calls("a?") == ["hit"]
    kind.server.freeze()
    case.store._budget_s = SHORT_S
    assert case.calls(*QUESTIONS) == ["miss"] * 20
    assert case.mishaps["cache load timeout"] == 3 and not case.mishaps["cache load"]  # 3 budgets were spent, no more
    kind.server.thaw()
    assert case.recovers()
    case.store.close()


@both_ways
def test_it_is_slow(kind: Kind, run: Run) -> None:
    with Line(kind.server.port) as line:
        case = kind.calls_over(line.port, run)
        assert case.calls("a?", "a?") == ["miss", "hit"]
        case.settle()
        line.hold()
        case.store._budget_s = SHORT_S
        assert case.calls(*QUESTIONS) == ["miss"] * 20
        assert case.mishaps["cache load timeout"] == 3
        line.let_go()
        assert case.recovers()
        case.store.close()


@both_ways
def test_what_answers_is_somebody_else(kind: Kind, run: Run) -> None:
    with Line(0, answer=b"HTTP/1.1 400 Bad Request\r\n\r\n") as line:
        case = kind.calls_over(line.port, run)
        assert case.calls(*"abcdef") == ["miss"] * 6
        assert case.mishaps["cache load"] == 3
        case.store.close()
