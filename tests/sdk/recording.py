"""A recording origin: a small HTTP/1.1 server on loopback that keeps the bytes of each request. Opens sockets and threads.

It answers as the APIs do, from `canned`; `faults` are used up one per request, `always` is for when they are.
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from canned import Answer, answer_to

_HUGE = 4 * 2**20  # bytes of endless headers after which the server gives up: clients stop far earlier


@dataclass(frozen=True)
class Seen:
    """One request, as its bytes were."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # order and case as received
    body: bytes
    head: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def raw(self) -> bytes:
        return self.head + self.body

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Fault:
    """What goes over the wire instead of an answer; then the connection is kept, or closed."""

    parts: Callable[[Seen], Iterable[bytes]]
    keep: bool = False


class Origin:
    """The server. `url` is what one gives anthropic as `base_url`, `v1` what one gives openai."""

    def __init__(self, name: str = "origin", *, zipped: bool = False) -> None:
        self.name, self._zipped = name, zipped
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.extra_headers: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._closing = False
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.v1 = f"{self.url}/v1"
        self._accepting = threading.Thread(target=self._accept, name=f"origin-{name}", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def fail(self, *faults: Fault) -> None:
        """Answer the next requests with these."""
        self.faults.extend(faults)

    def take(self) -> list[Seen]:
        """What was seen since the last time."""
        with self._lock:
            seen, self.seen = self.seen, []
        return seen

    def saw(self, secret: str) -> bool:
        """True when this text was anywhere in the bytes of any request."""
        with self._lock:
            return any(secret.encode() in request.raw for request in self.seen)

    def close(self) -> None:
        self._closing = True
        with socket.create_connection(("127.0.0.1", self.port)):  # wakes `accept`
            pass
        self._accepting.join()
        self._listening.close()
        for sock in list(self._open):
            with _ignoring_oserror():
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listening.accept()
            if self._closing:
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.add(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, _ignoring_oserror(), sock.makefile("rb") as reading:
            while (request := _read(reading)) is not None:
                with self._lock:
                    self.seen.append(request)
                    fault = self.faults.popleft() if self.faults else self.always
                for part in fault.parts(request) if fault is not None else [self._answer(request)]:
                    sock.sendall(part)
                if fault is not None and not fault.keep:
                    break
        self._open.discard(sock)

    def _answer(self, request: Seen) -> bytes:
        answer = answer_to(request.method, request.path, request.target, request.body, self.name)
        answer.headers.extend(self.extra_headers)
        return on_the_wire(answer, zipped=self._zipped)


@contextmanager
def _ignoring_oserror() -> Iterator[None]:
    try:
        yield
    except OSError:  # the client left: its right
        pass


def _read(reading: object) -> Seen | None:
    """One request; None when the connection ends before one."""
    readline, read = reading.readline, reading.read  # type: ignore[attr-defined]
    lines: list[bytes] = [readline()]
    if not lines[0]:
        return None
    while lines[-1].strip():
        lines.append(readline())
        if not lines[-1]:
            return None
    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    headers = tuple(tuple(line.decode("latin-1").rstrip("\r\n").split(": ", 1)) for line in lines[1:-1])
    lower = {name.lower(): value for name, value in headers}
    if lower.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(readline(), 16):
            body += read(size)
            readline()
        readline()
    else:
        body = read(int(lower.get("content-length", 0)))
    return Seen(method, target, headers, body, b"".join(lines))  # type: ignore[arg-type]


def on_the_wire(answer: Answer, *, zipped: bool = False) -> bytes:
    """An answer's bytes: with its length, or in chunks when it has parts."""
    if isinstance(answer.body, bytes):
        body = gzip.compress(answer.body, mtime=0) if zipped else answer.body
        extra = [("content-length", str(len(body)))] + ([("content-encoding", "gzip")] if zipped else [])
        return head(answer.status, [*answer.headers, *extra]) + body
    parts = list(answer.body)
    if zipped:
        parts = [gzip.compress(b"".join(parts), mtime=0)]
        answer.headers.append(("content-encoding", "gzip"))
    chunks = b"".join(chunk(part) for part in parts) + b"0\r\n\r\n"
    return head(answer.status, [*answer.headers, ("transfer-encoding", "chunked")]) + chunks


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Because", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunk(part: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(part), part)


# -- faults


def status(code: int, **headers: str) -> Fault:
    """An error as the APIs write them. It asks for a retry after 1 ms, so that no test waits for the SDK's pauses."""
    body = b'{"type":"error","error":{"type":"some_error","message":"said so","code":"some_code"},"request_id":"req_e"}'
    ids = {"x_request_id": "req_e", "request_id": "req_e"}
    asked = {"content_type": "application/json", "retry_after_ms": "1", **ids, **headers}
    listed = [(name.replace("_", "-"), value) for name, value in asked.items()]
    return Fault(lambda _: [on_the_wire(Answer(body, code, listed))], keep=True)


def says(body: bytes, kind: str = "application/json", code: int = 200, **headers: str) -> Fault:
    """Any complete response."""
    listed = [("content-type", kind), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return Fault(lambda _: [on_the_wire(Answer(body, code, listed))], keep=True)


def hang_up() -> Fault:
    """The connection is closed once the request was read."""
    return Fault(lambda _: [])


def html() -> Fault:
    """A captive portal."""
    return says(b"<html><body>Welcome to the airport</body></html>", "text/html; charset=utf-8")


def cut_json() -> Fault:
    """Half an answer that claims to be whole."""
    return says(b'{"id":"chatcmpl-cut","object":"chat.completion","choices":[{"index":0,"mess')


def short(name: str = "origin") -> Fault:
    """Fewer bytes than `content-length` promised, then the end of the connection."""

    def parts(request: Seen) -> list[bytes]:
        answer = answer_to(request.method, request.path, request.target, request.body, name)
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return [head(200, [*answer.headers, ("content-length", str(len(body) + 100))]) + body]

    return Fault(parts)


def endless_headers() -> Fault:
    """A head that never ends (the client's limit ends it)."""

    def parts(_: Seen) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for n in range(_HUGE // 4096):
            yield b"x-endless-%d: " % n + b"a" * 4080 + b"\r\n"

    return Fault(parts)


def redirect(location: str, code: int = 307) -> Fault:
    return Fault(lambda _: [on_the_wire(Answer(b"", code, [("location", location)]))], keep=True)


def broken_stream(events: int = 2) -> Fault:
    """A stream that breaks off after some events: no terminating chunk."""

    def parts(request: Seen) -> list[bytes]:
        answer = answer_to(request.method, request.path, request.target, request.body, "broken")
        assert not isinstance(answer.body, bytes), "only a stream can break in the middle"
        begun = b"".join(chunk(part) for part in list(answer.body)[:events])
        return [head(200, [*answer.headers, ("transfer-encoding", "chunked")]) + begun]

    return Fault(parts)


def held(until: threading.Event, name: str = "origin") -> Fault:
    """The usual answer, but not before `until` is set."""

    def parts(request: Seen) -> Iterator[bytes]:
        assert until.wait(20), "nobody let the answer go"
        yield on_the_wire(answer_to(request.method, request.path, request.target, request.body, name))

    return Fault(parts, keep=True)


@contextmanager
def nobody() -> Iterator[str]:
    """The URL of a port that refuses: bound, so that nobody else gets it, but not listening."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
