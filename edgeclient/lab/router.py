"""The packet router's process: owns one TUN descriptor per site and holds each packet for its path's one-way delay.

So the TCP handshake, the kernel's tcpi_rtt and retransmission all see the round trip; nothing is faked above IP.
Reads and writes devices and one control socket; ends when the parent closes that socket or dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import json
import os
import select
import signal
import socket
import sys
import time

_PR_SET_TIMERSLACK = 29
_BURST = 64
_LARGEST_PACKET = 65600


class _Path:
    """One direction between two sites."""

    __slots__ = ("delay_s", "device", "latest", "lost")

    def __init__(self, device: int) -> None:
        self.device = device
        self.delay_s = 0.0
        self.latest = 0.0
        self.lost = False


class Router:
    """Moves packets between the devices until its parent goes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._unread = b""
        self._paths: dict[bytes, _Path] = {}  # by source address + destination address, as in the IP header
        self._devices: list[int] = []
        self._queue: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Returns when the parent has closed the control socket."""
        parent = os.getppid()
        while os.getppid() == parent:  # a fork of a dead parent may still hold the control socket
            wait_s = 1.0
            if self._queue:
                wait_s = min(max(0.0, self._queue[0][0] - time.monotonic()), wait_s)
            sources: list[int | socket.socket] = [*self._devices, self._control]
            ready = select.select(sources, (), (), wait_s)[0]
            for source in ready:
                if isinstance(source, int):
                    self._take(source)
                elif not self._listen():
                    return
            self._deliver()

    def _take(self, device: int) -> None:
        paths, now = self._paths, time.monotonic()
        for _ in range(_BURST):
            try:
                packet = os.read(device, _LARGEST_PACKET)
            except BlockingIOError:
                return
            path = paths.get(packet[12:20])
            if path is None or path.lost:
                continue
            # A shorter delay set while packets are under way must not reorder a stream.
            path.latest = due = max(now + path.delay_s, path.latest)
            self._count += 1
            heapq.heappush(self._queue, (due, self._count, path.device, packet))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._queue and self._queue[0][0] <= now:
            _, _, device, packet = heapq.heappop(self._queue)
            with contextlib.suppress(OSError):  # a full device queue loses packets, as a full link does
                os.write(device, packet)

    def _listen(self) -> bool:
        got = self._control.recv(65536)
        if not got:
            return False
        *lines, self._unread = (self._unread + got).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message["op"] == "start":
                self._start(message["devices"])
            elif message["op"] == "paths":
                self._set(message["paths"])
            self._control.sendall(json.dumps({"n": message["n"]}).encode() + b"\n")
        return True

    def _start(self, devices: dict[str, int]) -> None:
        """`devices`: address -> descriptor.  Low numbers are taken for them, because select() ends at 1024."""
        moved = {}
        for address, given in devices.items():
            moved[socket.inet_aton(address)] = os.dup(given)
            os.close(given)
        self._devices = list(moved.values())
        self._paths = {a + b: _Path(moved[b]) for a in moved for b in moved if a != b}

    def _set(self, paths: list[list[object]]) -> None:
        """Each: source address, destination address, one-way delay in ms, whether packets are lost."""
        for source, destination, delay_ms, lost in paths:
            path = self._paths[socket.inet_aton(str(source)) + socket.inet_aton(str(destination))]
            path.delay_s, path.lost = float(str(delay_ms)) / 1e3, bool(lost)
            path.latest = 0.0  # a new route may overtake packets of the old one


def main() -> None:
    """Runs in a process of its own, started by the lab; `argv[-1]` is the control socket's descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # wake up to the nanosecond, not to 50 us
    Router(socket.socket(fileno=os.dup(int(sys.argv[-1])))).run()
    os._exit(0)
