"""Reads and writes one small file and starts short-lived threads: keeps round-trip times from one process to the next.

The file is in the user's cache directory, and only its owner can read it. Writers take no lock: each reads the file again,
merges what it knows and renames a new file into its place, so that the last one wins and nobody sees half a file.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..values import Endpoint
from . import memory
from .selector import Selector

FILE = "paths.json"
_EVERY_S = 60.0  # between two looks at what is new
_SETTLE_S = 1.0  # after the first plan, for the first round of probes
_PATIENCE_S = 2.0  # of `close` with a write that is under way
# A root name server, as an address that lies outside for everybody: routes to it are looked up, nothing is sent.
_OUTSIDE = ((socket.AF_INET, "198.41.0.4"), (socket.AF_INET6, "2001:503:ba3e::2:30"))

Mishap = Callable[[str, BaseException], None]


class MemoryFile:
    """The paths of one edge's endpoints, in a file. Nothing is read, written or started before the first visit."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        selector: Selector,
        mishap: Mishap,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        places = {endpoint.name: memory.place_of(endpoint) for endpoint in endpoints}
        self._places = {name: place for name, place in places.items() if place}
        self._selector, self._mishap, self._wall = selector, mishap, wall
        self._network = ""  # where the selector's samples were taken
        self._written: memory.Paths = {}  # what the file says of these places there
        self.next_at = float("-inf")
        self._recalling, self._writing = threading.Lock(), threading.Lock()

    def visit(self, now: float, *, slept: bool) -> None:
        """Recall, at first and after a sleep; else write down what is new, in a thread of its own."""
        with self._recalling:  # whoever comes second is ordered by what the first one recalled
            if now < self.next_at and not slept:
                return
            first = slept or self.next_at == float("-inf")
            try:
                if first:
                    self._recall(_network())
                if first or self._has_news():
                    _start(lambda: self._write_later(_SETTLE_S if first else 0.0))
            except Exception as error:
                self._mishap("remembering", error)
            finally:
                self.next_at = now + _EVERY_S

    def close(self) -> None:
        """Write down what is new, now."""
        if self._writing.acquire(timeout=_PATIENCE_S):
            try:
                self._write()
            finally:
                self._writing.release()

    def after_fork(self) -> None:
        """In a forked child: new locks, no thread; what was recalled stays."""
        self._recalling, self._writing = threading.Lock(), threading.Lock()

    def _recall(self, network: str) -> None:
        self._network = network
        paths = memory.fresh(self._read() or {}, network, self._wall())
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

    def _write(self) -> None:
        try:
            if not self._has_news():
                return
            network = _network()
            if self._network and network != self._network:  # nobody knows which samples were taken where
                self._selector.woke()
                self._recall(network)
                return
            networks = self._read()
            if networks is None:
                return
            measured, wall = self._measured(), self._wall()
            merged = memory.merge(networks, network, measured, wall)
            _replace(cache_folder(), memory.write(merged))
            self._network, self._written = network, merged.get(network, {})
        except Exception as error:
            self._mishap("remembering", error)

    def _read(self) -> memory.Networks | None:
        """What the file says; nothing, said once, when it cannot be read; None when it is not ours to replace."""
        try:
            return memory.read(_text(cache_folder() / FILE))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self._mishap("remembering", error)
            return None if isinstance(error, memory.Newer) else {}


def cache_folder() -> Path:
    """Where this user's programs keep what they can do without. Raises OSError where there is no such place."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    else:
        usual = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
        said = os.environ.get("XDG_CACHE_HOME", "")
        base = said if os.path.isabs(said) else os.path.expanduser(usual)
    if not os.path.isabs(base):
        raise OSError("this user has no cache directory")
    return Path(base, "edgeclient")


def _text(file: Path) -> bytes:
    """The bytes of a file, if it is one and small; opening a pipe or a device in its place does not block."""
    number = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError(f"{file} is no regular file")
        with open(number, "rb", closefd=False) as opened:
            text = opened.read(memory.MOST_BYTES + 1)
    finally:
        os.close(number)
    if len(text) > memory.MOST_BYTES:
        raise ValueError(f"{file} is too long to be a document of edgeclient")
    return text


def _replace(folder: Path, text: bytes) -> None:
    """Put a new file, which only its owner can read, into the place of the old one, at once."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f"{FILE}.", dir=folder)  # 0600
    try:
        with open(number, "wb") as opened:
            opened.write(text)
        os.replace(name, folder / FILE)
    except BaseException:
        os.unlink(name)
        raise


def _network() -> str:
    """The fingerprint of the network that leads out of here: of the address which a connection would come from."""
    for family, address in _OUTSIDE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((address, 9))  # of a datagram socket: a look into the routing table, no packet
                return memory.fingerprint(sock.getsockname()[0])
        except OSError:
            continue
    return memory.fingerprint("")


def _start(work: Callable[[], None]) -> None:
    try:
        threading.Thread(target=work, name="edgeclient-memory", daemon=True).start()
    except RuntimeError:  # no thread to be had: at interpreter exit, or at the limit
        pass
