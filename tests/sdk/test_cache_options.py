"""What `Cache(...)` says beside modes, lifetimes and stores: as callers of both SDKs see it, sync and async."""

from __future__ import annotations

import json
import operator
from pathlib import Path
from typing import Any

import pytest
from recording import says
from shapes import ASK, CHAT, MESSAGE
from talking import Net, ask
from ways import each, settled

import edgeclient
from edgeclient import Cache
from edgeclient.runtime import common, tasks, threads

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


# -- temperature


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"temperature": 0}, ["miss", "hit"]),
        ({"temperature": 0.0, "top_p": 0.5}, ["miss", "hit"]),
        ({"temperature": 1, "seed": 7}, ["miss", "hit"]),
        ({}, ["bypass", "bypass"]),
        ({"temperature": 0.1}, ["bypass", "bypass"]),
        ({"temperature": False, "seed": None}, ["bypass", "bypass"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_a_cache_for_deterministic_calls_passes_all_others(
    net: Net, form: str, said: dict[str, Any], expected: list[str]
) -> None:
    client = net.client(net.edge("fra", cache=Cache("exact", temperature="deterministic")))
    asked = [await ask(client, form, extra_body=said) for _ in expected]
    assert [one.notes.cache for one in asked] == expected
    assert [one.notes.reason for one in asked] == ["temperature" if one == "bypass" else "" for one in expected]
    assert net.seen() == {"fra": 1 if "hit" in expected else 2}


async def test_the_answer_says_why_it_was_passed_by(net: Net) -> None:
    edge = net.edge("fra", cache=Cache("exact", temperature="deterministic"))
    said = await ask(net.client(edge), "raw")
    assert said.answer.headers["cache-status"] == "edgeclient; fwd=bypass; detail=temperature"
    assert edge.status().cache_entries == 0


async def test_what_samples_all_the_same_is_never_found_by_who_wants_none_of_it(net: Net) -> None:
    """Two edges, one store: an answer at temperature 1 is no answer at temperature 0, nor one to a call that is passed by."""
    edge = net.edge("fra", cache="exact")
    careful = net.edge("fra", cache=Cache("exact", temperature="deterministic"))
    careful.policies.store = edge.policies.store
    one, other = net.client(edge), net.client(careful)
    asked = [
        (await ask(who, extra_body=said)).notes.cache
        for said in ({"temperature": 1}, {"temperature": 0})
        for who in (one, other)
    ]
    assert asked == ["miss", "bypass", "miss", "hit"]


# -- usage


def zero(**said: Any) -> Cache:
    return Cache("exact", usage="zero", **said)


def numbers(said: Any) -> list[Any]:
    """All numbers in a part of an answer."""
    if hasattr(said, "model_dump"):
        said = said.model_dump()
    if isinstance(said, dict):
        said = list(said.values())
    if isinstance(said, list):
        return [number for one in said for number in numbers(one)]
    return [said] if type(said) in (int, float) else []


async def used(client: Any, form: str) -> tuple[list[Any], Any]:
    """What all objects of an answer say of their usage, in their order, and its notes."""
    if form == "embeddings":
        answer = await settled(client.embeddings.create(model="embed", input="one"))
    elif form.startswith("responses"):
        asked = {"model": "gpt-4o", "input": "How far is Frankfurt?", "stream": form.endswith("stream")}
        answer = await settled(client.responses.create(**asked))
    elif hasattr(client, "chat"):
        more: Any = {"stream": True, "stream_options": {"include_usage": True}} if form == "stream" else {}
        answer = await settled(client.chat.completions.create(**CHAT, **more))
    else:
        answer = await settled(client.messages.create(**MESSAGE, stream=form == "stream"))
    said = [one async for one in each(answer)] if form.endswith("stream") else [answer]
    holders = [
        *said,
        *[inner for one in said for name in ("message", "response") if (inner := getattr(one, name, None))],
    ]
    return [found for one in holders if (found := getattr(one, "usage", None)) is not None], edgeclient.notes(answer)


FORMS = {"openai": ["plain", "stream", "responses", "responses stream", "embeddings"], "anthropic": ["plain", "stream"]}


@pytest.mark.parametrize(("sdk", "form"), [(sdk, form) for sdk, forms in FORMS.items() for form in forms])
async def test_two_edges_over_one_store_have_their_own_view_of_what_an_answer_used(
    net: Net, form: str, tmp_path: Path
) -> None:
    store = f"sqlite:{tmp_path}/answers.db"
    first = net.client(net.edge("fra", cache=zero(store=store, budget_s=10.0)))
    original, notes = await used(first, form)
    assert notes.cache == "miss" and notes.original_usage is None and max(numbers(original)) > 0
    first._edge.close()
    as_it_was = net.client(net.edge("fra", cache=Cache("exact", store=store, budget_s=10.0)))
    as_zero = net.client(net.edge("fra", cache=zero(store=store, budget_s=10.0)))
    for _ in range(2):
        plain, told = await used(as_it_was, form)
        assert told.cache == "hit" and told.original_usage is None and told.avoided is None
        nothing, notes = await used(as_zero, form)
        assert notes.cache == "hit" and set(numbers(nothing)) == {0}
        assert [type(one) for one in nothing] == [type(one) for one in plain]
        assert [one.model_dump().keys() for one in nothing] == [one.model_dump().keys() for one in plain]
        assert notes.original_usage and set(numbers(notes.original_usage)) <= set(numbers(original))
        read, written = (2, 0) if form == "embeddings" else (5, 3)
        assert (notes.avoided.input_tokens, notes.avoided.output_tokens) == (read, written)
    assert net.seen() == {"fra": 1}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_details_of_any_depth_are_zero_and_words_stay(net: Net) -> None:
    details = {
        "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "cost": 0.5, "service_tier": "flex", "free": False,
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": None}, "iterations": [{"output_tokens": 3}],
    }  # fmt: skip
    message = {"index": 0, "message": {"role": "assistant", "content": "Far."}, "finish_reason": "stop"}
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [message],
        "usage": details,
    }
    net.endpoints["fra"].fail(says(json.dumps(answer).encode()))
    client = net.client(net.edge("fra", cache=zero()))
    await ask(client)
    said = (await ask(client)).answer.usage.model_dump()
    assert set(numbers(said)) == {0} and said["service_tier"] == "flex" and said["free"] is False
    assert said["completion_tokens_details"]["reasoning_tokens"] == 0 and said["iterations"] == [{"output_tokens": 0}]


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("way_name", ["threads"])
async def test_of_a_list_the_known_ones_count_nothing(net: Net) -> None:
    client = net.client(net.edge("fra", cache=zero()))
    of = [
        client.embeddings.create(model="embed", input=said).usage.total_tokens
        for said in (["a", "b"], ["b", "c"], ["c"])
    ]
    assert of == [2, 2, 0]  # "c" was sent alone, and the origin says 2 of each request


# -- what is asked about a prompt in place of an answer to it


ASIDES: list[tuple[str, str, dict[str, Any]]] = [
    ("openai", "moderations.create", {"input": "How far?", "model": "omni-moderation-latest"}),
    ("openai", "responses.input_tokens.count", {"model": "gpt-4o", "input": "How far?"}),
    ("anthropic", "messages.count_tokens", {"model": "claude-test", "messages": ASK}),
    ("anthropic", "beta.messages.count_tokens", {"model": "claude-test", "messages": ASK}),
]
asides = pytest.mark.parametrize(("sdk", "method", "said"), ASIDES, ids=[one[1] for one in ASIDES])


async def aside(client: Any, method: str, **said: Any) -> Any:
    return await settled(operator.attrgetter(method)(client)(**said))


@asides
async def test_asides_are_answered_again_and_go_where_they_went(net: Net, method: str, said: dict[str, Any]) -> None:
    edge = net.edge("fra", cache=Cache("exact", usage="zero", temperature="deterministic", ttl={said["model"]: 90}))
    client = net.client(edge)
    first, second = [await aside(client, method, **said) for _ in range(2)]
    notes = edgeclient.notes(second)
    assert (edgeclient.notes(first).cache, notes.cache, notes.route) == ("miss", "hit", "direct")
    assert notes.ttl_s <= 90 and notes.model == said["model"]
    assert type(first) is type(second) and first.model_dump(exclude={"id"}) == second.model_dump(exclude={"id"})
    if method == "moderations.create":
        assert first.id == notes.original_id == "modr-1" and second.id.startswith("modr-") and second.id != first.id
    another = {**said, "input": "How near?"} if "input" in said else {**said, "system": "Be brief."}
    for who, asks in ((client, another), (client.with_options(api_key="sk-of-another"), said)):
        assert edgeclient.notes(await aside(who, method, **asks)).cache == "miss"
    edge.invalidate(model=said["model"])
    assert edgeclient.notes(await aside(client, method, **said)).cache == "miss"
    assert net.seen() == {"origin": 4}


@asides
async def test_an_aside_that_is_no_answer_is_not_stored(net: Net, method: str, said: dict[str, Any]) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    for no_answer in (says(b"{}"), says(b'{"results": [], "input_tokens": null}'), says(b"[]")):
        net.origin.fail(no_answer)
        await settled(
            operator.attrgetter(method.rpartition(".")[0])(client).with_raw_response.__getattribute__(
                method.rpartition(".")[2]
            )(**said)
        )
    assert client._edge.status().cache_entries == 0


@asides
@pytest.mark.parametrize("settings", [{}, {"cache": "exact"}], ids=["without a cache", "with one"])
async def test_asides_obey_who_forbids_the_origin(
    net: Net, method: str, said: dict[str, Any], settings: dict[str, Any]
) -> None:
    client = net.client(net.edge("fra", origin="never", **settings))
    with pytest.raises(edgeclient.RouteError, match="no endpoint serves POST"):
        await aside(client, method, **said)
    assert net.seen() == {}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_what_is_counted_of_a_conversation_is_asked_each_time(net: Net) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    for _ in range(2):
        await aside(client, "responses.input_tokens.count", model="gpt-4o", conversation="conv_1", input="How far?")
    assert net.seen() == {"origin": 2}


# -- pace


class Clock:
    """Stands for the runtimes' clock and sleep: while a stream is read first, each look at it finds a quarter second gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.ticks, self.slept = 1000.0, True, list[float]()
        monkeypatch.setattr(common.DoorRuntime, "now", staticmethod(self.now))
        for runtime in (threads.ThreadRuntime, tasks.TaskRuntime):
            monkeypatch.setattr(runtime, "sleep", lambda _, seconds: self.sleep(seconds))

    def now(self) -> float:
        self.at += 0.25 if self.ticks else 0
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


async def texts_of(client: Any, form: str) -> tuple[list[str], Any]:
    """The pieces of text in which a stream comes, and its notes."""
    if form == "responses":
        answer = await settled(client.responses.create(model="gpt-4o", input="How far?", stream=True))
        events = [one async for one in each(answer)]
        return [one.delta for one in events if one.type == "response.output_text.delta"], edgeclient.notes(answer)
    if hasattr(client, "chat"):
        answer = await settled(client.chat.completions.create(**CHAT, stream=True))
        chunks = [one async for one in each(answer)]
        return [text for one in chunks if (text := one.choices[0].delta.content)], edgeclient.notes(answer)
    answer = await settled(client.messages.create(**MESSAGE, stream=True))
    events = [one async for one in each(answer)]
    return [one.delta.text for one in events if one.type == "content_block_delta"], edgeclient.notes(answer)


@pytest.mark.parametrize(("sdk", "form"), [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages")])
async def test_a_stream_comes_again_in_its_pieces_and_at_its_pace_where_that_is_wanted(
    net: Net, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, store = Clock(monkeypatch), f"sqlite:{tmp_path}/answers.db"
    recording = net.client(net.edge("fra", cache=Cache("exact", store=store, budget_s=10.0, pace="recorded")))
    first, notes = await texts_of(recording, form)
    assert notes.cache == "miss" and clock.slept == []
    recording._edge.close()
    clock.ticks = False
    for _ in range(2):  # out of the file, then out of memory
        again, notes = await texts_of(recording, form)
        assert notes.cache == "hit" and again == first
    assert clock.slept and set(clock.slept) <= {0.25 * n for n in range(1, 9)} and len(clock.slept) % 2 == 0
    slept = clock.slept.copy()
    at_once = net.client(net.edge("fra", cache=Cache("exact", store=store, budget_s=10.0)))
    whole, notes = await texts_of(at_once, form)
    assert notes.cache == "hit" and whole == ["".join(first)] and clock.slept == slept
    assert net.seen() == {"fra": 1}


async def test_who_leaves_a_paced_stream_ends_it(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    client = net.client(net.edge("fra", cache=Cache("exact", pace="recorded")))
    await texts_of(client, "")
    clock.ticks = False
    resource, said = (client.chat.completions, CHAT) if net.sdk == "openai" else (client.messages, MESSAGE)
    stream = await settled(resource.create(**said, stream=True))
    assert edgeclient.notes(stream).cache == "hit"
    async for _ in each(stream):
        break
    await settled(stream.close())
    assert sum(clock.slept) < 1 and (await texts_of(client, ""))[1].cache == "hit"
