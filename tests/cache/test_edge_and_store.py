"""An edge with a store below memory: what its methods do, and what its status tells."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pipeline.scripted import A, Run, both_ways, ok, request
from pipeline.test_pipeline import ask
from servers import Server, free_port

from edgeclient import Cache, Edge, StoreError

pytest.importorskip("redis")


def edge_on(store: str, **said: float) -> Edge:
    return Edge(endpoints=[A.url], key="passthrough", probe=False, cache=Cache("exact", store=store, **said))  # type: ignore[arg-type]


def said_by_cache(edge: Edge, run: Run) -> str:
    name = edge.policies.endpoints[0].name
    reply = ask(run, run.runtime(**{name: ok()}), edge.policies, request())
    assert reply.notes is not None
    return reply.notes.cache


@both_ways
def test_closing_keeps_what_is_in_the_file(run: Run, tmp_path: Path) -> None:
    edge = edge_on(f"sqlite:{tmp_path}/a.db")
    assert [said_by_cache(edge, run) for _ in range(2)] == ["miss", "hit"]
    edge.close()
    assert said_by_cache(edge, run) == "hit" and edge.status().cache_entries == 1
    edge.close()
    other = edge_on(f"sqlite:{tmp_path}/a.db")
    assert said_by_cache(other, run) == "hit"
    other.clear_cache()
    assert other.status().cache_entries == 0 and said_by_cache(other, run) == "miss"
    other.close()
    assert not edge.status().mishaps and not other.status().mishaps


@both_ways
def test_two_edges_share_a_server(server: Server, run: Run) -> None:
    one, other = (edge_on(f"redis://127.0.0.1:{server.port}", budget_s=10.0) for _ in range(2))
    assert said_by_cache(one, run) == "miss"
    one.close()
    assert said_by_cache(other, run) == "hit"
    other.close()


@both_ways
def test_a_server_that_is_not_there_is_counted_and_logged_once(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    edge = edge_on(f"redis://me:s3cr3t@127.0.0.1:{free_port()}", budget_s=10.0)
    with caplog.at_level(logging.DEBUG):
        for _ in range(6):
            said_by_cache(edge, run)
        edge.close()
        with pytest.raises(StoreError, match="was not cleared") as raised:
            edge.clear_cache()
    mishaps = edge.status().mishaps
    assert mishaps["cache load"] >= 1 and mishaps["cache write"] >= 1
    assert "s3cr3t" not in caplog.text + str(raised.value)
    assert sum("cache load" in record.getMessage() for record in caplog.records) == 1
