"""Loopback servers that count: connections, TLS handshakes, requests. Open sockets and start threads.

One speaks HTTP/1.1 or HTTP/2, plain or over TLS; another is an HTTP proxy before it.
"""

from __future__ import annotations

import abc
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h2.config
import h2.connection
import h2.events
from typing_extensions import Self

_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}, "logprobs": None}
    ],
}


@dataclass(frozen=True)
class Asked:
    """One request, and the number of the connection it came on."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]


class _Listening(abc.ABC):
    """Accepts, each connection in a thread of its own, until it is left; then everything is closed and joined."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self.connections = 0
        self._markers: set[int] = set()
        self._settled = threading.Event()
        self._open: set[socket.socket] = set()
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for sock in list(self._open):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()

    def settled(self) -> int:
        """The number of connections, when all that were begun are counted: they are accepted in their order."""
        family, address = self._listening.family, self._listening.getsockname()
        self._settled.clear()
        with socket.socket(family) as marker:
            marker.bind((address[0], 0))
            self._markers.add(marker.getsockname()[1])
            marker.connect(address)
            assert self._settled.wait(20)
        return self.connections

    def _accept(self) -> None:
        while not self._closing:
            try:
                sock, peer = self._listening.accept()
            except OSError:
                return
            if peer[1] in self._markers:
                sock.close()
                self._settled.set()
                continue
            self.connections += 1
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    @abc.abstractmethod
    def _serve(self, bare: socket.socket, number: int) -> None: ...


class Server(_Listening):
    """Answers each POST as a chat completion, each GET with 404. `headers`: of the answers from now on."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._tls = tls
        self.handshakes = self.ended = 0  # of TLS; connections that are over
        self.asked: list[Asked] = []
        self.status = 200  # of the answers to POSTs from now on
        self.headers: dict[str, str] = {}
        self.on_post: Callable[[], None] = lambda: None
        super().__init__(host, port)
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}/v1"

    @property
    def posts(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]

    @property
    def gets(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET"]

    def _serve(self, bare: socket.socket, number: int) -> None:
        sock = bare
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(bare, server_side=True)
                self._open.add(sock)  # `bare` is empty now
                self.handshakes += 1
            if isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() == "h2":
                self._serve_http2(sock, number)
            else:
                self._serve_http1(sock, number)
        except (OSError, ValueError):
            pass
        finally:
            self._open -= {bare, sock}
            self.ended += 1
            sock.close()

    def _serve_http1(self, sock: socket.socket, number: int) -> None:
        with sock.makefile("rb") as reading:
            while True:
                lines = []
                while (line := reading.readline()).strip():
                    lines.append(line.decode("latin-1").strip())
                if not lines:
                    return
                method, path, _ = lines[0].split(" ")
                said = dict(line.lower().split(": ", 1) for line in lines[1:])
                reading.read(int(said.get("content-length", 0)))
                status, headers, body = self._answer(Asked(number, method, path, said))
                head = [f"HTTP/1.1 {status} Because", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
                sock.sendall("\r\n".join(head).encode() + body)

    def _serve_http2(self, sock: ssl.SSLSocket, number: int) -> None:
        spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        spoken.initiate_connection()
        sock.sendall(spoken.data_to_send())
        heads: dict[int, dict[str, str]] = {}
        while data := sock.recv(65536):
            for event in spoken.receive_data(data):
                stream: Any = getattr(event, "stream_id", 0)
                if isinstance(event, h2.events.RequestReceived):
                    heads[stream] = {str(name): str(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.DataReceived):
                    spoken.acknowledge_received_data(event.flow_controlled_length, stream)
                elif isinstance(event, h2.events.StreamEnded):
                    head = heads.pop(stream)
                    status, headers, body = self._answer(Asked(number, head[":method"], head[":path"], head))
                    spoken.send_headers(stream, [(":status", str(status)), *headers.items()])
                    spoken.send_data(stream, body, end_stream=True)
            sock.sendall(spoken.data_to_send())

    def _answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(asked)
        if asked.method == "POST":
            self.on_post()
        body = json.dumps(_CHAT).encode() if asked.method == "POST" else b"{}"
        status = self.status if asked.method == "POST" else 404
        return status, {"content-type": "application/json", "content-length": str(len(body)), **self.headers}, body


class Tunnel(_Listening):
    """An HTTP proxy: passes CONNECT and absolute URLs on, one request a connection. `passed`: their methods."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        super().__init__()
        self.url = f"http://127.0.0.1:{self.port}"

    def _serve(self, bare: socket.socket, number: int) -> None:
        with bare:
            head = b""
            while b"\r\n\r\n" not in head:
                head += bare.recv(65536)
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.passed.append(method)
            host, _, port = target.removeprefix("http://").partition("/")[0].rpartition(":")
            with socket.create_connection((host, int(port))) as far:
                if method == "CONNECT":
                    bare.sendall(b"HTTP/1.1 200 Because\r\n\r\n")
                else:
                    far.sendall(head.replace(f"http://{host}:{port}".encode(), b"", 1))
                back = threading.Thread(target=_pump, args=(far, bare))
                back.start()
                _pump(bare, far)
                back.join()
        self._open.discard(bare)


def _pump(near: socket.socket, far: socket.socket) -> None:
    try:
        while data := near.recv(65536):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)
    except OSError:
        pass
