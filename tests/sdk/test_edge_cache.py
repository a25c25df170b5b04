"""The exact cache and single flight behind both SDKs: what is answered from it, what is stored, what goes its own way."""

from __future__ import annotations

import threading
from typing import Any

import anthropic
import anyio
import anyio.lowlevel
import httpx
import httpx2
import openai
import pytest
import recording
import ways
from recording import Origin
from shapes import CHAT, MESSAGE
from talking import FORMS, Net, ask, text_of_stream
from ways import each, entered, settled

import edgeclient
from edgeclient.cache.flights import Flight

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]


@pytest.fixture(params=["threads", "asyncio", "trio"])
def way_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(net: Net) -> Any:
    return net.client(net.edge("fra", cache="exact"))


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
async def test_one_entry_answers_every_form(net: Net, client: Any, first: str, second: str) -> None:
    assert [(await ask(client, form)).text for form in (first, second, first)] == ["hello from fra"] * 3
    assert net.seen() == {"fra": 1}


async def test_a_hit_is_the_same_answer_with_a_new_id(net: Net, client: Any) -> None:
    first, second = (await ask(client)).answer, await ask(client)
    hit = second.answer
    assert type(hit) is type(first) and hit.id != first.id and second.notes.original_id == first.id
    assert {**hit.model_dump(), "id": 0, "created": 0} == {**first.model_dump(), "id": 0, "created": 0}
    assert hit._request_id == first._request_id == "req_1"


async def test_a_hit_streams_as_the_helper_expects(net: Net, client: Any) -> None:
    await ask(client)
    manager = client.chat.completions.stream(**CHAT) if net.sdk == "openai" else client.messages.stream(**MESSAGE)
    async with entered(manager) as stream:
        async for _ in each(stream):
            pass
        final = stream.get_final_completion() if net.sdk == "openai" else stream.get_final_message()
        final = await settled(final)
    assert "hello from fra" in str(final) and net.seen() == {"fra": 1}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_stream_without_usage_does_not_answer_who_wants_it(net: Net, client: Any) -> None:
    plain_stream = await settled(client.chat.completions.create(**CHAT, stream=True))
    assert await text_of_stream(plain_stream) == "hello from fra"
    again = await settled(client.chat.completions.create(**CHAT, stream=True))
    assert await text_of_stream(again) == "hello from fra" and net.seen() == {"fra": 1}
    assert (await ask(client)).answer.usage.total_tokens == 8
    assert net.seen() == {"fra": 2}


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_responses_and_embeddings_are_cached(net: Net, client: Any, form: str) -> None:
    async def respond() -> Any:
        made = await settled(client.responses.create(model="gpt-4o", input="hi", stream=form == "stream"))
        return [event async for event in each(made)][-1].response if form == "stream" else made

    answers = [await respond(), await respond()]
    assert [answer.output_text for answer in answers] == ["hello from fra"] * 2
    vectors = [await settled(client.embeddings.create(model="e", input="a")) for _ in range(2)]
    assert [vector.data[0].embedding for vector in vectors] == [[0.5, -0.25, 0.125]] * 2
    assert net.seen() == {"fra": 2}


@pytest.mark.parametrize("form", FORMS)
async def test_zipped_answers_are_stored_and_handed_on(net: Net, form: str) -> None:
    with Origin("zipped", zipped=True) as server:
        edge = net.edge(edgeclient.Endpoint(name="zipped", **net.urls(server.url)), cache="exact")
        client = net.client(edge)
        assert (await ask(client, form)).text == "hello from zipped"
        seen = len(server.seen)
        # a zipped stream that the SDK leaves at its closing event was never seen whole: then it is asked for again
        said = await ask(client)
        assert (said.text, said.notes.cache) == ("hello from zipped", "hit" if len(server.seen) == seen else "miss")
        if form != "stream":
            assert len(server.seen) == 1


async def test_another_key_is_another_caller(net: Net, client: Any) -> None:
    await ask(client)
    other = client.with_options(api_key="sk-another")
    assert (await ask(other)).notes.cache == "miss"
    assert net.seen() == {"fra": 2}


_OTHER_WORDS: list[dict[str, Any]] = [
    {"question": "How far is Paris?"},
    {"model": "other"},
    {"max_tokens": 65},
    {"extra_body": {"z": 1}},
    {"extra_query": {"q": "1"}},
    {"extra_headers": {"X-Tenant": "7"}},
]


@pytest.mark.parametrize("words", _OTHER_WORDS, ids=lambda words: next(iter(words)))
async def test_what_can_change_an_answer_is_another_question(net: Net, client: Any, words: dict[str, Any]) -> None:
    await ask(client)
    assert (await ask(client, **words)).notes.cache == "miss"
    assert (await ask(client, **words)).notes.cache == "hit"
    assert net.seen() == {"fra": 2}


_SAME: list[dict[str, Any]] = [
    {"extra_headers": {"traceparent": "00-1-2-01"}},
    {"extra_headers": {"X-Request-Id": "1"}},
    {"extra_headers": {"Idempotency-Key": "1"}},
    {"timeout": 3.0},
]


@pytest.mark.parametrize("words", _SAME, ids=lambda words: str(next(iter(words.values()))))
async def test_what_cannot_change_it_is_the_same_question(net: Net, client: Any, words: dict[str, Any]) -> None:
    await ask(client)
    assert (await ask(client, **words)).notes.cache == "hit"


def says(words: str) -> dict[str, Any]:
    return {"extra_headers": {"Cache-Control": words}}


@pytest.mark.parametrize("form", FORMS)
async def test_no_store_neither_asks_nor_keeps(net: Net, client: Any, form: str) -> None:
    assert (await ask(client, form, **says("no-store"))).notes.cache in ("off", "bypass")
    assert (await ask(client, form)).notes.cache == "miss"
    await ask(client, form, **says("no-store"))
    assert net.seen() == {"fra": 3}


@pytest.mark.parametrize("form", FORMS)
async def test_no_cache_refreshes(net: Net, client: Any, form: str) -> None:
    await ask(client, form)
    assert (await ask(client, form, **says("no-cache"))).notes.cache == "bypass"
    assert (await ask(client, form)).notes.cache == "hit"
    assert net.seen() == {"fra": 2}


async def test_max_age_wants_a_young_answer(net: Net, client: Any) -> None:
    await ask(client)
    assert (await ask(client, **says("max-age=1000"))).notes.cache == "hit"
    assert (await ask(client, **says("max-age=0"))).notes.cache == "miss"


@pytest.mark.parametrize("form", FORMS)
async def test_only_if_cached_sends_nothing(net: Net, client: Any, form: str) -> None:
    with pytest.raises(ways.SDKS[net.sdk].APIStatusError) as caught:
        await ask(client.with_options(max_retries=2), form, **says("only-if-cached"))
    assert caught.value.status_code == 504 and net.seen() == {}
    await ask(client)
    assert (await ask(client, form, **says("only-if-cached"))).notes.cache == "hit"


@pytest.mark.parametrize("cache", ["off", "exact"])
async def test_a_refresh_is_one_at_the_endpoint_too(net: Net, cache: str) -> None:
    client = net.client(net.edge("fra", cache=cache))
    await ask(client, extra_headers={"Cache-Control": "no-cache", "Edge-Something": "1", "X-Other": "1"})
    (request,) = net.endpoints["fra"].take()
    assert request.header("cache-control") == "no-cache"
    assert request.header("edge-something") is None
    assert request.header("x-other") == "1"


@pytest.mark.parametrize(
    ("words", "sent"),
    [("no-store", "no-store"), ("max-age=60, x-y=1", "max-age=60"), ("stale-if-error=9", None), ("x-y=1", None)],
)
async def test_only_words_that_a_cache_behind_knows_are_passed_on(net: Net, words: str, sent: str | None) -> None:
    client = net.client(net.edge("fra", cache="exact"))
    await ask(client, **says(words))
    (request,) = net.endpoints["fra"].take()
    assert request.header("cache-control") == sent


@pytest.mark.parametrize("cache", ["off", "exact"])
async def test_the_providers_own_origin_hears_them_only_while_the_cache_is_off(net: Net, cache: str) -> None:
    client = net.client(net.edge(cache=cache))
    await ask(client, **says("no-cache"))
    (request,) = net.origin.take()
    assert request.header("cache-control") == (None if cache == "exact" else "no-cache")


async def test_an_origin_that_the_user_chose_hears_them(net: Net) -> None:
    client = net.direct(net.edge(cache="exact"), net.endpoints["nyc"])
    assert [(await ask(client, **says(words))).notes.cache for words in ("no-cache", "max-age=60")] == ["bypass", "hit"]
    (request,) = net.endpoints["nyc"].take()
    assert request.header("cache-control") == "no-cache"


async def test_what_another_cache_had_is_as_old_here_as_there(net: Net, client: Any) -> None:
    net.endpoints["fra"].extra_headers = [("Cache-Status", "edge-pop; hit; ttl=900"), ("Age", "100")]
    first = (await ask(client)).notes
    assert (first.upstream_cache, first.upstream_age_s, first.stored) == ("hit", 100.0, True)
    assert first.ttl_s == 900.0
    hit = (await ask(client)).notes
    assert hit.cache == "hit" and hit.age_s >= 100 and hit.ttl_s <= 900
    assert (await ask(client, **says("max-age=99"))).notes.cache == "miss"


async def test_answers_that_are_not_complete_are_not_stored(net: Net, client: Any) -> None:
    body = {
        "openai": b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"cut"},"finish_reason":"length"}]}',
        "anthropic": b'{"id":"1","type":"message","role":"assistant","model":"m","content":[{"type":"text",'
        b'"text":"cut"}],"stop_reason":"max_tokens","usage":{"input_tokens":1,"output_tokens":1}}',
    }[net.sdk]
    net.endpoints["fra"].fail(recording.says(body))
    assert [(await ask(client)).text for _ in range(3)] == ["cut", "hello from fra", "hello from fra"]
    assert net.seen() == {"fra": 2}


@pytest.mark.parametrize("form", ["plain", "stream"])
@pytest.mark.parametrize("code", [400, 404, 429, 500])
async def test_errors_are_not_stored(net: Net, client: Any, code: int, form: str) -> None:
    net.endpoints["fra"].fail(recording.status(code))
    net.origin.fail(recording.status(code))
    with pytest.raises(ways.SDKS[net.sdk].APIStatusError):
        await ask(client, form)
    assert (await ask(client, form)).notes.cache == "miss"


# -- streams that do not end

# older SDKs let the HTTP package's own error through
BROKEN = (openai.APIConnectionError, anthropic.APIConnectionError, httpx.HTTPError, httpx2.HTTPError)


async def open_stream(client: Any) -> Any:
    if hasattr(client, "chat"):
        asked = {**CHAT, "stream_options": {"include_usage": True}}
        return await settled(client.chat.completions.create(**asked, stream=True))
    return await settled(client.messages.create(**MESSAGE, stream=True))


async def test_a_stream_that_its_reader_breaks_off_is_not_stored(net: Net, client: Any) -> None:
    stream = await open_stream(client)
    async with entered(stream):
        await anext(stream) if hasattr(stream, "__anext__") else next(stream)
    assert (await ask(client)).notes.cache == "miss"
    assert client._edge.status().endpoints[0].failures == 0


async def test_a_stream_that_breaks_raises_what_the_plain_sdk_raises(net: Net, client: Any) -> None:
    raised = []
    for one, server in ((net.client(ways.SDKS[net.sdk]), net.origin), (client, net.endpoints["fra"])):
        server.fail(recording.broken_stream(3))
        with pytest.raises(BROKEN) as caught:
            await text_of_stream(await open_stream(one))
        raised.append((type(caught.value), str(caught.value), type(caught.value.__cause__)))
    assert raised[0] == raised[1]


async def test_a_stream_that_breaks_is_not_stored_and_counts_for_its_pop(net: Net, client: Any) -> None:
    net.endpoints["fra"].fail(recording.broken_stream(3))
    with pytest.raises(BROKEN):
        await text_of_stream(await open_stream(client))
    status = client._edge.status()
    assert status.endpoints[0].failures == 1
    assert status.counts["broken streams"] == 1
    assert status.cache_entries == 0
    assert (await ask(client)).notes.cache == "miss"


async def test_a_stream_that_began_is_not_started_again_elsewhere(net: Net) -> None:
    net.endpoints["fra"].fail(recording.broken_stream(3))
    client = net.client(net.edge("fra", "nyc", cache="exact"), max_retries=2)
    with pytest.raises(BROKEN):
        await text_of_stream(await open_stream(client))
    assert net.seen() == {"fra": 1}


# -- single flight

_AT_ONCE = 20


class Crowd:
    """Lets the held answer go once so many callers wait for it, or once a second request has come (then all is lost)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let_go = threading.Event()
        self._lock = threading.Lock()
        self._waiting = 0
        original = Flight.when_landed

        def when_landed(flight: Flight, wake: Any) -> None:
            original(flight, wake)
            with self._lock:
                self._waiting += 1
                if self._waiting == _AT_ONCE - 1:
                    self.let_go.set()

        monkeypatch.setattr(Flight, "when_landed", when_landed)

    def answers(self) -> list[recording.Fault]:
        def at_once(request: recording.Seen) -> list[bytes]:
            self.let_go.set()
            return list(recording.held(self.let_go, "fra").parts(request))

        return [recording.held(self.let_go, "fra"), *[recording.Fault(at_once, keep=True)] * _AT_ONCE]


async def at_once(way_name: str, question: Any) -> list[Any]:
    """Run `question()` so often at the same time, in threads or in tasks."""
    found: list[Any] = []

    async def one() -> None:
        found.append(await question())

    def in_thread() -> None:
        steps = one()
        try:
            steps.send(None)
        except StopIteration:
            return
        raise AssertionError("a scenario with a sync client suspended")

    if way_name == "threads":
        threads = [threading.Thread(target=in_thread) for _ in range(_AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        async with anyio.create_task_group() as group:
            for _ in range(_AT_ONCE):
                group.start_soon(one)
    return found


async def test_the_same_calls_at_once_are_one_request(
    net: Net, client: Any, way_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.endpoints["fra"].fail(*Crowd(monkeypatch).answers())
    said = await at_once(way_name, lambda: ask(client))
    assert [one.text for one in said] == ["hello from fra"] * _AT_ONCE
    assert net.seen() == {"fra": 1}
    assert sorted(one.notes.cache for one in said) == ["hit"] * (_AT_ONCE - 1) + ["miss"]
    assert sum(one.notes.collapsed for one in said) == _AT_ONCE - 1
    assert len({one.answer.id for one in said}) == _AT_ONCE


async def test_followers_of_an_answer_that_is_not_stored_go_on_their_own(
    net: Net, client: Any, way_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(monkeypatch)

    def refused(request: recording.Seen) -> list[bytes]:
        assert crowd.let_go.wait(20)
        return list(recording.status(400).parts(request))

    net.endpoints["fra"].fail(recording.Fault(refused, keep=True))

    async def question() -> str:
        try:
            return (await ask(client)).text
        except ways.SDKS[net.sdk].BadRequestError:
            return "bad request"

    said = await at_once(way_name, question)
    assert sorted(said) == ["bad request"] + ["hello from fra"] * (_AT_ONCE - 1)


async def test_different_calls_at_once_do_not_wait_for_each_other(net: Net, client: Any, way_name: str) -> None:
    numbers = iter(range(_AT_ONCE))
    gate = threading.Barrier(_AT_ONCE)

    def together(request: recording.Seen) -> list[bytes]:
        gate.wait(20)  # all of them are here, or the test fails
        return list(recording.held(_set(), "fra").parts(request))

    net.endpoints["fra"].always = recording.Fault(together, keep=True)
    said = await at_once(way_name, lambda: ask(client, question=f"number {next(numbers)}"))
    assert len(said) == _AT_ONCE == net.seen()["fra"]


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@pytest.mark.parametrize("way_name", ["asyncio", "trio"])
async def test_a_leader_that_is_cancelled_releases_its_followers(
    net: Net, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, never = threading.Event(), threading.Event()
    followed = anyio.Event()
    original = Flight.when_landed

    def when_landed(flight: Flight, wake: Any) -> None:
        original(flight, wake)
        followed.set()

    monkeypatch.setattr(Flight, "when_landed", when_landed)

    def stuck(request: recording.Seen) -> Any:
        arrived.set()
        never.wait(20)
        return []

    net.endpoints["fra"].fail(recording.Fault(stuck))
    texts: list[str] = []

    async def follow() -> None:
        texts.append((await ask(client)).text)

    async with anyio.create_task_group() as group, anyio.create_task_group() as leading:
        leading.start_soon(ask, client)
        while not arrived.is_set():
            await anyio.lowlevel.checkpoint()
        group.start_soon(follow)
        await followed.wait()
        leading.cancel_scope.cancel()
    never.set()
    assert texts == ["hello from fra"]


def test_threads_and_tasks_share_a_flight(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync client in a thread leads; an async client of the same edge follows."""
    edge = edgeclient.Edge(cache="exact")
    led, followed = threading.Event(), threading.Event()
    original = Flight.when_landed

    def when_landed(flight: Flight, wake: Any) -> None:
        original(flight, wake)
        followed.set()

    monkeypatch.setattr(Flight, "when_landed", when_landed)

    def parts(request: recording.Seen) -> Any:
        led.set()
        yield from recording.held(followed).parts(request)

    origin.fail(recording.Fault(parts, keep=True))

    def lead() -> None:
        with edge.OpenAI(base_url=origin.v1) as client:
            client.chat.completions.create(**CHAT)

    async def follow() -> Any:
        async with edge.AsyncOpenAI(base_url=origin.v1) as client:
            return edgeclient.notes(await client.chat.completions.create(**CHAT))

    leader = threading.Thread(target=lead)
    leader.start()
    assert led.wait(20)
    notes = anyio.run(follow)
    leader.join()
    assert (notes.cache, notes.collapsed) == ("hit", True)
    assert len(origin.take()) == 1
