"""The embedder that asks an endpoint, through clients of an edge: what it sends, and what it does with any answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from embeddings_server import EmbeddingsServer
from stores import Mishaps

from edgeclient import Edge
from edgeclient.cache.embedders import Embedder, Vectors, remote_embedder
from edgeclient.cache.embedders.none import Hashed
from edgeclient.errors import SettingsError

PATIENCE_S = 20.0


@pytest.fixture
def server() -> Iterator[EmbeddingsServer]:
    with EmbeddingsServer() as one:
        yield one


@pytest.fixture
def remote(server: EmbeddingsServer) -> Iterator[Embedder]:
    with Edge(cache="exact") as edge, edge.OpenAI(api_key="embedding-key", base_url=server.url) as client:
        yield remote_embedder(client, "tiny", dimensions=512)


def test_vectors_are_those_of_the_endpoint(remote: Embedder, server: EmbeddingsServer) -> None:
    texts = ["how do I reset my password", " ", "a recipe for soup"]
    first, blank, last = remote.embed(texts)
    wanted = Hashed().embed(texts)
    assert first == pytest.approx(wanted[0].tolist(), abs=1e-5)
    assert last == pytest.approx(wanted[2].tolist(), abs=1e-5)
    assert set(blank) == {0.0}
    (body,) = server.bodies
    assert body == {"model": "tiny", "input": [texts[0], texts[2]], "encoding_format": "float"}
    assert server.keys == ["Bearer embedding-key"]
    assert "cache-control" in server.headers[0]  # `no-store`: to our own client, and to any cache behind it


def test_many_texts_go_in_several_calls(remote: Embedder, server: EmbeddingsServer) -> None:
    assert len(remote.embed([f"text {number}" for number in range(130)])) == 130
    assert [len(body["input"]) for body in server.bodies] == [64, 64, 2]


def test_answers_are_taken_by_their_index_and_made_of_length_one(remote: Embedder, server: EmbeddingsServer) -> None:
    def turned(data: list[dict[str, Any]]) -> Any:
        return [{**one, "embedding": [3 * number for number in one["embedding"]]} for one in reversed(data)]

    server.says = turned
    rows = remote.embed(["lost card", "soup"])
    for row, wanted in zip(rows, Hashed().embed(["lost card", "soup"]), strict=True):
        assert row == pytest.approx(wanted.tolist(), abs=1e-5)


def replaced(embedding: Any) -> Any:
    return lambda data: [{**one, "embedding": embedding} for one in data]


RUBBISH: list[Any] = [
    replaced([0.1] * 3),  # another dimension
    replaced([0.25] * 512),  # constant
    replaced([0.0] * 512),
    replaced([1e400, *[0.1] * 511]),  # json writes Infinity
    replaced([]),
    replaced(None),
    replaced("a string"),
    lambda data: [],
    lambda data: data * 2,
    lambda data: None,
    lambda data: [{**one, "index": 7} for one in data],
]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=map(str, range(len(RUBBISH))))
def test_rubbish_is_no_vector_and_counted(remote: Embedder, server: EmbeddingsServer, rubbish: Any) -> None:
    mishaps = Mishaps()
    vectors = Vectors(remote, mishap=mishaps, budget_s=PATIENCE_S)
    server.says = rubbish
    assert vectors.vector("hello") is None
    assert sum(mishaps.values()) == 1
    server.says = lambda data: data
    assert vectors.vector("hello") is not None


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_an_error_is_asked_once_and_counted(remote: Embedder, server: EmbeddingsServer, status: int) -> None:
    mishaps = Mishaps()
    server.status = status
    assert Vectors(remote, mishap=mishaps, budget_s=PATIENCE_S).vector("hello") is None
    assert mishaps == {"semantic embedding": 1}
    assert len(server.bodies) == 1


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_one_that_hangs_is_left_and_its_vector_is_there_later(
    remote: Embedder, server: EmbeddingsServer, way: str
) -> None:
    mishaps = Mishaps()
    vectors = Vectors(remote, mishap=mishaps)
    assert remote.budget_s == 0.025
    server.may.clear()
    found = vectors.vector("hello") if way == "threads" else asyncio.run(vectors.vector_async("hello"))
    assert found is None
    assert mishaps == {"semantic embedding timeout": 1}
    server.may.set()
    pause = threading.Event()
    for _ in range(2000):
        if vectors.known("hello") is not None:
            break
        pause.wait(0.01)
    assert vectors.known("hello") == pytest.approx(Hashed().embed(["hello"])[0].tolist(), abs=1e-5)


def test_a_server_that_is_not_there_is_counted() -> None:
    with EmbeddingsServer() as gone:
        pass
    mishaps = Mishaps()
    with Edge() as edge, edge.OpenAI(api_key="k", base_url=gone.url) as client:
        one = remote_embedder(client, "tiny", dimensions=512)
        assert Vectors(one, mishap=mishaps, budget_s=PATIENCE_S).vector("hello") is None
    assert mishaps == {"semantic embedding": 1}


def made(model: str, dimensions: int | None = None) -> Embedder:
    with Edge() as edge:
        return remote_embedder(edge.OpenAI(api_key="k"), model, dimensions=dimensions)


def test_dimensions_are_known_or_said() -> None:
    assert made("text-embedding-3-small").dimensions == 1536
    assert made("text-embedding-3-small", 256).dimensions == 256
    assert made("text-embedding-3-small", 256).fingerprint != made("text-embedding-3-small").fingerprint
    for model, dimensions, said in [
        ("mine", None, "how many numbers a vector of 'mine' has is not known; set its dimensions"),
        ("@cf/baai/bge-small-en-v1.5", 512, "have 384 numbers, not 512"),
        ("mine", 1, "dimensions=1 of 'mine' is not between"),
    ]:
        with pytest.raises(SettingsError, match=said):
            made(model, dimensions)


def test_shorter_vectors_are_asked_for(server: EmbeddingsServer) -> None:
    with Edge() as edge, edge.OpenAI(api_key="k", base_url=server.url) as client:
        one = remote_embedder(client, "text-embedding-3-small", dimensions=256)
        one.embed(["hello"])
    assert server.bodies[0]["dimensions"] == 256
