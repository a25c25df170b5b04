"""The parts of one stream that several callers read, each in its own time: what is kept for whom. Reads nothing itself.

A helper brings the parts (http/sources.py) as long as somebody wants more, some ahead of the fastest reader. Whose stream it
is, and how callers find it, is in streams.py.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import count
from typing import Protocol

from .flights import Flight, wake_all

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


class Owner(Protocol):
    """The stream whose parts these are."""

    source: Source | None  # None: its leader has not got its answer yet

    def unlist(self) -> None:
        """Nobody finds it any more. Takes no lock."""


class Reader:
    """How far one caller has read."""

    __slots__ = ("number", "shared")

    def __init__(self, shared: Shared, number: int) -> None:
        self.shared, self.number = shared, number

    def __del__(self) -> None:  # left by its caller without a word
        self.shared.lost(self)


class Shared:
    """The parts of a stream and who reads them. All methods may be called from any thread; none waits for a reader."""

    def __init__(self, stream: Owner, *, limit: int = LIMIT) -> None:
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
        wake_all(ready)

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
        wake_all(turn.land(True) if turn is not None else [])

    def finish(self, error: BaseException | None) -> None:
        """No part will come any more; with an error all readers break, each when it has read what came before."""
        with self._lock:
            self._over, self._reading, self._error = True, False, error
            turn, self._turn = self._turn, None
        self.stream.unlist()
        wake_all(turn.land(True) if turn is not None else [])

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
