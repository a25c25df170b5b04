"""A server on loopback that speaks OpenAI's embeddings API: vectors of `embedders.none`, or what a test says instead."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edgeclient.cache.embedders.none import Hashed


class EmbeddingsServer:
    """`bodies` are the requests; `says` makes the answer's `data` of the vectors; `status`; `may` is cleared to hang."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.headers: list[set[str]] = []
        self.says: Callable[[list[dict[str, Any]]], Any] = lambda data: data
        self.status = 200
        self.may = threading.Event()
        self.may.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> EmbeddingsServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.may.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                server.headers.append({name.lower() for name in self.headers})
                server.keys.append(self.headers.get("Authorization"))
                server.may.wait(20)
                rows = Hashed().embed(body["input"]).tolist()
                data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
                answer = {"object": "list", "model": body["model"], "data": server.says(data)}
                answer["usage"] = {"prompt_tokens": 1, "total_tokens": 1}
                content = json.dumps(answer).encode()
                self.send_response(server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *said: object) -> None:
                pass

        return Handler
