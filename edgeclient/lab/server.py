"""HTTP/1.1 pieces on asyncio streams for the lab's servers: requests, answers and broken answers.

Works on connected sockets that are handed in; `Connection.dial` opens one.  Knows nothing about PoPs or models.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from edgeclient.lab.faults import Fault

Headers = tuple[tuple[str, str], ...]

_HEAD_LIMIT = 1 << 20
_FRAMING = frozenset({"connection", "keep-alive", "content-length", "transfer-encoding", "expect"})


class Hangup(Exception):
    """This connection is over: close it, whatever was promised."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first line and the header lines of a message, in the order and case received."""

    first: str
    headers: Headers

    def header(self, name: str) -> str | None:
        """The first header by that name (any case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def end_to_end(self) -> Headers:
        """The headers that a relay passes on: without those that describe this connection or the framing."""
        return tuple((key, value) for key, value in self.headers if key.lower() not in _FRAMING)


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its whole body."""

    method: str
    target: str
    head: Head
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class _Peer(asyncio.StreamReaderProtocol):
    """A stream protocol that knows when the other side went, also while nobody reads."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self.gone = asyncio.Event()

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class Connection:
    """One HTTP/1.1 connection, of either side.  Make one with `accept` or `dial`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: _Peer) -> None:
        self._reader, self._writer = reader, writer
        self.gone = peer.gone

    @classmethod
    async def accept(cls, sock: socket.socket, tls: ssl.SSLContext | None) -> Connection:
        """The server's side of an accepted socket; raises OSError or ssl.SSLError when the handshake fails."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_HEAD_LIMIT)
        peer = _Peer(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: peer, sock, ssl=tls)
        return cls(reader, asyncio.StreamWriter(transport, peer, reader, loop), peer)

    @classmethod
    async def dial(cls, host: str, port: int) -> Connection:
        """The client's side of a new plain connection; raises OSError."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_HEAD_LIMIT)
        peer = _Peer(reader)
        transport, _ = await loop.create_connection(lambda: peer, host, port)
        return cls(reader, asyncio.StreamWriter(transport, peer, reader, loop), peer)

    async def read_head(self) -> Head | None:
        """The next head, or None when the other side has closed between messages."""
        try:
            raw = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        except asyncio.LimitOverrunError as error:
            raise Hangup from error
        first, *lines = raw[:-4].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Head(first, tuple((key, value.strip()) for key, _, value in pairs))

    async def read_request(self) -> Request | None:
        """The next request, or None when the client has closed; raises Hangup for what is not HTTP."""
        head = await self.read_head()
        if head is None:
            return None
        words = head.first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise Hangup
        if (head.header("expect") or "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b"".join([piece async for piece in self.read_body(head, empty=head.header("content-length") is None)])
        return Request(words[0], words[1], head, body)

    async def read_body(self, head: Head, *, empty: bool) -> AsyncIterator[bytes]:
        """The body's pieces as they arrive; `empty` says that there is none unless it is chunked."""
        if (head.header("transfer-encoding") or "").lower() == "chunked":
            while size := _whole_number((await self._reader.readline()).split(b";")[0], 16):
                yield (await self._reader.readexactly(size + 2))[:-2]
            while (await self._reader.readline()).strip():  # trailers
                pass
            return
        left = 0 if empty else _whole_number((head.header("content-length") or "0").encode(), 10)
        while left:
            piece = await self._reader.read(min(left, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            yield piece

    def write(self, data: bytes) -> None:
        """Queues data; `drain` waits until the kernel has taken enough of it."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Waits for room in the send buffer; raises ConnectionError when the other side is gone."""
        await self._writer.drain()

    def close(self) -> None:
        """Sends what is queued, then closes."""
        self._writer.close()

    def reset(self) -> None:
        """Closes with RST; what is queued is lost."""
        with contextlib.suppress(OSError, AttributeError):
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Reply:
    """One answer on a connection, with the site's delay before its head and the fault that breaks its body.

    `gate` stops everything while closed (the loopback form of a black hole).
    """

    def __init__(
        self,
        connection: Connection,
        delay_s: float,
        gate: asyncio.Event,
        fault: Fault | None,
        *,
        bodiless: bool = False,
    ) -> None:
        """`bodiless`: the answer to HEAD, of which only the head is sent."""
        self._connection, self._delay_s, self._gate, self._fault = connection, delay_s, gate, fault
        self._bodiless = bodiless
        self._chunked = False
        self._sent = 0
        self.ended = False

    async def head(self, status: int, headers: Headers, length: int | None) -> None:
        """Sends the head; `length=None` means chunks."""
        await self.wait()
        self._chunked = length is None
        framing = ("transfer-encoding", "chunked") if length is None else ("content-length", str(length))
        lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{key}: {value}" for key, value in (*headers, framing))]
        self._connection.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def wait(self) -> None:
        """The round trip of this site, where it is emulated by waiting; once per answer."""
        delay_s, self._delay_s = self._delay_s, 0.0
        await asyncio.sleep(delay_s)
        await self._gate.wait()

    async def body(self, data: bytes) -> None:
        """Sends a piece of the body, as a chunk where the head said so."""
        if self._bodiless:
            return
        limit = self._fault.breaks_after if self._fault else None
        if limit is not None and self._sent + len(data) >= limit:
            await self._put(data[: limit - self._sent])
            await self._break_off()
        await self._put(data)

    async def end(self, last: bytes = b"") -> None:
        """Ends the answer, with its last piece in the same packet as the end."""
        if self._bodiless:
            self.ended = True
            return await self._connection.drain()
        if self._fault and self._fault.breaks_after is not None:
            await self.body(last)
            await self._break_off()
        if self._fault and self._fault.name == "throttle":
            await self.body(last)
            last = b""
        self._connection.write(self._framed(last) + (b"0\r\n\r\n" if self._chunked else b""))
        self.ended = True
        await self._connection.drain()

    async def whole(self, status: int, headers: Headers, data: bytes) -> None:
        """A complete answer with a content-length."""
        await self.head(status, headers, len(data))
        await self.end(data)

    async def raw(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self._connection.write(data)
        await self._connection.drain()

    async def hang(self) -> None:
        """Never returns; the client's going away cancels it."""
        await asyncio.Event().wait()

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(data), data) if self._chunked and data else data

    async def _put(self, data: bytes) -> None:
        for piece, pause_s in _paced(data, self._fault):
            await self._gate.wait()
            await self.raw(self._framed(piece))
            self._sent += len(piece)
            if pause_s:  # no turn of the loop otherwise: a client that closes at [DONE] must find the end sent
                await asyncio.sleep(pause_s)

    async def _break_off(self) -> None:
        assert self._fault is not None
        if self._fault.name == "hang":
            await self.hang()
        if self._fault.name == "reset":
            await asyncio.sleep(0.01)  # RST throws away what is still in the send buffer: let it leave first
            self._connection.reset()
        raise Hangup


def _paced(data: bytes, fault: Fault | None) -> list[tuple[bytes, float]]:
    """The data in pieces, each with the seconds to wait after it."""
    if fault is None or fault.name != "throttle":
        return [(data, 0.0)] if data else []
    step = max(1, int(fault.bytes_per_s / 20))
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    return [(piece, len(piece) / fault.bytes_per_s) for piece in pieces]


def _whole_number(text: bytes, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        raise Hangup from None
    if number < 0:
        raise Hangup
    return number


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Unknown"
