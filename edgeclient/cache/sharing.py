"""Live fan-out: one streamed call leads, the same calls that come meanwhile read along. Reads and sends nothing itself.

A `Stream` is a flight whose landing is the head of the answer. As long as nobody follows, its leader reads as it would
alone. The first follower makes it `Shared`: from the next part on a helper reads (http/sharing.py), and the leader and its
followers take their parts here, each in its own time. So a leader that leaves is one reader less, and nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Protocol
from weakref import WeakValueDictionary

from ..noting import Notes
from ..values import RawHeaders
from .flights import Flight
from .tee import Tee

LIMIT = 8 * 2**20  # bytes: of a stream that can be joined, and how far its slowest reader may be behind
_AHEAD = 16  # parts that the helper reads before anybody asks for them


class Broken(Exception):
    """A stream broke, for one reader or for all; `error` is what the leader's HTTP library said of it, if it did."""

    def __init__(self, why: str, error: BaseException | None = None) -> None:
        super().__init__(why)
        self.error = error


class Source(Protocol):
    """The leader's response, which a helper can read in the leader's colour. From any thread or event loop; never waits."""

    @property
    def home(self) -> object | None:
        """The event loop that reads it; None when any thread can."""

    def start(self) -> None:
        """Have parts read if nobody does so now. Raises `Broken` when nobody can."""

    def discard(self) -> None:
        """Have it closed."""


class Reader:
    """How far one caller has read."""

    __slots__ = ("number", "shared")

    def __init__(self, shared: Shared, number: int) -> None:
        self.shared, self.number = shared, number

    def __del__(self) -> None:  # left by its caller without a word
        self.shared.lost(self)


class Shared:
    """The parts of a stream and who reads them. All methods may be called from any thread; none waits for a reader."""

    def __init__(self, stream: Stream, *, limit: int = LIMIT) -> None:
        self.stream, self._limit = stream, limit
        self.ready = Flight("")  # lands when followers may come aboard (True), or when it is too late for that
        self.leader: Reader | None = None
        self._error: BaseException | None = None
        self._over = False
        self._parts: list[bytes] = []
        self._first = 0  # the number of the first part that is kept
        self._size = 0  # bytes that are kept
        self._at: dict[int, int] = {}  # a reader's number -> the part that it takes next
        self._numbers = count()
        self._reading = False  # a helper is at it
        self._turn: Flight | None = None  # lands with the next part; None when nobody waits
        self._lost: deque[int] = deque()  # readers that were collected, wherever that happened: no lock is taken there
        self._lock = threading.Lock()

    def begin(self, parts: list[bytes] | None) -> None:
        """Take over what the leader has read. Called between two parts; None: it is over, or too long to be joined."""
        with self._lock:
            if self.ready.landed is None and parts is not None:
                self._parts, self._size = list(parts), sum(map(len, parts))
                self.leader = self._boarded(len(parts))
            ready = self.ready.land(self.leader is not None)
        _wake(ready)

    def board(self) -> Reader | None:
        """A new reader, from the first byte; None where that is not possible any more."""
        with self._lock:
            self._tidy()
            return self._boarded(0) if self._at and not self._first and self._error is None else None

    def take(self, reader: Reader) -> bytes | Flight | None:
        """A reader's next part; a flight that lands with it, when it has still to come; None at the end.

        Raises `Broken`.
        """
        with self._lock:
            at = self._at.get(reader.number)
            if at is None:
                raise Broken("this reader has left")
            if at < self._first:
                raise Broken(f"this reader is more than {self._limit} bytes behind the others")
            if at < self._first + len(self._parts):
                self._at[reader.number] = at + 1
                return self._parts[at - self._first]
            if self._error is not None:
                raise Broken(str(self._error), self._error)
            if self._over:
                return None
            if self._turn is None:
                self._turn = Flight("")
            return self._turn

    def claim(self) -> bool:
        """True for the one who shall read now: until `wants` says no, or `finish`."""
        with self._lock:
            if self._reading or self._over or not self.ready.landed:
                return False
            self._reading = True
            return True

    def wants(self) -> bool:
        """Whether the helper shall go on: somebody reads, and is not far behind. False ends its claim."""
        with self._lock:
            self._tidy()
            last = self._first + len(self._parts)
            self._over = self._over or not self._at
            self._reading = not self._over and last - max(self._at.values()) < _AHEAD
            return self._reading

    def give_back(self) -> None:
        """Whoever claimed it cannot read."""
        with self._lock:
            self._reading = False

    def add(self, part: bytes) -> None:
        """One more part has come."""
        with self._lock:
            self._parts.append(part)
            self._size += len(part)
            if self._first or self._size > self._limit:
                self._let_go()
            turn, self._turn = self._turn, None
        _wake(turn.land(True) if turn is not None else [])

    def finish(self, error: BaseException | None) -> None:
        """No part will come any more; with an error all readers break, each when it has read what came before."""
        with self._lock:
            self._over, self._reading, self._error = True, False, error
            turn, self._turn = self._turn, None
        self.stream.unlist()
        _wake(turn.land(True) if turn is not None else [])

    def leave(self, reader: Reader) -> bool:
        """A reader goes. True: it was the last, and what is left of the stream is the caller's to close."""
        with self._lock:
            self._at.pop(reader.number, None)
            self._tidy()
            if self.leader is reader:
                self.leader = None
            if self._at:
                return False
            closes = not (self._over or self._reading)
            self._over = self._over or closes
        self.stream.unlist()
        return closes

    def lost(self, reader: Reader) -> None:
        """The same for one that was collected. The collector comes at any time, so there is no lock and nothing is closed."""
        if reader.number in self._at:
            self._lost.append(reader.number)
            if len(self._lost) >= len(self._at):
                self.stream.unlist()

    @property
    def is_over(self) -> bool:
        """True when nothing more is to be read, or nobody is left to read it: the helper closes the response."""
        return self._over

    def _boarded(self, at: int) -> Reader:
        reader = Reader(self, next(self._numbers))
        self._at[reader.number] = at
        return reader

    def _tidy(self) -> None:
        while self._lost:
            self._at.pop(self._lost.popleft(), None)

    def _let_go(self) -> None:
        """Past the limit nobody comes aboard; what all have read goes, and then what the slowest followers have not.

        Not what the leader has not: its call would have been served without them.
        """
        self._tidy()
        last = self._first + len(self._parts)
        slowest = min(self._at.values(), default=last)
        leader = self._at.get(self.leader.number, last) if self.leader is not None else last
        gone = 0
        while self._first + gone < slowest or (self._size > self._limit and self._first + gone < leader):
            self._size -= len(self._parts[gone])
            gone += 1
        del self._parts[:gone]
        self._first += gone
        self.stream.unlist()


class Stream(Flight):
    """A streamed call under way. It lands with its head: True when others can read it along, or find its answer stored."""

    __slots__ = ("__weakref__", "_streams", "done", "headers", "notes", "pulling", "shared", "source", "tee")

    def __init__(self, key: str, streams: Streams) -> None:
        super().__init__(key)
        self._streams = streams
        self.headers: RawHeaders = ()
        self.notes: Notes | None = None
        self.tee: Tee | None = None
        self.source: Source | None = None  # set when the leader has its answer in hand
        self.pulling = False  # the leader itself waits for a part just now
        self.done = False  # the leader alone has read it, or left it
        self.shared: Shared | None = None

    def share(self) -> Shared:
        """Have followers. They come aboard when the part that the leader waits for has come: who leaves while it waits,
        cancelled, takes the connection along."""
        shared = self.shared
        if shared is None:
            made = Shared(self)
            with self._lock:
                shared = self.shared = self.shared or made
        if not self.pulling:  # the leader looks the other way round: it says `pulling`, then looks for `shared`
            self.begin()
        return shared

    def begin(self) -> bool:
        """Between two parts: let those come aboard who wait for it. True when the stream is shared now."""
        shared, tee = self.shared, self.tee
        if shared is None or tee is None:
            return False
        parts = None if self.done else tee.so_far()
        if parts is None:
            self.unlist()
        shared.begin(parts)
        return shared.ready.landed is True

    def no_head(self, *, stored: bool) -> None:
        """Nothing that can be read along will come; the followers go on at once: to the cache if the answer is there now."""
        self.unlist()
        _wake(self.land(stored))

    def head(self, headers: RawHeaders, notes: Notes | None, tee: Tee) -> None:
        """A 200's head is here, and the followers go on at once."""
        self.headers, self.notes, self.tee = headers, notes, tee
        followers = self.land(True)
        if followers:
            self.share()
        _wake(followers)

    def end(self) -> None:
        """The leader alone has come to the end, or it broke."""
        self.pulling, self.done = False, True
        self.unlist()
        self.begin()

    def leave(self) -> bool:
        """The leader goes. True: nobody else reads, and the response is its own to close."""
        shared = self.shared
        if shared is None or not shared.ready.landed:
            self.end()
        shared = self.shared
        if shared is None or not shared.ready.landed:
            return True
        return shared.leader is not None and shared.leave(shared.leader)

    def lost(self) -> None:
        """The leader was collected, unclosed. Takes no lock."""
        self.done = True
        self.unlist()
        if self.shared is not None and self.shared.leader is not None:
            self.shared.lost(self.shared.leader)

    def unlist(self) -> None:
        """Nobody finds it any more."""
        self._streams.unlist(self)


class Streams:
    """The streams under way, by key. Weakly: one that its leader forgets is gone as if nobody had looked at it."""

    def __init__(self) -> None:
        self._open: WeakValueDictionary[str, Stream] = WeakValueDictionary()
        self._lock = threading.Lock()

    def join(self, key: str) -> tuple[Stream, bool]:
        """The stream of this key, and whether the caller leads it. A leader must tell its `head`, whatever happens."""
        made = Stream(key, self)  # outside of the lock: what is made may set off the collector
        with self._lock:
            stream = self._open.setdefault(key, made)
        return stream, stream is made

    def unlist(self, stream: Stream) -> None:
        """Nobody finds it any more. Without a lock: the collector may come here."""
        if self._open.get(stream.key) is stream:
            self._open.pop(stream.key, None)

    def under_way(self) -> list[Stream]:
        """All of them now."""
        return list(self._open.values())


def _wake(waiting: list[Callable[[], object]]) -> None:
    for wake in waiting:
        wake()
