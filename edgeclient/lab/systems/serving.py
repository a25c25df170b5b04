"""Serves an emulator on loopback, in threads of this process. Opens sockets."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edgeclient.lab.systems.emulator import Emulator, Heard


class Serving:
    """A running emulator: `url` is scheme, host and port."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        handler = type("Handler", (_Handler,), {"emulator": emulator})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None: ...  # a client that left: its right


class _Handler(BaseHTTPRequestHandler):
    emulator: Emulator
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None: ...

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.emulator.hear(Heard(self.command, self.path, headers, raw, _object(raw)))
        self.send_response_only(said.status)
        for name, value in said.headers:
            self.send_header(name, value)
        if said.events:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for event in (*said.events, b""):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                self.wfile.flush()
            return
        self.send_header("content-length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)
        self.wfile.flush()


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
