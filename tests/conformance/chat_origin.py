"""An origin on loopback that speaks chat completions, counts what it is asked, and says what it is told to. Opens sockets."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


class ChatOrigin:
    """Every answer has its own number in it, so that an answer out of a cache is told from a new one."""

    def __init__(self) -> None:
        self.count = 0
        self.status = 200
        self.finish = "stop"
        self.empty = False
        self.breaks = False  # streams end in the middle
        self.slow_s = 0.0
        self.filler = 0  # bytes that say nothing, within a stream
        self._rest = threading.Event()  # streams go on after their first text
        self._rest.set()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"origin": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def next(self) -> int:
        with self._lock:
            self.count += 1
            return self.count

    def hold(self) -> threading.Event:
        """Have streams stop after their first text, until what this gives is set."""
        self._rest = threading.Event()
        return self._rest

    def wait_for_rest(self) -> None:
        self._rest.wait(20.0)

    def close(self) -> None:
        self._rest.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> ChatOrigin:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None: ...


class _Handler(BaseHTTPRequestHandler):
    origin: ChatOrigin
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = self.origin.next()
        time.sleep(self.origin.slow_s)  # long enough for others to ask the same meanwhile
        if self.origin.status != 200:
            return self._whole({"error": {"message": "no", "type": "error", "code": None}}, self.origin.status)
        head = {"id": f"chatcmpl-{number}", "created": 1_700_000_000 + number, "model": asked["model"]}
        pieces = [] if self.origin.empty else ["This is ", "answer ", f"number {number}."]
        if asked.get("stream"):
            return self._stream(head, pieces, "stream_options" in asked)
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self.origin.finish}
        return self._whole({**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE}, 200)

    def log_message(self, format: str, *args: Any) -> None: ...

    def _whole(self, body: dict[str, Any], status: int) -> None:
        content = json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, head: dict[str, Any], pieces: list[str], with_usage: bool) -> None:
        self.send_response_only(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces), {}]
        for delta in deltas[:2] if self.origin.breaks else deltas:
            ends = self.origin.finish if not delta else None
            choice = {"index": 0, "delta": delta, "finish_reason": ends}
            self._part({**head, "choices": [choice]})
            if delta.get("content"):
                self.origin.wait_for_rest()
                for _ in range(0, self.origin.filler, 2**16):
                    self._line(b": %s\n\n" % (b"x" * 2**16))
                self.origin.filler = 0
        if self.origin.breaks:
            self.close_connection = True
            return
        if with_usage:
            self._part({**head, "choices": [], "usage": _USAGE})
        self._line(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _part(self, event: dict[str, Any]) -> None:
        self._line(b"data: " + json.dumps({**event, "object": "chat.completion.chunk"}).encode() + b"\n\n")

    def _line(self, line: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()
