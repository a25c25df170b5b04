"""Recalls and writes down round-trip times beside the calls: starts short-lived threads, and looks up the machine's address.

A file is read before the first plan. A server is far: it is asked in a thread, and nobody waits for it but a call that
would have to guess. Who writes reads again and merges what it knows; there are no locks between processes.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

from ..values import Endpoint
from . import memory
from .selector import Selector

_EVERY_S = 60.0  # between two looks at what is new
_SETTLE_S = 1.0  # after the first plan, for the first round of probes
_PATIENCE_S = 2.0  # of `close` with a write
# A root name server, as an address that lies outside for everybody: routes to it are looked up, nothing is sent.
_OUTSIDE = ((socket.AF_INET, "198.41.0.4"), (socket.AF_INET6, "2001:503:ba3e::2:30"))
# Where platforms say in which region a process runs. Equal private addresses there are not the same network.
_REGIONS = ("AWS_REGION", "FLY_REGION", "VERCEL_REGION", "RAILWAY_REPLICA_REGION", "REGION_NAME")

Mishap = Callable[[str, BaseException], None]


class Remembering:
    """The paths of one edge's endpoints, on a shelf. Nothing is read, written or started before the first visit.

    `recalled` is called, in a thread, when a far shelf was asked: whoever waits for it can go on.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        selector: Selector,
        shelf: memory.Shelf,
        mishap: Mishap,
        *,
        recalled: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        places = {endpoint.name: memory.place_of(endpoint) for endpoint in endpoints}
        self._places = {name: place for name, place in places.items() if place}
        self._selector, self._shelf, self._mishap, self._wall = selector, shelf, mishap, wall
        self._recalled = recalled
        self._network = ""  # where the selector's samples were taken
        self._written: memory.Paths = {}  # what the shelf says of these places there
        self.next_at = float("-inf")
        self._recalling, self._writing = threading.Lock(), threading.Lock()

    def visit(self, now: float, *, slept: bool) -> None:
        """Recall, at first and after a sleep; else write down what is new, in a thread of its own."""
        with self._recalling:  # whoever comes second is ordered by what the first one recalled
            if now < self.next_at and not slept:
                return
            first = slept or self.next_at == float("-inf")
            try:
                if first and self._shelf.far:
                    self._selector.recalling = True
                    if not _start(self._recall_later):
                        self._selector.recalling = False
                elif first:
                    self._recall(self._network_now())
                    _start(lambda: self._write_later(_SETTLE_S))
                elif self._has_news():
                    _start(lambda: self._write_later(0.0))
            except Exception as error:
                self._mishap("remembering", error)
            finally:
                self.next_at = now + _EVERY_S

    def close(self) -> None:
        """Write down what is new, now. Two seconds are waited for a write that is under way, and for a server."""
        if self._shelf.far:
            done = threading.Event()
            if _start(lambda: self._write_and_say(done)):
                done.wait(_PATIENCE_S)
        elif self._writing.acquire(timeout=_PATIENCE_S):
            try:
                self._write()
            finally:
                self._writing.release()

    def after_fork(self) -> None:
        """In a forked child: new locks, no thread; what was recalled stays, and what was on its way is asked for again."""
        self._recalling, self._writing = threading.Lock(), threading.Lock()
        if self._selector.recalling:
            self._selector.recalling = False
            self.next_at = float("-inf")

    def _recall_later(self) -> None:
        try:
            with self._writing:
                self._recall(self._network_now())
        except Exception as error:
            self._mishap("remembering", error)
        finally:
            self._selector.recalling = False
            self._recalled()
        self._write_later(_SETTLE_S)

    def _recall(self, network: str) -> None:
        self._network = network
        paths = memory.fresh(self._read(network) or {}, network, self._wall())
        self._written = {place: paths[place] for place in self._places.values() if place in paths}
        self._selector.expect({n: paths[place].rtt_s for n, place in self._places.items() if place in paths})

    def _measured(self) -> memory.Measured:
        """By place; of several endpoints at one place the nearest counts."""
        known = self._selector.known()
        found: dict[str, tuple[float, str]] = {}
        for name, place in self._places.items():
            if name in known:
                found[place] = min(known[name], found.get(place, known[name]))
        return found

    def _has_news(self) -> bool:
        return memory.is_news(self._written, self._measured(), self._wall())

    def _write_later(self, delay_s: float) -> None:
        time.sleep(delay_s)
        with self._writing:
            self._write()

    def _write_and_say(self, done: threading.Event) -> None:
        self._write_later(0.0)
        done.set()

    def _write(self) -> None:
        try:
            if not self._has_news():
                return
            network = self._network_now()
            if self._network and network != self._network:  # nobody knows which samples were taken where
                self._selector.woke()
                self._recall(network)
                return
            networks = self._read(network)
            if networks is None:
                return
            merged = memory.merge(networks, network, self._measured(), self._wall())
            self._shelf.write(network, memory.write(merged), memory.KEPT_S)
            self._network, self._written = network, merged.get(network, {})
        except Exception as error:
            self._mishap("remembering", error)

    def _read(self, network: str) -> memory.Networks | None:
        """What the shelf says; nothing, said once, when it cannot be read; None when it is not ours to replace."""
        try:
            text = self._shelf.read(network, memory.MOST_BYTES + 1)
            return {} if text is None else memory.read(text)
        except (OSError, ValueError) as error:
            self._mishap("remembering", error)
            return None if isinstance(error, memory.Newer) else {}

    def _network_now(self) -> str:
        source = _address()
        return memory.fingerprint_of_fleet(source, _region()) if self._shelf.far else memory.fingerprint(source)


def _address() -> str:
    """The address which a connection that leads out of here would come from; "" where none does."""
    for family, address in _OUTSIDE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((address, 9))  # of a datagram socket: a look into the routing table, no packet
                return str(sock.getsockname()[0])
        except OSError:
            continue
    return ""


def _region() -> str:
    return next((region for variable in _REGIONS if (region := os.environ.get(variable))), "")


def _start(work: Callable[[], object]) -> bool:
    try:
        threading.Thread(target=work, name="edgeclient-memory", daemon=True).start()
    except RuntimeError:  # no thread to be had: at interpreter exit, or at the limit
        return False
    return True
