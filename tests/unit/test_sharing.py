"""A shared stream: who may come aboard, what is kept for whom, when it is read on, and when it is given up."""

from __future__ import annotations

import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgeclient.cache.flights import Flight
from edgeclient.cache.sharing import Broken, Reader, Shared
from edgeclient.cache.streams import Stream, Streams
from edgeclient.cache.tee import Tee
from edgeclient.cache.waiting import wait

LONG_S = 20.0  # never waited for unless a test fails


class Watched:
    """A tee, and the stream whose leader feeds it."""

    def __init__(self, *parts: bytes, limit: int = 1000) -> None:
        self.streams = Streams()
        self.stream, _ = self.streams.join("k")
        self.tee = Tee(lambda body, error: None, closing=b"", limit=limit)
        for part in parts:
            self.tee.feed(part)
        self.stream.head((), None, self.tee)

    def shared(self) -> Shared:
        shared = self.stream.share()
        assert shared.ready.landed is not None
        return shared


def aboard(shared: Shared) -> Reader:
    reader = shared.board()
    assert reader is not None
    return reader


def all_of(shared: Shared, reader: Reader) -> list[bytes]:
    found = []
    while isinstance(part := shared.take(reader), bytes):
        found.append(part)
    return found


def test_the_first_leads_and_is_forgotten_with_its_leader() -> None:
    streams = Streams()
    stream, leading = streams.join("a")
    assert leading and streams.join("a") == (stream, False) and streams.join("b")[1]
    del stream
    gc.collect()
    assert streams.join("a")[1]


def test_a_head_that_cannot_be_shared_releases_the_followers() -> None:
    streams = Streams()
    stream, _ = streams.join("a")
    stream.no_head(stored=False)
    assert stream.landed is False and streams.under_way() == []


def test_a_reader_begins_at_the_first_byte_and_the_leader_where_it_is() -> None:
    it = Watched(b"a", b"b")
    shared = it.shared()
    reader = aboard(shared)
    shared.add(b"c")
    shared.finish(None)
    assert all_of(shared, reader) == [b"a", b"b", b"c"] and shared.take(reader) is None
    assert shared.leader is not None and all_of(shared, shared.leader) == [b"c"]


def test_who_comes_while_the_leader_waits_comes_aboard_with_the_part() -> None:
    it = Watched(b"a")
    it.stream.pulling = True
    shared = it.stream.share()
    assert shared.ready.landed is None and shared.board() is None
    it.tee.feed(b"b")
    it.stream.pulling = False
    assert it.stream.begin() and all_of(shared, aboard(shared)) == [b"a", b"b"]


def test_when_the_leader_alone_breaks_nobody_comes_aboard() -> None:
    it = Watched(b"a")
    it.stream.pulling = True
    shared = it.stream.share()
    it.stream.end()
    assert shared.ready.landed is False and it.streams.under_way() == []
    assert it.stream.leave()  # and the response is the leader's own to close


@pytest.mark.parametrize("so_far", [[b"x" * 11], [b"x" * 6, b"x" * 6]])
def test_past_the_limit_a_stream_is_not_joined(so_far: list[bytes]) -> None:
    it = Watched(*so_far, limit=10)
    assert it.shared().ready.landed is False and it.streams.under_way() == []


def test_past_the_limit_the_readers_go_on_and_what_all_have_read_is_let_go() -> None:
    it = Watched()
    it.stream.shared = shared = Shared(it.stream, limit=10)
    it.stream.begin()
    reader, leader = aboard(shared), shared.leader
    assert leader is not None
    for n in range(10):
        shared.add(b"%d" % n * 4)
        assert shared.take(reader) == shared.take(leader) == b"%d" % n * 4
    assert len(shared._parts) <= 3 and shared.board() is None and it.streams.under_way() == []


def test_a_follower_too_far_behind_breaks_and_the_leader_never_does() -> None:
    it = Watched()
    it.stream.shared = shared = Shared(it.stream, limit=10)
    it.stream.begin()
    slow, quick = aboard(shared), aboard(shared)
    for n in range(6):
        shared.add(b"%d" % n * 4)
        shared.take(quick)
    assert shared.leader is not None
    assert len(all_of(shared, shared.leader)) == 6
    shared.add(b"last")
    with pytest.raises(Broken, match="more than 10 bytes behind"):
        shared.take(slow)
    assert shared.take(quick) == b"last"


def test_a_break_reaches_each_reader_after_what_came_before() -> None:
    it = Watched(b"a")
    shared = it.shared()
    reader = aboard(shared)
    shared.add(b"b")
    broke = OSError("it broke")
    shared.finish(broke)
    assert [shared.take(reader), shared.take(reader)] == [b"a", b"b"]
    with pytest.raises(Broken) as caught:
        shared.take(reader)
    assert caught.value.error is broke and shared.board() is None


def test_one_helper_reads_some_parts_ahead_of_the_fastest() -> None:
    shared = Watched().shared()
    reader = aboard(shared)
    assert shared.claim() and not shared.claim()
    read = 0
    while shared.wants():
        shared.add(b"x")
        read += 1
    assert 1 < read < 50
    shared.take(reader)
    assert shared.claim() and shared.wants()


def test_the_last_one_closes_unless_a_helper_is_at_it() -> None:
    it = Watched()
    shared = it.shared()
    reader = aboard(shared)
    assert not it.stream.leave() and shared.leave(reader) and it.streams.under_way() == []
    assert shared.board() is None and not shared.claim()

    it = Watched()
    shared = it.shared()
    reader = aboard(shared)
    assert shared.claim()
    assert not it.stream.leave() and not shared.leave(reader)
    assert not shared.wants() and shared.is_over


def test_readers_that_are_collected_are_readers_that_left() -> None:
    it = Watched()
    shared = it.shared()
    reader = aboard(shared)
    it.stream.lost()
    assert shared.claim() and shared.wants()
    del reader
    gc.collect()
    assert it.streams.under_way() == [] and not shared.wants() and shared.is_over


def test_threads_that_come_and_go_get_every_byte_in_its_order() -> None:
    """One helper, 16 readers in their own time, of whom every fourth leaves half-way; the leader leaves first."""
    it, total, rng = Watched(b"first"), 400, random.Random(7)
    shared = it.shared()
    pauses = [rng.randrange(3) for _ in range(16)]

    def read(number: int) -> int:
        reader, seen = aboard(shared), 0
        while (part := shared.take(reader)) is not None:
            if isinstance(part, Flight):
                wait(part, LONG_S)
                continue
            assert part == (b"first" if not seen else b"%d" % seen)
            seen += 1
            if number % 4 == 3 and seen == 40:
                shared.leave(reader)
                return total + 1
            if pauses[number]:
                threading.Event().wait(0)
        return seen

    with ThreadPoolExecutor(17) as threads:
        reading = [threads.submit(read, number) for number in range(16)]
        it.stream.leave()
        while len(shared._at) < 12 and not any(one.done() for one in reading):
            threading.Event().wait(0.001)
        for n in range(1, total + 1):
            shared.add(b"%d" % n)
        shared.finish(None)
        assert [one.result(LONG_S) for one in reading] == [total + 1] * 16


def test_a_stream_without_followers_costs_one_object() -> None:
    """What a follower needs is made by the first one."""
    it = Watched(b"a", b"b")
    assert it.stream.shared is None and it.tee.so_far() == [b"a", b"b"]
    assert isinstance(it.stream, Stream) and it.stream.leave() and it.stream.shared is None
