"""One live stream and its many readers, through the real SDKs: one request, the same bytes for all, nobody held up or cut.

The origin sends each part when the test lets it (`Parts`), so what is under way when is the test's to say.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from live import BROKEN, Parts, first_of, opened, until, until_async
from live import LONG_S as _LONG_S
from recording import Origin
from shapes import CHAT
from talking import Net, ask, text_of_stream
from ways import settled

import edgeclient

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

TEXT = "hello from fra"


@pytest.fixture(params=["threads", "asyncio", "trio"])
def way_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(net: Net) -> Any:
    return net.client(net.edge("fra", cache="exact"))


def raw_openai(client: Any) -> bytes:
    """The bytes of the answer's body, as an application sees them."""
    with client.chat.completions.with_streaming_response.create(**CHAT, stream=True) as answer:
        return b"".join(answer.iter_bytes())


async def raw_openai_async(client: Any) -> bytes:
    async with client.chat.completions.with_streaming_response.create(**CHAT, stream=True) as answer:
        return b"".join([part async for part in answer.iter_bytes()])


def readers_of(edge: Any) -> int:
    """How many have come aboard of the one stream that is under way."""
    streams = edge.policies.streams.under_way()
    shared = streams[0].shared if streams else None
    return len(shared._at) if shared is not None else 0


def test_fifty_readers_of_one_live_stream_get_identical_bytes(origin: Origin) -> None:
    edge, parts, crowd = edgeclient.Edge(cache="exact"), Parts(), 25
    origin.fail(parts.fault)
    parts.let(1)

    async def tasks(client: Any) -> list[bytes]:
        return list(await asyncio.gather(*(raw_openai_async(client) for _ in range(crowd))))

    async def in_tasks() -> list[bytes]:
        async with edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
            return await tasks(client)

    with (
        edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client,
        ThreadPoolExecutor(crowd + 1) as threads,
    ):
        reading: list[Future[Any]] = [threads.submit(raw_openai, client) for _ in range(crowd)]
        reading.append(threads.submit(asyncio.run, in_tasks()))
        until(lambda: readers_of(edge) == 2 * crowd)
        parts.let(100)
        found = [one.result(_LONG_S) for one in reading[:-1]] + reading[-1].result(_LONG_S)
    assert len(found) == 50 and len(set(found)) == 1 and found[0].endswith(b"data: [DONE]\n\n")
    assert len(origin.take()) == 1
    events = edge.events()
    assert sum(event.notes.collapsed for event in events) == 49
    assert edge.status().counts["stored"] == 1
    assert edge.policies.streams.under_way() == []


# -- a leader that leaves


async def test_a_leader_that_closes_its_stream_leaves_it_to_the_others(net: Net, client: Any) -> None:
    parts = Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader = await opened(client)
    await first_of(leader)
    follower = await opened(client)
    assert edgeclient.notes(follower).collapsed and edgeclient.notes(follower).cache == "miss"
    await settled(leader.close())
    parts.let(100)
    assert await text_of_stream(follower) == TEXT
    assert net.seen() == {"fra": 1} and client._edge.status().counts["stored"] == 1
    assert client._edge.policies.streams.under_way() == []


async def test_a_leader_that_is_forgotten_leaves_it_to_the_others(net: Net, client: Any) -> None:
    parts = Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader = await opened(client)
    await first_of(leader)
    follower = await opened(client)
    del leader
    gc.collect()
    parts.let(100)
    assert await text_of_stream(follower) == TEXT
    assert net.seen() == {"fra": 1}


async def test_a_forgotten_leader_without_followers_leaves_nothing_behind(net: Net, client: Any) -> None:
    parts = Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(100)
    leader = await opened(client)
    assert len(client._edge.policies.streams.under_way()) == 1
    del leader
    gc.collect()
    assert client._edge.policies.streams.under_way() == []
    assert await text_of_stream(await opened(client)) == TEXT and net.seen() == {"fra": 2}


@asynccontextmanager
async def waited_for(net: Net, client: Any) -> AsyncIterator[tuple[Parts, anyio.CancelScope, list[str]]]:
    """A leader in the middle of a read, whom one may cancel, and somebody who waits to come aboard; it ends with both."""
    parts = Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(1)
    leading, begun, texts = anyio.CancelScope(), anyio.Event(), list[str]()

    async def lead() -> None:
        with leading:
            stream = await opened(client)
            await first_of(stream)
            begun.set()
            await text_of_stream(stream)

    async def follow() -> None:
        texts.append(await text_of_stream(await opened(client)))

    async with anyio.create_task_group() as group:
        group.start_soon(lead)
        await begun.wait()
        await until_async(lambda: bool(streams(client)[0].pulling))
        group.start_soon(follow)
        await until_async(lambda: streams(client)[0].shared is not None)
        yield parts, leading, texts


@pytest.mark.parametrize("way_name", ["asyncio", "trio"])
async def test_a_leader_that_is_cancelled_while_it_waits_leaves_it_to_the_others(net: Net, client: Any) -> None:
    async with waited_for(net, client) as (parts, leading, texts):
        parts.let(2)  # what the leader waits for comes: now the follower is aboard
        await until_async(lambda: readers_of(client._edge) == 2)
        leading.cancel()
        await until_async(lambda: readers_of(client._edge) == 1)
        parts.let(100)
    assert texts == [TEXT] and net.seen() == {"fra": 1}


@pytest.mark.parametrize("way_name", ["asyncio", "trio"])
async def test_a_leader_that_takes_its_connection_along_has_no_followers_yet(net: Net, client: Any) -> None:
    """It is cancelled in the middle of a read of its own: who waited to come aboard asks alone."""
    async with waited_for(net, client) as (parts, leading, texts):
        leading.cancel()
    parts.let(100)
    assert texts == [TEXT] and net.seen() == {"fra": 2}


def streams(client: Any) -> list[Any]:
    return client._edge.policies.streams.under_way()


def test_a_thread_leaves_its_stream_to_a_task(origin: Origin) -> None:
    edge, parts = edgeclient.Edge(cache="exact"), Parts()
    origin.fail(parts.fault)
    parts.let(2)

    async def follow(leader: Any) -> str:
        async with edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
            follower = await opened(client)
            leader.close()
            parts.let(100)
            return await text_of_stream(follower)

    with edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
        leader = client.chat.completions.create(**CHAT, stream=True)
        next(leader)
        assert asyncio.run(follow(leader)) == "hello from fra"
    assert len(origin.take()) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_leaves_its_stream_to_a_thread(origin: Origin, backend: str) -> None:
    edge, parts = edgeclient.Edge(cache="exact"), Parts()
    origin.fail(parts.fault)
    parts.let(2)
    with edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:

        def follow() -> Any:
            return client.chat.completions.create(**CHAT, stream=True)

        def read(follower: Any) -> str:
            return "".join(chunk.choices[0].delta.content or "" for chunk in follower if chunk.choices)

        async def lead() -> str:
            async with edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0) as mine:
                leader = await opened(mine)
                await first_of(leader)
                follower = await anyio.to_thread.run_sync(follow)
                await leader.close()
                parts.let(100)
                return await anyio.to_thread.run_sync(read, follower)

        assert anyio.run(lead, backend=backend) == TEXT
    assert len(origin.take()) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_that_ends_breaks_what_others_read_of_it(origin: Origin, backend: str) -> None:
    edge, parts = edgeclient.Edge(cache="exact"), Parts()
    origin.fail(parts.fault)
    parts.let(2)
    with edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
        followers: list[Any] = []

        def follow() -> Any:
            return client.chat.completions.create(**CHAT, stream=True)

        async def lead() -> None:
            mine = edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0)
            leader = await opened(mine)
            await first_of(leader)
            followers.append(await anyio.to_thread.run_sync(follow))

        anyio.run(lead, backend=backend)
        gc.collect()
        with pytest.raises(BROKEN):
            list(followers[0])
        parts.let(100)
    assert edge.status().counts.get("stored", 0) == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_would_stop_the_event_loop_that_reads_asks_alone(origin: Origin, backend: str) -> None:
    """A sync call within an async program: its thread runs the loop that would have to read the stream."""
    edge = edgeclient.Edge(cache="exact")

    async def both() -> list[str]:
        async with edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0) as mine:
            leader = await opened(mine)
            with edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
                stream = client.chat.completions.create(**CHAT, stream=True)
                return [_text_of(stream), await text_of_stream(leader)]

    assert anyio.run(both, backend=backend) == ["hello from origin"] * 2
    assert len(origin.take()) == 2


def test_a_loop_that_stands_still_breaks_who_follows_and_not_the_leader(origin: Origin) -> None:
    edge, parts = edgeclient.Edge(cache="exact"), Parts()
    origin.fail(parts.fault)
    parts.let(1)
    loop = asyncio.new_event_loop()
    mine = edge.AsyncOpenAI(base_url=origin.v1, api_key="k", max_retries=0)
    with edge.OpenAI(base_url=origin.v1, api_key="k", max_retries=0) as client:
        leader = loop.run_until_complete(opened(mine))
        loop.run_until_complete(first_of(leader))
        with pytest.raises(BROKEN):
            list(client.chat.completions.create(**CHAT, stream=True))
        parts.let(100)
        assert loop.run_until_complete(text_of_stream(leader)) == TEXT
        loop.run_until_complete(mine.close())
    loop.close()


# -- breaks, slow readers, and who leaves last


async def test_a_break_in_the_middle_breaks_all_of_them(net: Net, client: Any) -> None:
    parts = Parts(breaks_after=3)
    net.endpoints["fra"].fail(parts.fault)
    parts.let(1)
    readers = [await opened(client)]
    readers += [await opened(client), await opened(client)]
    parts.let(100)
    for reader in readers:
        with pytest.raises(BROKEN):
            await text_of_stream(reader)
    status = client._edge.status()
    assert net.seen() == {"fra": 1} and status.cache_entries == 0
    assert status.counts["broken streams"] == 1 and status.endpoints[0].failures == 1


async def test_a_slow_leader_holds_up_nobody(net: Net, client: Any) -> None:
    """Twice as much as is read ahead, and the leader has not taken one part."""
    parts = Parts(filler=32)
    net.endpoints["fra"].fail(parts.fault)
    parts.let(100)
    leader = await opened(client)
    follower = await opened(client)
    assert await text_of_stream(follower) == TEXT
    assert await text_of_stream(leader) == TEXT
    assert net.seen() == {"fra": 1}


async def test_when_the_last_reader_leaves_the_request_is_given_up(net: Net, client: Any) -> None:
    parts = Parts(filler=200)
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader, follower = await opened(client), await opened(client)
    await first_of(follower)
    await settled(follower.close())
    await settled(leader.close())
    parts.let(1000)
    await (until_async(parts.closed.is_set) if net.way.is_async else _at_once(lambda: until(parts.closed.is_set)))
    assert client._edge.policies.streams.under_way() == [] and client._edge.status().counts.get("stored", 0) == 0


async def _at_once(wait: Callable[[], None]) -> None:
    wait()


async def test_a_follower_waits_as_long_as_its_own_timeout_says(net: Net, client: Any) -> None:
    parts = Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(1)
    leader = await opened(client)
    hasty = await opened(client.with_options(timeout=0.05))
    assert edgeclient.notes(hasty).collapsed
    with pytest.raises(BROKEN):
        await text_of_stream(hasty)
    parts.let(100)
    assert await text_of_stream(leader) == TEXT and net.seen() == {"fra": 1}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_past_the_limit_nobody_comes_aboard_and_the_others_read_on(net: Net, client: Any) -> None:
    parts = Parts(filler=140)
    net.endpoints["fra"].fail(parts.fault)
    parts.let(1)
    leader, follower = await opened(client), await opened(client)
    parts.let(1000)
    if net.way.is_async:
        texts = list[str]()

        async def read(stream: Any) -> None:
            texts.append(await text_of_stream(stream))

        async with anyio.create_task_group() as group:
            group.start_soon(read, leader)
            group.start_soon(read, follower)
    else:
        with ThreadPoolExecutor(2) as threads:
            texts = list(threads.map(_text_of, (leader, follower)))
    assert texts == [TEXT] * 2 and net.seen() == {"fra": 1}
    # The server closes behind the stream: the next request may meet that, and go to the origin.
    assert (await ask(client, "stream")).notes.cache == "miss" and sum(net.seen().values()) == 2


def _text_of(stream: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


# -- who reads alone


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_stream_that_shall_tell_its_usage_is_another_one(net: Net, client: Any) -> None:
    parts = [Parts(), Parts()]
    net.endpoints["fra"].fail(*(one.fault for one in parts))
    for one in parts:
        one.let(100)
    plain, told = await opened(client), await opened(client, stream_options={"include_usage": True})
    assert [await text_of_stream(one) for one in (plain, told)] == [TEXT] * 2
    assert net.seen() == {"fra": 2}


async def test_with_the_cache_off_each_asks_alone(net: Net) -> None:
    client = net.client(net.edge("fra"))
    leader, other = await opened(client), await opened(client)
    assert client._edge.policies.streams.under_way() == []
    assert [await text_of_stream(one) for one in (leader, other)] == [TEXT] * 2
    assert net.seen() == {"fra": 2}


async def test_another_caller_reads_nobodys_stream(net: Net, client: Any) -> None:
    other = client.with_options(api_key="sk-another")
    streams = [await opened(one, **more) for one in (client, other) for more in ({}, NO_CACHE)]
    assert [await text_of_stream(one) for one in streams] == [TEXT] * 4
    assert net.seen() == {"fra": 4}


NO_CACHE = {"extra_headers": {"Cache-Control": "no-cache"}}
