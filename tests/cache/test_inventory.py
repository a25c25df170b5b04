"""The questions of stored answers: found again after a start, and by other processes; gone when their answers are."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers import until
from stores import Clock, Mishaps, sqlite_store

from edgeclient import Cache, Edge, notes
from edgeclient.cache import inventory
from edgeclient.cache.embedders import embedder
from edgeclient.cache.index import Index
from edgeclient.cache.index.pages import Page, Row, read, spelled
from edgeclient.cache.inventory import Inventory
from edgeclient.cache.later import Later
from edgeclient.cache.marks import EVERYTHING, Subject
from edgeclient.cache.reading import LONGEST
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.errors import StoreError
from edgeclient.values import Entry, Question

NOW = 1_800_000_000.0
NONE = embedder("none")

# -- two processes, on every kind of store

ASKED, ALIKE, OTHER = (
    "How do I reset my password?",
    "What do I do to reset my password?",
    "Where is the nearest branch?",
)
SAID: dict[str, Any] = {"semantic": "serve", "max_wrong_rate": 0.2, "audit_rate": 0.0, "embedder": "none"}
# Asks one thing, and ends without a word.
PROGRAM = """
import json, sys
from edgeclient import Cache, Edge
edge = Edge(cache=Cache("semantic", budget_s=10.0, **json.loads(sys.argv[3])))
client = edge.OpenAI(api_key="any", base_url=sys.argv[1], max_retries=0)
client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": sys.argv[2]}])
"""


class Origin:
    """Answers every question with itself, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler) -> None:
                question = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
                text = question["messages"][-1]["content"]
                self.asked.append(text)
                said = {"role": "assistant", "content": f"About: {text}"}
                answer = {
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
                    "choices": [{"index": 0, "finish_reason": "stop", "message": said}],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
                }  # fmt: skip
                body = json.dumps(answer).encode()
                handler.send_response(200)
                handler.send_header("content-type", "application/json")
                handler.send_header("content-length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *said: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "sealed sqlite", "redis", "postgres"])
def said(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of a store that two processes share."""
    if request.param == "redis":
        return {**SAID, "store": f"redis://127.0.0.1:{request.getfixturevalue('server').port}"}
    if request.param == "postgres":
        return {**SAID, "store": request.getfixturevalue("postgres").url}
    if request.param == "sqlite":
        return {**SAID, "store": f"sqlite:{tmp_path / 'answers.db'}"}
    pytest.importorskip("cryptography")
    monkeypatch.setenv("SEAL", "00" * 32)
    return {**SAID, "store": f"sqlite:{tmp_path / 'answers.db'}", "encryption": "env:SEAL"}


def ask(client: Any, text: str) -> Any:
    return notes(client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}]))


def test_a_new_process_answers_what_another_one_was_asked(said: dict[str, Any], origin: Origin, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, origin.url, ASKED, json.dumps(said)], check=True, timeout=60)
    with (
        Edge(cache=Cache("semantic", budget_s=10.0, **said)) as edge,
        Edge(cache=Cache("semantic", budget_s=10.0, **said)) as another,
        edge.OpenAI(api_key="any", base_url=origin.url, max_retries=0) as client,
    ):
        semantic = edge.policies.semantic
        assert semantic is not None
        assert ask(client, OTHER).cache == "miss"  # the first question has the others read
        until(lambda: semantic.index.usage()[0] == 2)
        served = ask(client, ALIKE)
        assert served.match is not None and served.match.tier == "semantic" and len(origin.asked) == 2
        if "encryption" in said:
            written = b"".join(file.read_bytes() for file in tmp_path.glob("answers.db*"))
            assert b"password" not in written
        another.invalidate(namespace="")
        count = itertools.count()

        def forgotten() -> bool:
            ask(client, f"{OTHER} {next(count)}")
            return ASKED not in _prompts(semantic)

        until(forgotten)
        assert ask(client, ALIKE).match is None


def _prompts(semantic: Any) -> set[str]:
    (partition,) = semantic.index.partitions() or ("",)
    return {near.reading.text for near in semantic.index.nearest(partition, NONE.embed([ASKED])[0], 100)}


def test_no_prompt_is_written_where_none_may_be(origin: Origin, tmp_path: Path) -> None:
    cache = Cache("semantic", store=f"sqlite:{tmp_path / 'answers.db'}", budget_s=10.0, keep_prompts=False, **SAID)
    with Edge(cache=cache) as edge, edge.OpenAI(api_key="any", base_url=origin.url, max_retries=0) as client:
        ask(client, ASKED.upper())
        assert edge.policies.inventory is None
    written = b"".join(file.read_bytes() for file in tmp_path.glob("answers.db*"))
    assert written.count(ASKED.upper().encode()) == 1  # in the answer, which repeats it


# -- several on one file


class Life:
    """One process's index and inventory. Its jobs run when it is told to."""

    def __init__(self, path: Path, fingerprint: str = "") -> None:
        self.clock = Clock()
        self.store: Guarded = sqlite_store(path, budget_s=5.0, clock=self.clock)
        self.index = Index(NONE, max_bytes=2**24)
        self.index.fingerprint = fingerprint or self.index.fingerprint
        self.mishaps = Mishaps()
        self.later = Later("test", self.mishaps)
        self.inventory = Inventory(self.index, self.store, self.later, NONE.dimensions)

    def ask(self, text: str, now: float = NOW, **said: Any) -> str:
        """A question that the model has answered."""
        key, vector = f"key of {text}", NONE.embed([text])[0]
        entry = Entry(key=key, body=b"{}", has_usage=False, stored_at=now, expires_at=now + 1000, model="m", **said)
        self.store.save(entry, now)
        self.index.add(key, "p", vector, text)
        self.inventory.add(Question("p", text, "serve"), vector, entry)
        return key

    def look(self, now: float) -> None:
        """Somebody asks; all that follows of it has happened."""
        self.clock.now += 10.0
        self.inventory.look("p", now)
        assert self.later.settle(30.0) and self.store.flush(30.0)

    def found(self) -> set[str]:
        return {kept.key for kept in self.index._partitions.get("p", ())}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Callable[..., Life]]:
    made: list[Life] = []

    def one(*said: Any) -> Life:
        made.append(Life(tmp_path / "cache.db", *said))
        return made[-1]

    yield one
    for one_life in made:
        assert one_life.later.settle(30.0)
        one_life.store.close()


def test_many_questions_are_read_again_a_page_at_a_time(life: Callable[..., Life]) -> None:
    first = life()
    asked = {first.ask(f"question number {n}", NOW + n / 100) for n in range(300)}
    first.look(NOW + 10)
    asked.add(first.ask("x" * LONGEST, NOW + 11))
    first.ask("x" * (LONGEST + 1), NOW + 11)
    first.look(NOW + 20)
    second = life()
    second.look(NOW + 21)
    assert second.found() == asked and not second.mishaps
    found = second.index.nearest("p", NONE.embed(["question number 7"])[0], 1)[0]
    assert found.reading.text == "question number 7" and found.cosine == pytest.approx(1.0, abs=0.01)
    second.look(NOW + 2000)
    assert life().found() == set()  # all expired


def test_what_another_one_overwrites_is_added_again(life: Callable[..., Life]) -> None:
    one, other = life(), life()
    mine = one.ask("is it mine?")
    assert one.later.settle(30.0) and one.store.flush(30.0)
    head = spelled(Page((_row("somebody's", NOW),)), NONE.fingerprint)
    kept = one.store.load(inventory._name("p"), NOW)
    assert kept is not None
    other.store.save(Entry(key=kept.key, body=head, has_usage=False, stored_at=NOW, expires_at=NOW + 99), NOW)
    assert other.store.flush(30.0)
    one.look(NOW + 8)
    other.look(NOW + 12)
    assert other.found() == {mine, "somebody's"} == one.found()


def test_a_question_goes_with_its_answer_and_not_because_a_store_was_slow(life: Callable[..., Life]) -> None:
    one, other = life(), life()
    gone, stays = one.ask("the first one"), one.ask("the second one")
    one.look(NOW + 3)
    other.look(NOW + 3)
    one.store.delete(gone)
    for key in (gone, stays):
        other.inventory.miss("p", key)
    assert one.store.flush(30.0)
    other.look(NOW + 8)
    assert other.found() == {stays}
    third = life()
    third.look(NOW + 12)
    assert third.found() == {stays}


def test_what_is_made_invalid_elsewhere_is_forgotten(life: Callable[..., Life]) -> None:
    one, other = life(), life()
    a, b, c = one.ask("about a", tags=("a",)), one.ask("about b", named="b"), one.ask("about c")
    one.look(NOW + 3)
    other.look(NOW + 3)
    assert other.found() == {a, b, c}
    one.store.invalidate(Subject(tag="a"), NOW + 1)
    other.look(NOW + 8)
    assert other.found() == {b, c}
    one.store.invalidate(Subject(key="b"), NOW + 9)
    other.look(NOW + 12)
    assert other.found() == {c}
    late = one.ask("a late one", NOW + 13)
    one.look(NOW + 14)
    one.store.invalidate(Subject(model="m"), NOW + 14.5)
    other.look(NOW + 18)
    assert other.found() == set()
    one.look(NOW + 19)
    assert late not in one.found() | other.found() and life().found() == set()


def test_who_clears_the_store_clears_all_that_know_of_it(life: Callable[..., Life]) -> None:
    one, other = life(), life()
    one.ask("anything")
    one.look(NOW + 3)
    other.look(NOW + 3)
    one.store.clear()
    one.store.invalidate(EVERYTHING, NOW + 1)
    for each in (one, other):
        each.look(NOW + 8)
        assert each.found() == set()
    third = life()
    third.look(NOW + 12)
    assert third.found() == set()


def test_vectors_of_another_embedder_are_never_taken(life: Callable[..., Life]) -> None:
    one, other = life(), life("another-1-512")
    one.ask("anything")
    one.look(NOW + 3)
    other.look(NOW + 3)
    assert other.found() == set() and not other.mishaps


def test_a_head_of_the_future_is_not_written_over(life: Callable[..., Life]) -> None:
    """Another machine's clock is ahead: what it wrote is not there yet, and not gone."""
    ahead, behind = life(), life()
    ahead.ask("from the future", NOW + 60)
    ahead.look(NOW + 60)
    behind.look(NOW)
    assert behind.mishaps["test"] >= 1 and isinstance(behind.mishaps.last["test"], StoreError)
    behind.look(NOW + 70)
    assert len(behind.found()) == 1


def test_the_end_writes_what_waits(life: Callable[..., Life]) -> None:
    one = life()
    one.ask("at once")
    assert one.later.settle(30.0)
    late = one.ask("just before the end", NOW + 0.5)
    one.inventory.close(NOW + 1)
    assert one.store.flush(30.0)
    other = life()
    other.look(NOW + 2)
    assert late in other.found() and len(other.found()) == 2


# -- pages


def _row(key: str, at: float) -> Row:
    return Row(key, f"text of {key} → 😀", at, at + 100, "", ("a", "b"), b"\0\x3c" + bytes(2 * NONE.dimensions - 2))


def test_a_page_is_read_as_it_was_written() -> None:
    page = Page((_row("a", 1.5), _row("b", 2.0)), (("older", 3.0),))
    assert read(spelled(page, "f"), "f", NONE.dimensions) == page and page.kept_until == 102.0


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0\0\0\2[]", b"\0\0\0\2{}", b"\xff" * 40, b"[" * 100_000),
        spelled(Page((_row("a", 1.0),)), "f")[:-1],
        spelled(Page((Row("a", "t", 1.0, 2.0, "", (), b""),)), "f"),
        spelled(Page(), "another"),
    ],
)
def test_what_is_no_page_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read(data, "f", NONE.dimensions)
