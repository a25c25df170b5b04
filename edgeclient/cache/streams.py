"""Streamed calls under way, by key, so that the same calls that come meanwhile read along. Reads and sends nothing itself.

A `Stream` is a flight whose landing is the head of the answer. As long as nobody follows, its leader reads as it would
alone. The first follower makes it `Shared` (sharing.py): from the next part on a helper reads (http/sources.py), and the
leader and its followers take their parts there. So a leader that leaves is one reader less, and nothing else.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from ..noting import Notes
from ..values import RawHeaders
from .flights import Flight, wake_all
from .sharing import Shared, Source
from .tee import Tee


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
        wake_all(self.land(stored))

    def head(self, headers: RawHeaders, notes: Notes | None, tee: Tee) -> None:
        """A 200's head is here, and the followers go on at once."""
        self.headers, self.notes, self.tee = headers, notes, tee
        followers = self.land(True)
        if followers:
            self.share()
        wake_all(followers)

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
