"""Embeddings of a list: each input has an entry of its own, and only what is not known is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.classifying import classify
from edgeclient.dialects import arrays, dialect_of
from edgeclient.pipeline import respond
from edgeclient.policies import Policies
from edgeclient.runtime.protocol import run_sync
from edgeclient.values import Call, Reply, Request

from .scripted import JSON_HEADERS, A, BrokenStore, Run, Scripted, both_ways, policies, request, says
from .test_pipeline import ask

FOUND = dialect_of("POST", "/embeddings")
assert FOUND is not None
DIALECT = FOUND[1]


def vector(asked: Any) -> list[float]:
    """Another one for each input."""
    return [float(len(asked)), *[float(sum(map(ord, str(asked)))) / n for n in (1, 3)]]


class Model:
    """Answers as the API does, and writes down what it was asked."""

    def __init__(self, **changed: Any) -> None:
        self.asked: list[Any] = []
        self.changed = changed

    def __call__(self, call: Call) -> Reply:
        said = call.body["input"]
        self.asked.append(said)
        inputs = said if isinstance(said, list) and not isinstance(said[0], int) else [said]
        data = [{"object": "embedding", "index": n, "embedding": vector(one)} for n, one in enumerate(inputs)]
        tokens = sum(map(len, inputs)) + 1
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        whole = {"object": "list", "data": data, "model": "e-1", "usage": usage, **self.changed}
        return Reply(200, [*JSON_HEADERS, (b"x-request-id", b"req_1")], json.dumps(whole).encode(), object())


def embed(said: Any, *headers: tuple[str, str], **body: Any) -> Request:
    return request("", *headers, path="/embeddings", model="e", input=said, **body)


def told(reply: Reply) -> tuple[list[Any], list[int], int, str, int]:
    assert reply.body is not None and reply.notes is not None
    answer = json.loads(reply.body)
    vectors, indexes = zip(*[(one["embedding"], one["index"]) for one in answer["data"]], strict=True)
    return list(vectors), list(indexes), answer["usage"]["prompt_tokens"], reply.notes.cache, reply.notes.known


def made(run: Run, **changed: Any) -> tuple[Policies, Scripted, Model]:
    model = Model(**changed)
    return policies(A), run.runtime(a=model), model


@both_ways
def test_only_what_is_not_known_is_sent(run: Run) -> None:
    edge, rt, model = made(run)
    assert told(ask(run, rt, edge, embed(["aa", "b"])))[3:] == ("miss", 0)
    found = told(ask(run, rt, edge, embed(["c", "aa", "ddd", "b", "c"])))
    assert model.asked == [["aa", "b"], ["c", "ddd"]]
    assert found[:2] == ([vector(one) for one in ("c", "aa", "ddd", "b", "c")], [0, 1, 2, 3, 4])
    assert found[3:] == ("miss", 3)
    again = ask(run, rt, edge, embed(["ddd", "b"]))
    assert told(again)[0] == [vector("ddd"), vector("b")] and told(again)[3] == "hit" and len(model.asked) == 2


@both_ways
@pytest.mark.parametrize("one", ["aa", [7, 8]], ids=["text", "tokens"])
def test_a_single_input_and_one_of_a_list_are_the_same_question(run: Run, one: Any) -> None:
    edge, rt, model = made(run)
    other = "b" if isinstance(one, str) else [9]
    ask(run, rt, edge, embed([one, other]))
    assert [told(ask(run, rt, edge, embed(said)))[3] for said in (one, [one], other)] == ["hit"] * 3
    edge, rt, model = made(run)
    ask(run, rt, edge, embed(one))
    assert told(ask(run, rt, edge, embed([other, one])))[3:] == ("miss", 1)
    assert model.asked == [one, [other]]


@both_ways
def test_usage_is_that_of_the_whole_when_the_whole_is_asked_again(run: Run) -> None:
    edge, rt, _ = made(run)
    texts = ["aaa", "bb", "cccccc", "d"]
    first, second = (told(ask(run, rt, edge, embed(texts))) for _ in range(2))
    assert first[2] == second[2] == 13 and second[3] == "hit"


@both_ways
@pytest.mark.parametrize(
    "body", [{"encoding_format": "base64"}, {"dimensions": 2}, {"model": "f"}, {"user": "u"}], ids=str
)
def test_other_parameters_are_other_questions(run: Run, body: dict[str, Any]) -> None:
    edge, rt, model = made(run)
    ask(run, rt, edge, embed(["aa", "b"]))
    other = (
        embed(["aa", "b"], **body)
        if "model" not in body
        else request("", path="/embeddings", input=["aa", "b"], **body)
    )
    assert told(ask(run, rt, edge, other))[3] == "miss" and len(model.asked) == 2


@both_ways
@pytest.mark.parametrize(
    "changed",
    [
        {"data": [{"object": "embedding", "index": 0, "embedding": [1.0]}]},
        {"data": [{"object": "embedding", "index": n, "embedding": [1.0]} for n in (1, 0)]},
        {"data": [{"object": "embedding", "index": n, "embedding": [1.0] * (n + 1)} for n in (0, 1)]},
        {"data": [{"object": "embedding", "index": 0, "embedding": [1.0]}, None]},
        {"data": [{"object": "embedding", "index": n, "embedding": []} for n in (0, 1)]},
        {"data": {}},
        {"object": "error"},
    ],
    ids=["too few", "another order", "other lengths", "none", "empty", "no list", "no answer"],
)
def test_an_odd_answer_is_given_as_it_is_and_not_stored(run: Run, changed: dict[str, Any]) -> None:
    edge, rt, model = made(run, **changed)
    replies = [ask(run, rt, edge, embed(["a", "b"])) for _ in range(2)]
    assert [json.loads(reply.body or b"") for reply in replies] == [
        json.loads(model(_call(["a", "b"])).body or b"")
    ] * 2
    assert model.asked[:2] == [["a", "b"]] * 2
    assert edge.store is not None and edge.store.usage() == (0, 0)


def _call(said: list[str]) -> Call:
    return classify(embed(said), policies(A))


@both_ways
@pytest.mark.parametrize(
    "changed",
    [
        {"model": "e-2"},
        {"data": [{"object": "embedding", "index": 0, "embedding": [1.0, 2.0, 3.0, 4.0]}]},
        {"data": [{"object": "embedding", "index": n, "embedding": [1.0]} for n in (0, 1)]},
    ],
    ids=["another model", "another length", "too many"],
)
def test_what_does_not_fit_what_is_known_is_asked_as_a_whole(run: Run, changed: dict[str, Any]) -> None:
    """Vectors of two models in one answer would be worse than none."""
    edge, rt, model = made(run)
    ask(run, rt, edge, embed(["a", "b"]))
    odd = Model(**changed)
    rt.answers["a"] = [odd, model]
    found = told(ask(run, rt, edge, embed(["a", "c"])))
    assert found[0] == [vector("a"), vector("c")] and odd.asked == [["c"]] and model.asked[-1] == ["a", "c"]
    assert edge.telemetry.mishaps() == {"embeddings in parts": 1}


@both_ways
@pytest.mark.parametrize("status", [400, 429, 503])
def test_an_error_is_given_as_it_comes(run: Run, status: int) -> None:
    edge, rt, _ = made(run)
    ask(run, rt, edge, embed(["a", "b"]))
    rt.answers = {"a": [says(status)], "origin": [says(status)]}
    assert ask(run, rt, edge, embed(["a", "c"])).status == status
    assert told(ask(run, rt, edge, embed(["a", "b"])))[3] == "hit"


@both_ways
@pytest.mark.parametrize("words", ["no-store", "no-cache"])
def test_who_wants_no_cache_sends_the_whole(run: Run, words: str) -> None:
    edge, rt, model = made(run)
    ask(run, rt, edge, embed(["a", "b"]))
    ask(run, rt, edge, embed(["a", "c", "a"], ("cache-control", words)))
    assert model.asked[-1] == ["a", "c", "a"]
    assert told(ask(run, rt, edge, embed("c")))[3] == ("hit" if words == "no-cache" else "miss")


@both_ways
def test_only_if_cached_needs_all_of_them(run: Run) -> None:
    edge, rt, _ = made(run)
    ask(run, rt, edge, embed(["a", "b"]))
    words = ("cache-control", "only-if-cached")
    assert [ask(run, rt, edge, embed(said, words)).status for said in (["a", "b"], ["a", "c"])] == [200, 504]


@both_ways
def test_a_hit_is_as_old_as_the_oldest_of_them(run: Run) -> None:
    edge, rt, _ = made(run)
    ask(run, rt, edge, embed("a"))
    rt.time += 100
    ask(run, rt, edge, embed("b"))
    rt.time += 10
    notes = ask(run, rt, edge, embed(["b", "a"])).notes
    assert notes is not None and (notes.age_s, notes.ttl_s) == (110.0, 3490.0)
    assert told(ask(run, rt, edge, embed(["b", "a"], ("cache-control", "max-age=50"))))[3:] == ("miss", 1)


@both_ways
def test_a_store_that_fails_sends_the_whole(run: Run) -> None:
    edge, model = policies(A, store=BrokenStore()), Model()
    rt = run.runtime(a=model)
    assert told(ask(run, rt, edge, embed(["a", "b"])))[0] == [vector("a"), vector("b")]
    assert model.asked == [["a", "b"]] and set(edge.telemetry.mishaps()) == {"cache load", "cache save"}


@pytest.mark.parametrize(
    "said", [[1, 2], [], ["a", 1], [["a"]], [[1], "a"], [[]], {"a": 1}, "a", None, [[True]]], ids=str
)
def test_what_is_no_list_of_inputs_is_one_question(said: Any) -> None:
    assert classify(embed(said), policies(A)).parts == () and arrays.inputs(DIALECT, {"input": said}) == []


def test_no_other_call_has_parts() -> None:
    assert classify(request("", path="/responses", input=["a", "b"]), policies(A)).parts == ()
    assert classify(request("", input=["a", "b"]), policies(A)).parts == ()


@given(
    said=st.lists(st.lists(st.sampled_from(["", "a", "b", "cc", "B"]), min_size=1, max_size=5), min_size=1, max_size=6)
)
def test_whatever_was_asked_before_the_answer_is_the_plain_one(said: list[list[str]]) -> None:
    edge, model = policies(A), Model()
    rt = Scripted(a=model)
    for texts in said:
        reply = run_sync(respond(classify(embed(texts), edge), edge, rt))
        assert told(reply)[:2] == ([vector(one) for one in texts], list(range(len(texts))))
    asked = [one for group in model.asked for one in group]
    assert len(asked) - len(set(asked)) <= sum(len(texts) - len(set(texts)) for texts in said)
