"""Questions in several wordings, and a model that knows the answers: for the demonstration's third act. Opens a socket.

The wordings and answers are data of the package; the model is emulated: it looks up the topic that a question was made from.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

_BEFORE = ("", "", "", "Hi, ", "Hello! ", "please: ", "Quick question: ")
_AFTER = ("", "", "", " Thanks!", " please")
_SLIP, _BARE = 0.15, 0.3  # shares of questions with a letter missing, and without the question mark
_LAW = 0.5  # of Zipf: some topics are asked for far more often than others


@dataclass(frozen=True, slots=True)
class Wording:
    """One question as somebody words it, and the one right answer."""

    text: str
    answer: str


def draw(count: int, *, seed: int) -> list[Wording]:
    """So many questions: a topic by Zipf's law, one of its wordings, and how people write. Same seed, same questions."""
    rng = random.Random(seed)
    topics = json.loads((files(__package__) / "data" / "paraphrases.json").read_text("utf-8"))["topics"]
    rng.shuffle(topics)
    weights = [1 / (place + 1) ** _LAW for place in range(len(topics))]
    chosen = rng.choices(topics, weights, k=count)
    return [Wording(_worded(rng.choice(topic["asked"]), rng), topic["answer"]) for topic in chosen]


def _worded(text: str, rng: random.Random) -> str:
    before = rng.choice(_BEFORE)
    if before:
        text = before + text[0].lower() + text[1:]
    if rng.random() < _SLIP:
        at = rng.randrange(len(before) + 3, len(text) - 3)
        text = text[:at] + text[at + 1 :]
    return (text.rstrip("?") if rng.random() < _BARE else text) + rng.choice(_AFTER)


@contextmanager
def model(asked: Sequence[Wording]) -> Iterator[tuple[str, list[str]]]:
    """The base URL of a model on loopback that gives each of these its answer; and the questions that it was asked."""
    seen: list[str] = []
    handler = type("Handler", (_Model,), {"answers": {one.text: one.answer for one in asked}, "seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
        finally:
            server.shutdown()
            thread.join()


class _Model(BaseHTTPRequestHandler):
    """Chat completions, whole."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answers: Mapping[str, str]
    seen: list[str]

    def do_POST(self) -> None:
        asked: Any = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = asked["messages"][-1]["content"]
        self.seen.append(question)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.answers[question]},
            "finish_reason": "stop",
        }
        body = json.dumps(
            {
                "id": f"chatcmpl-{len(self.seen)}",
                "object": "chat.completion",
                "created": 0,
                "model": asked["model"],
                "choices": [choice],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }
        ).encode()
        self.send_response_only(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
