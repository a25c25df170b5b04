"""The pace of a stream: what is noted of it, what is kept of that, and a replay of the same pieces in virtual time."""

from __future__ import annotations

import gc
import gzip
import json
import zlib
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient import Cache, Edge
from edgeclient.attempts import Trace
from edgeclient.cache import pace, policy
from edgeclient.cache.pace import IN_ALL_S, LONGEST_S, Paced, TimedTee
from edgeclient.dialects import sse
from edgeclient.keeping import tee_of
from edgeclient.runtime.protocol import run_sync
from edgeclient.runtime.virtual import Network, VirtualRuntime, World
from edgeclient.values import BESIDE, Entry, Piece, Reply

from .answers import call, dialect, storable

STREAMED = ("openai_chat", "openai_responses", "anthropic_messages")
streamed = pytest.mark.parametrize("name", STREAMED)
BODY = {"stream": True, "stream_options": {"include_usage": True}}
texts = st.lists(st.text(st.characters(), min_size=1, max_size=30), min_size=1, max_size=3)


class Clock:
    """Virtual time."""

    def __init__(self) -> None:
        self.at = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def pieces_of(said: list[str], sizes: list[int], gaps_s: list[float]) -> list[Piece]:
    """Each text in pieces of these sizes, again and again."""
    found: list[Piece] = []
    for part, text in enumerate(said):
        left = len(text)
        while left:
            size = min(left, sizes[len(found) % len(sizes)])
            found.append((part, size, gaps_s[len(found) % len(gaps_s)]))
            left -= size
    return found


def told(name: str, said: list[str], pieces: list[Piece], *, cut: int = 0) -> Entry:
    """The entry of a stream that came in these pieces, each in its time (and in chunks of `cut` bytes, if that is said)."""
    clock, asked = Clock(), call(name, BODY)
    done: list[bytes | None] = []
    times: list[tuple[int, float]] = []
    closing = dialect(name).closing
    tee = TimedTee(lambda body, error: done.append(body), clock.now, closing=closing, limit=2**20, times=times)
    for gap_s, part in dialect(name).steps(storable(name, said), BODY, pieces):
        clock.at += gap_s
        for start in range(0, len(part), cut or len(part)):
            tee.feed(part[start : start + (cut or len(part))])
    tee.end(complete=True)
    assert done[0] is not None
    entry = policy.entry_of(asked, Reply(200, []), done[0], now=0.0, fresh_s=1.0, endpoint="", pop="", times=times)
    assert entry is not None
    return entry


def replayed(name: str, entry: Entry) -> tuple[list[tuple[float, bytes]], Clock]:
    """When each part of a replay comes, from its first one on."""
    clock, found = Clock(), []
    stream = Paced(policy.paced(entry, call(name, BODY), 1.0), clock.now, clock.sleep)
    while (part := run_sync(stream.part())) is not None:
        found.append((round(clock.at - 100.0, 6), part))
    return found, clock


def spoken(name: str, parts: list[tuple[float, bytes]]) -> list[tuple[float, tuple[int, ...], int]]:
    return [(at, key, size) for at, part in parts for key, size in dialect(name).spoken(part)]


@streamed
@given(said=texts, sizes=st.lists(st.integers(1, 9), min_size=1), cut=st.sampled_from([0, 7]))
def test_a_replay_has_the_pieces_of_the_first_stream_in_their_times(
    name: str, said: list[str], sizes: list[int], cut: int
) -> None:
    pieces = pieces_of(said, sizes, [0.25, 0.5, 0.0])[:60]
    if not dialect(name).fits(storable(name, said), pieces):  # cut off: too many
        return
    entry = told(name, said, pieces, cut=cut)
    parts, _ = replayed(name, entry)
    assert dialect(name).whole(b"".join(part for _, part in parts)) is not None
    first = dialect(name).steps(storable(name, said), BODY, pieces)
    at, expected = 0.0, []
    for gap_s, part in first:
        at += gap_s
        expected.append((at, part))
    assert spoken(name, parts) == spoken(name, expected)


@streamed
@given(said=texts, sizes=st.lists(st.integers(1, 9), min_size=1))
def test_paced_or_not_it_is_the_same_answer(name: str, said: list[str], sizes: list[int]) -> None:
    pieces = pieces_of(said, sizes, [0.001])
    answer = storable(name, said)
    cut, whole = (sse.joined(dialect(name).steps(answer, BODY, one)) for one in (pieces, []))
    assert dialect(name).whole(cut) == dialect(name).whole(whole) is not None


@streamed
def test_the_end_comes_when_it_came(name: str) -> None:
    answer = storable(name, ["one"])
    body = sse.joined(dialect(name).steps(answer, BODY, []))
    last = body.rstrip(b"\n").rindex(b"\n\n") + 2
    kept = pace.packed(body, [(last, 1.0), (len(body), 2.5)], dialect(name), answer)
    assert pace.unpacked(kept) == ([(0, 3, 0.0)], 1.5)


def test_choices_that_come_in_turns_go_in_turns() -> None:
    pieces = [(0, 1, 0.1), (1, 2, 0.2), (0, 2, 0.3), (1, 1, 0.4)]
    entry = told("openai_chat", ["one", "two"], pieces)
    assert pace.unpacked(entry.pace) == (pieces, 0.0)
    assert [(key, size) for _, key, size in spoken("openai_chat", replayed("openai_chat", entry)[0])] == [
        ((0,), 1), ((1,), 2), ((0,), 2), ((1,), 1),
    ]  # fmt: skip


def test_no_gap_is_longer_than_some_seconds_nor_all_of_them_together() -> None:
    entry = told("openai_chat", ["x" * 100], pieces_of(["x" * 100], [1], [60.0]))
    parts, clock = replayed("openai_chat", entry)
    assert max(clock.slept) == LONGEST_S and sum(clock.slept) == parts[-1][0] == IN_ALL_S


@streamed
def test_what_is_kept_is_small(name: str) -> None:
    entry = told(name, ["token " * 500], pieces_of(["token " * 500], [6], [0.02]))
    assert len(entry.pace) <= 4 * 501 and entry.size == len(entry.body) + len(entry.pace) + BESIDE


@streamed
@given(junk=st.binary(max_size=40))
def test_a_pace_that_does_not_fit_is_none(name: str, junk: bytes) -> None:
    """From a store: the answer comes at once, or spells the same all the same."""
    entry = replace(told(name, ["one", "two"], []), pace=junk)
    steps = policy.paced(entry, call(name, BODY), 1.0)
    if steps:
        said = dialect(name).whole(sse.joined(steps))
        assert said is not None and dialect(name).fits(said, [(0, 3, 0.0), (1, 3, 0.0)])
        assert max(gap_s for gap_s, _ in steps) <= 2 * LONGEST_S


@pytest.mark.parametrize(
    "pieces", [[(0, 2, 0.0)], [(0, 4, 0.0)], [(1, 3, 0.0)], [(0, 3, 0.0), (0, 0, 0.0)], [(0, -3, 0.0)]]
)
def test_pieces_that_are_not_the_text_do_not_fit(pieces: list[Piece]) -> None:
    assert not dialect("openai_chat").fits(storable("openai_chat", ["one"]), pieces)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_came_encoded_keeps_its_pace(encoding: str) -> None:
    said = [b"data: one\n\n", b"data: two\n\n"]
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    parts = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in said]
    ends = [len(parts[0]), len(parts[0]) + len(parts[1])]
    times = [(ends[0], 1.0), (ends[1], 2.0)]
    assert pace.decoded(times, b"".join(parts), encoding) == [(11, 1.0), (22, 2.0)]


@pytest.mark.parametrize(
    ("encoding", "body"), [("br", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"x")[:-9] + b"y" * 9)]
)
def test_of_a_body_that_nobody_can_read_no_times_are_known(encoding: str, body: bytes) -> None:
    assert pace.decoded([(len(body), 1.0)], body, encoding) in ([], [(1, 1.0)])


def test_who_leaves_gets_nothing_more_and_who_is_slow_waits_for_nothing() -> None:
    clock = Clock()
    stream = Paced([(0.0, b"a"), (1.0, b"b"), (1.0, b"c"), (1.0, b"d")], clock.now, clock.sleep)
    assert run_sync(stream.part()) == b"a"
    clock.at += 1.5  # spent by the reader
    assert [run_sync(stream.part()), run_sync(stream.part())] == [b"b", b"c"] and clock.slept == [0.5]
    stream.close()
    assert run_sync(stream.part()) is None and clock.slept == [0.5]


def test_who_leaves_while_it_waits_gets_nothing_either() -> None:
    async def leave(seconds: float) -> None:
        stream.close()

    stream = Paced([(0.0, b"a"), (1.0, b"b")], Clock().now, leave)
    assert [run_sync(stream.part()) for _ in range(3)] == [b"a", None, None]


def test_plain_answers_and_those_of_one_event_have_no_pace_but_their_end() -> None:
    asked = call("openai_chat", {})
    body = json.dumps(storable("openai_chat", ["one"])).encode()
    entry = policy.entry_of(asked, Reply(200, []), body, now=0.0, fresh_s=1.0, endpoint="", pop="")
    assert entry is not None and entry.pace == b"" and policy.paced(entry, call("openai_chat", BODY), 1.0) == []


def test_nothing_holds_a_tee_but_its_stream() -> None:
    """Others wait for the end of a stream: one that is forgotten says so at once, not when the collector comes."""
    edge = Edge(cache=Cache("exact", pace="recorded"), probe=False)
    asked, rt = call("openai_chat", BODY), VirtualRuntime(World(), cast(Network, None))
    gc.collect()
    gc.disable()
    try:
        tee = tee_of(asked, edge.policies, rt, Reply(200, []), Trace())
        assert type(tee) is TimedTee
        del tee
        assert not any(type(one) is TimedTee for one in gc.get_objects())
    finally:
        gc.enable()
        edge.close()
