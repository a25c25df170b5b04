"""The same call at the same time in threads and tasks of several processes: one of them asks, and all have the answer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("redis")

PATIENCE_S = 120.0
ANSWER = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "one"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip

# Says "ready", waits for a line, makes so many calls at once in threads and in tasks, and says what it got.
PROGRAM = """
import asyncio, json, sys, threading
from edgeclient import Cache, Edge, notes
origin, store, threads, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
streams = "stream" in sys.argv
edge = Edge(cache=Cache("exact", store=store, budget_s=30.0), flight_wait_s=60.0, stream_wait_s=60.0)
asked = dict(model="gpt-4o", messages=[{"role": "user", "content": "How many?"}], stream=streams)
said = []
def text_of(parts):
    return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
def note(answer, parts=()):
    text = text_of(parts) if streams else answer.choices[0].message.content
    said.append((text, notes(answer).cache))
def ask():
    answer = plain.chat.completions.create(**asked)
    note(answer, list(answer) if streams else ())
plain = edge.OpenAI(api_key="any", base_url=origin, max_retries=0, timeout=60)
async def several():
    async with edge.AsyncOpenAI(api_key="any", base_url=origin, max_retries=0, timeout=60) as client:
        async def one():
            answer = await client.chat.completions.create(**asked)
            note(answer, [part async for part in answer] if streams else ())
        await asyncio.gather(*[one() for _ in range(tasks)])
all_of_them = [threading.Thread(target=ask) for _ in range(threads)]
all_of_them.append(threading.Thread(target=lambda: asyncio.run(several())))
print("ready", flush=True)
sys.stdin.readline()
for thread in all_of_them: thread.start()
for thread in all_of_them: thread.join()
plain.close()
edge.close()
print(json.dumps([said, dict(edge.status().mishaps)]), flush=True)
"""


def _events(finish: str) -> bytes:
    """The same answer as a stream."""
    head = {**ANSWER, "object": "chat.completion.chunk", "usage": None}
    ends: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": "one"}, None), ({}, finish)]
    said = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in ends]
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in said) + b"data: [DONE]\n\n"


class Origin:
    """Answers after a while, and counts."""

    def __init__(self, finish: str = "stop") -> None:
        self.asked = 0
        lock = threading.Lock()
        answer = json.loads(json.dumps(ANSWER))
        answer["choices"][0]["finish_reason"] = finish
        body, events = json.dumps(answer).encode(), _events(finish)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler) -> None:
                asked = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
                with lock:
                    self.asked += 1
                time.sleep(0.5)  # as a model that thinks: long enough for the others to come
                said, kind = (events, "text/event-stream") if asked.get("stream") else (body, "application/json")
                handler.send_response(200)
                handler.send_header("content-type", kind)
                handler.send_header("content-length", str(len(said)))
                handler.end_headers()
                handler.wfile.write(said[:200])
                if asked.get("stream"):
                    time.sleep(0.2)
                handler.wfile.write(said[200:])

            def log_message(handler, *said: object) -> None: ...

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving(finish: str = "stop") -> Iterator[Origin]:
    origin = Origin(finish)
    try:
        yield origin
    finally:
        origin.close()


def fleet(
    origin: Origin, store: str, processes: int, threads: int, tasks: int, form: str = "plain"
) -> list[tuple[str, str]]:
    """What each call of all processes got."""
    said = [sys.executable, "-c", PROGRAM, origin.url, store, str(threads), str(tasks), form]
    running = [
        subprocess.Popen(said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found: list[tuple[str, str]] = []
        for process in running:
            answers, mishaps = json.loads(process.communicate(timeout=PATIENCE_S)[0])
            assert not mishaps
            found += [(content, cache) for content, cache in answers]
        return found
    finally:
        for process in running:
            process.kill()
            process.communicate()


def one_asks(store: str, processes: int, threads: int, tasks: int) -> None:
    calls = processes * (threads + tasks)
    with serving() as origin:
        found = fleet(origin, store, processes, threads, tasks)
        assert origin.asked == 1 and len(found) == calls
    assert sorted(found) == [("one", "hit")] * (calls - 1) + [("one", "miss")]


def one_streams(store: str, processes: int, threads: int, tasks: int) -> None:
    """Readers of the process that leads read along; those of the others have the answer that was stored."""
    calls = processes * (threads + tasks)
    with serving() as origin:
        found = fleet(origin, store, processes, threads, tasks, "stream")
        assert origin.asked == 1 and [text for text, _ in found] == ["one"] * calls
    assert sum(cache == "hit" for _, cache in found) >= (processes - 1) * (threads + tasks)


def test_processes_on_one_redis_ask_once(server: object) -> None:
    one_asks(f"redis://127.0.0.1:{server.port}", 4, 6, 6)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_thousand_calls_of_four_processes_on_one_redis_ask_once(server: object) -> None:
    one_asks(f"redis://127.0.0.1:{server.port}", 4, 125, 125)  # type: ignore[attr-defined]


def test_streams_of_processes_on_one_redis_ask_once(server: object) -> None:
    one_streams(f"redis://127.0.0.1:{server.port}", 3, 4, 4)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_thousand_streams_of_four_processes_on_one_redis_ask_once(server: object) -> None:
    one_streams(f"redis://127.0.0.1:{server.port}", 4, 125, 125)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_streams_of_processes_on_one_database_ask_once(postgres: object) -> None:
    one_streams(postgres.url, 2, 6, 6)  # type: ignore[attr-defined]


def test_processes_on_one_database_ask_once(postgres: object) -> None:
    one_asks(postgres.url, 2, 6, 6)  # type: ignore[attr-defined]


def test_processes_on_one_file_ask_once(tmp_path: Path) -> None:
    one_asks(f"sqlite:{tmp_path}/a.db", 2, 6, 6)


def test_nobody_waits_for_an_answer_that_may_not_be_kept(server: object) -> None:
    """Those who wait are let go together: they ask at the same time, not one after the other."""
    with serving(finish="length") as origin:
        found = fleet(origin, f"redis://127.0.0.1:{server.port}", 2, 2, 2)  # type: ignore[attr-defined]
        assert origin.asked == 8 and found == [("one", "miss")] * 8


@pytest.mark.slow
def test_no_process_waits_for_a_stream_that_may_not_be_kept(server: object) -> None:
    """Each process has one stream of its own, which all of its callers read."""
    with serving(finish="length") as origin:
        found = fleet(origin, f"redis://127.0.0.1:{server.port}", 2, 2, 2, "stream")  # type: ignore[attr-defined]
        assert origin.asked == 2 and found == [("one", "miss")] * 8
