"""What every site's process does: listens (opens sockets), counts, applies faults, obeys the parent's control channel.

`Pop` and `Origin` say only how a request is answered.  The process ends when its parent closes the channel or dies.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edgeclient.lab.faults import Fault, fixed_answer
from edgeclient.lab.server import Connection, Hangup, Headers, Reply, Request

CA_FILE, KEY_FILE = "ca.pem", "server.pem"

_BROKEN = (Hangup, OSError, EOFError, asyncio.IncompleteReadError, ssl.SSLError)


@dataclass(slots=True)
class Counters:
    """What a site has seen.  Requests are POSTs (what a provider bills); all else counts as probes."""

    requests: int = 0
    probes: int = 0
    connections: int = 0
    abandoned: int = 0


@dataclass(slots=True)
class Door:
    """One listening address.  `round_trip` says whether answers here wait for the site's emulated round trip."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    round_trip: bool
    listening: socket.socket | None = field(default=None)

    def open(self) -> None:
        """Binds and listens; raises OSError."""
        self.listening = socket.socket()
        share_port(self.listening)
        self.listening.bind((self.host, self.port))
        self.listening.listen(512)
        self.listening.setblocking(False)


class Site(abc.ABC):
    """A server process of the lab, driven by control messages."""

    identity: Headers = ()

    def __init__(self, config: Mapping[str, object]) -> None:
        self.name = str(config["name"])
        self.delay_s = _number(config["delay_ms"]) / 1e3
        self.counters = Counters()
        self._recording = bool(config["record"])
        self._recorded: list[dict[str, object]] = []
        self._fault: Fault | None = None
        self._hits = 0
        self._gate = asyncio.Event()
        self._gate.set()
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself keeps only weak references
        self.scratch = Path(str(config["scratch"])) if config["scratch"] else None
        tls = _server_tls(self.scratch / KEY_FILE) if self.scratch else None
        host = str(config["host"])
        self._doors = [Door(host, int(_number(config["port"])), tls, True)]
        if "inner_port" in config:
            self._doors.append(Door(host, int(_number(config["inner_port"])), None, False))

    @abc.abstractmethod
    async def answer(self, request: Request, reply: Reply) -> None:
        """Answers one request; cancelled when the client goes away."""

    def name_itself(self) -> Headers:
        """The headers by which this site's own answers can be told from others'."""
        return ()

    # -- listening

    def open_doors(self) -> None:
        """Starts to listen and accept on every door."""
        for door in self._doors:
            if door.listening is None:
                door.open()
        self._watch()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for door in self._doors:
            if door.listening is not None:
                loop.add_reader(door.listening, self._accept, door)

    def _unwatch(self) -> None:
        loop = asyncio.get_running_loop()
        for door in self._doors:
            if door.listening is not None:
                loop.remove_reader(door.listening)

    def _refuse(self) -> None:
        self._unwatch()
        for door in self._doors:
            if door.listening is not None:
                door.listening.close()
                door.listening = None
        for connection in tuple(self._connections):
            connection.close()

    def _accept(self, door: Door) -> None:
        assert door.listening is not None
        try:
            sock, _ = door.listening.accept()
        except OSError:  # the client has gone again, or another event took it
            return
        sock.setblocking(False)
        # asyncio does this only for sockets whose protocol number is spelled out; an accepted one has 0.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counters.connections += 1
        self._keep(self._converse(sock, door))

    def _keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- one connection

    async def _converse(self, sock: socket.socket, door: Door) -> None:
        if self._fault and self._fault.name == "tls" and door.tls and self._strikes():
            return await _abort_handshake(sock)
        try:
            connection = await Connection.accept(sock, door.tls)
        except _BROKEN:
            return sock.close()
        self._connections.add(connection)
        try:
            while request := await connection.read_request():
                await self._exchange(request, connection, door)
        except _BROKEN:
            pass
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _exchange(self, request: Request, connection: Connection, door: Door) -> None:
        probe = request.method != "POST"
        self._note(request, probe)
        fault = self._fault
        if fault and (fault.name == "tls" or (probe and fault.spare_probes) or not self._strikes()):
            fault = None
        delay_s = self.delay_s if door.round_trip else 0.0
        reply = Reply(connection, delay_s, self._gate, fault, bodiless=request.method == "HEAD")
        work = self._keep(self._respond(request, connection, reply, fault))
        gone = asyncio.ensure_future(connection.gone.wait())
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        left = not work.done()
        if left:
            work.cancel()
            await asyncio.wait({work})
        error = Hangup() if work.cancelled() else work.exception()
        if not reply.ended and (left or (connection.gone.is_set() and isinstance(error, ConnectionError))):
            self.counters.abandoned += 1
        if error is not None:
            raise error
        if (request.head.header("connection") or "").lower() == "close":
            raise Hangup

    async def _respond(self, request: Request, connection: Connection, reply: Reply, fault: Fault | None) -> None:
        if fault is None:
            return await self.answer(request, reply)
        if fault.at_arrival:
            if fault.name == "hang":
                await reply.hang()
            connection.reset()
            raise Hangup
        if fault.name == "slow":
            await asyncio.sleep(fault.delay_ms / 1e3)
        if fault.name == "endless_headers":
            await _endless_headers(reply)
        fixed = fixed_answer(fault, request.path)
        if fixed is None:
            return await self.answer(request, reply)
        # A captive portal answers in the site's place, so it does not carry the site's name.
        names = () if fault.name == "captive" else self.name_itself()
        await reply.head(fixed.status, (*fixed.headers, *names), fixed.length)
        await reply.end(fixed.body)
        if fixed.length != len(fixed.body):
            raise Hangup

    def _strikes(self) -> bool:
        """Whether the fault hits this one: each `every`-th since the fault was set."""
        self._hits += 1
        return self._fault is not None and self._hits % self._fault.every == 0

    def _note(self, request: Request, probe: bool) -> None:
        if probe:
            self.counters.probes += 1
        else:
            self.counters.requests += 1
        if self._recording:
            headers = [[key, value] for key, value in request.head.headers]
            body = request.body.decode("latin-1")
            self._recorded.append({"method": request.method, "path": request.target, "headers": headers, "body": body})

    # -- control

    def obey(self, message: Mapping[str, object]) -> dict[str, object]:
        """Carries out one control message and returns the reply."""
        operation = message["op"]
        if operation == "start":
            self.open_doors()
        elif operation == "delay":
            self.delay_s = _number(message["ms"]) / 1e3
        elif operation == "fault":
            self._set_fault(message["fault"])
        elif operation == "recorded":
            return {"recorded": self._recorded}
        return {"counters": asdict(self.counters)}

    def _set_fault(self, options: object) -> None:
        self._fault, self._hits = None, 0
        self._gate.set()
        self.open_doors()
        if not isinstance(options, dict):
            return
        self._fault = Fault(**options)
        if self._fault.name == "refuse":
            self._refuse()
        elif self._fault.name == "swallow":
            self._gate.clear()
            self._unwatch()


async def _abort_handshake(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError), sock:
        await loop.sock_recv(sock, 65536)  # the client hello; unread bytes would turn the close into RST
        await loop.sock_sendall(sock, b"\x15\x03\x03\x00\x02\x02\x28")  # alert: fatal, handshake_failure


async def _endless_headers(reply: Reply) -> None:
    await reply.wait()
    await reply.raw(b"HTTP/1.1 200 OK\r\n")
    for i in range(1024):
        line = f"x-lab-{i:04}: ".encode()
        await reply.raw(line + b"a" * (1022 - len(line)) + b"\r\n")
        await asyncio.sleep(0.001)
    raise Hangup


def _server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    return context


def share_port(sock: socket.socket) -> None:
    """Lets a listening socket have the port that the lab holds with a socket which never listens."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sys.platform != "linux":  # on Linux reuse of the address is enough; BSDs want both
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def remove_scratch(scratch: Path) -> None:
    """Removes the lab's certificates and their directory; what is gone already does not matter."""
    with contextlib.suppress(OSError):
        for name in (CA_FILE, KEY_FILE):
            (scratch / name).unlink(missing_ok=True)
        scratch.rmdir()


def _number(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


# -- the process


def run_site(make: type[Site]) -> None:
    """The main function of a site's process; `argv[-1]` is the control socket, the first line is the config."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle; it ends us by closing the channel
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_obey_parent(make, socket.socket(fileno=int(sys.argv[-1]))))


async def _obey_parent(make: type[Site], control: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=control, limit=1 << 26)
    site: Site | None = None
    watch = asyncio.get_running_loop().create_task(_follow(os.getppid()))
    while line := await reader.readline():
        message = json.loads(line)
        try:
            site = site or make(message)
            reply = site.obey(message)
        except Exception as error:  # the parent turns it into a LabError
            reply = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps({**reply, "n": message["n"]}).encode() + b"\n")
        await writer.drain()
    watch.cancel()
    if site and site.scratch:  # a parent that was killed could not
        remove_scratch(site.scratch)
    os._exit(0)  # at once: answers in flight, pooled connections and open doors end with the process


async def _follow(parent: int) -> None:
    """Ends the process when the parent died but a fork of it still holds the control channel."""
    while os.getppid() == parent:
        await asyncio.sleep(1)
    os._exit(0)
