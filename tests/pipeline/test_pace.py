"""Streams out of the cache at the pace in which they first came: who keeps it, and who gets it. In virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from edgeclient.cache.pace import Paced
from edgeclient.cache.tee import Tee
from edgeclient.policies import Policies
from edgeclient.values import Reply

from .scripted import CHAT, EVENT_HEADERS, A, Run, Scripted, both_ways, ok, policies, request
from .test_pipeline import ask

HEAD = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,'
PARTS = [
    HEAD + b'"delta":{"role":"assistant","content":""}}]}\n\n',
    HEAD + b'"delta":{"content":"Yes"}}]}\n\n',
    HEAD + b'"delta":{"content":"."}}]}\n\n',
    HEAD + b'"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
]


def edge_of(*, store: Any = None, **cache: Any) -> Policies:
    return policies(A, store=store, cache={"mode": "exact", "ttl_s": 60, **cache})


def stream(run: Run, rt: Scripted, edge: Policies, **said: Any) -> Reply:
    return ask(run, rt, edge, request(stream=True, live=True, **said))


def read_first(run: Run, rt: Scripted, edge: Policies) -> Tee:
    """The first call of a stream, whose parts come a second after one another."""
    tee = stream(run, rt, edge).tee
    assert isinstance(tee, Tee)
    for part in PARTS:
        tee.feed(part)
        rt.time += 1
    return tee


def read(run: Run, reply: Reply) -> bytes:
    assert isinstance(reply.paced, Paced) and reply.body is None
    found = b""
    while (part := run(reply.paced.part())) is not None:
        found += part
    return found


def origin(run: Run) -> Scripted:
    return run.runtime(a=lambda call: Reply(200, EVENT_HEADERS, None, object()))


@both_ways
def test_a_stream_is_replayed_at_its_pace(run: Run) -> None:
    edge, rt = edge_of(pace="recorded"), origin(run)
    read_first(run, rt, edge)
    reply = stream(run, rt, edge)
    assert reply.notes is not None and reply.notes.cache == "hit"
    said = read(run, reply)
    assert said.count(b'"content":"Yes"') == said.count(b'"content":"."') == 1 and said.endswith(b"data: [DONE]\n\n")
    assert rt.slept == [1, 1, 1] and rt.sent == ["a"]


@both_ways
@pytest.mark.parametrize("writer", ["instant", "recorded"])
def test_each_edge_over_a_store_has_its_own_pace(run: Run, writer: str) -> None:
    rt, first = origin(run), edge_of(pace=writer)
    read_first(run, rt, first)
    for pace in ("instant", "recorded", "instant"):
        reply = stream(run, rt, edge_of(pace=pace, store=first.store))
        assert (reply.paced is not None) is (pace == writer == "recorded") and (reply.body is None) is (
            reply.paced is not None
        )
    assert rt.slept == [] and rt.sent == ["a"]


@both_ways
def test_where_it_is_not_wanted_nothing_is_noted(run: Run) -> None:
    rt, edge = origin(run), edge_of()
    assert type(read_first(run, rt, edge)) is Tee
    call_key = stream(run, rt, edge).notes.key  # type: ignore[union-attr]
    assert edge.store is not None
    entry = edge.store.load(call_key, rt.wall())
    assert entry is not None and entry.pace == b""


@both_ways
def test_a_whole_answer_has_no_pace(run: Run) -> None:
    edge, rt = edge_of(pace="recorded"), run.runtime(a=ok(**CHAT))
    ask(run, rt, edge)
    assert stream(run, rt, edge).body and not rt.slept


@both_ways
def test_what_a_hit_says_it_used_and_its_pace_go_together(run: Run) -> None:
    edge, rt = edge_of(pace="recorded", usage="zero"), origin(run)
    tail = PARTS[-1].replace(
        b"data: [DONE]\n\n", HEAD.partition(b'"choices"')[0] + b'"choices":[],"usage":{"total_tokens":7}}'
    )
    tee = stream(run, rt, edge, stream_options={"include_usage": True}).tee
    assert isinstance(tee, Tee)
    for part in [*PARTS[:3], tail + b"\n\ndata: [DONE]\n\n"]:
        tee.feed(part)
        rt.time += 1
    reply = stream(run, rt, edge, stream_options={"include_usage": True})
    assert reply.notes is not None and reply.notes.original_usage == {"total_tokens": 7}
    assert b'"usage":{"total_tokens":0}' in read(run, reply) and rt.slept == [1, 1, 1]
