"""The same stream in several processes that share a store (`stream_wait_s`): one asks, the others get its whole answer.

Two edges with one file stand for two processes here, so that a test can say who is where when; real processes are in
tests/cache/test_fleet.py.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import anyio
import openai
import pytest
import recording
from live import BROKEN, Parts, first_of, opened, until, until_async
from talking import Net, ask, text_of_stream
from ways import settled

import edgeclient
from edgeclient.runtime.protocol import run_sync

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

TEXT = "hello from fra"
LONG_S = 1000.0  # a wait that must not come to its end
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


@pytest.fixture(params=["threads", "asyncio", "trio"])
def way_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Fleet:
    """Clients of two processes, and what they do at the same time."""

    def __init__(self, net: Net, file: Path, **settings: Any) -> None:
        cache = edgeclient.Cache("exact", store=f"sqlite:{file}", budget_s=20.0)
        self.net, self._is_async = net, net.way.is_async
        self.edges = [net.edge("fra", cache=cache, **settings) for _ in range(2)]
        self.one, self.other = (net.client(edge) for edge in self.edges)
        self.got: list[tuple[str, Any]] = []  # texts and notes of those who followed

    def leasing(self, number: int) -> Any:
        return self.edges[number].policies.store._below._leading

    async def follow(self, form: str = "stream", **more: Any) -> None:
        async def steps() -> None:
            said = await ask(self.other, form, **more)
            self.got.append((said.text, said.notes))

        if self._is_async:
            await steps()
        else:
            await anyio.to_thread.run_sync(lambda: run_sync(steps()))

    @asynccontextmanager
    async def followed(self, form: str = "stream", **more: Any) -> AsyncIterator[None]:
        """While the other process waits for what this one leads; at the end it has its answer."""
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: self.follow(form, **more))
            await until_async(lambda: self.leasing(1)._claims._running)
            assert not self.got
            yield

    def close(self) -> None:
        for edge in self.edges:
            edge.close()
            assert not edge.status().mishaps


@pytest.fixture
async def fleet(net: Net, tmp_path: Path) -> AsyncIterator[Fleet]:
    made = Fleet(net, tmp_path / "a.db", stream_wait_s=LONG_S)
    yield made
    made.close()


@pytest.fixture
def parts(net: Net, fleet: Fleet) -> Parts:
    made = Parts()
    net.endpoints["fra"].fail(made.fault)
    made.let(2)
    return made


def asked(net: Net) -> dict[str, Any]:
    return USAGE if net.sdk == "openai" else {}


async def test_the_leader_reads_live_and_the_other_gets_its_whole_answer(net: Net, fleet: Fleet, parts: Parts) -> None:
    leader = await opened(fleet.one, **asked(net))
    await first_of(leader)  # live: the rest has still to be sent
    async with fleet.followed():
        parts.let(100)
        await text_of_stream(leader)
    ((text, notes),) = fleet.got
    assert text == TEXT and (notes.cache, notes.collapsed, notes.endpoint) == ("hit", True, "fra")
    assert net.seen() == {"fra": 1}
    until(lambda: not fleet.leasing(0).held)


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_plain_call_gets_the_answer_of_a_stream_and_a_stream_that_of_a_plain_call(
    net: Net, fleet: Fleet, parts: Parts
) -> None:
    leader = await opened(fleet.one, **asked(net))
    async with fleet.followed("plain"):
        parts.let(100)
        await text_of_stream(leader)
    assert [text for text, _ in fleet.got] == [TEXT] and net.seen() == {"fra": 1}


@pytest.mark.parametrize("sdk", ["openai"])
@pytest.mark.parametrize("way_name", ["threads", "asyncio"])
async def test_all_readers_of_the_other_process_have_one_answer(net: Net, fleet: Fleet, parts: Parts) -> None:
    leader = await opened(fleet.one, **asked(net))
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(fleet.follow)
        await until_async(lambda: fleet.leasing(1)._claims._running)
        parts.let(100)
        await text_of_stream(leader)
    assert [(text, notes.cache, notes.collapsed) for text, notes in fleet.got] == [(TEXT, "hit", True)] * 4
    assert net.seen() == {"fra": 1}


async def test_when_the_leader_leaves_the_other_asks_at_once(net: Net, fleet: Fleet, parts: Parts) -> None:
    leader = await opened(fleet.one, **asked(net))
    await first_of(leader)
    async with fleet.followed():
        await settled(leader.close())
    parts.let(100)
    ((text, notes),) = fleet.got
    assert text == TEXT and notes.cache == "miss" and net.seen() == {"fra": 2}


@pytest.fixture
def only_ours() -> Iterator[None]:
    """A test that collects takes only what it made: of what earlier tests left the SDK would close clients in its loop."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_ours")
async def test_when_the_leader_is_forgotten_the_other_asks_at_once(net: Net, fleet: Fleet, parts: Parts) -> None:
    """It never read its stream, and never closed it."""
    leader = await opened(fleet.one, **asked(net))
    async with fleet.followed():
        del leader
        gc.collect()
    parts.let(100)
    assert [text for text, _ in fleet.got] == [TEXT] and net.seen() == {"fra": 2}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_when_the_stream_breaks_the_other_asks_at_once(net: Net, fleet: Fleet) -> None:
    parts = Parts(breaks_after=3)
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader = await opened(fleet.one, **asked(net))
    async with fleet.followed():
        parts.let(100)
        with pytest.raises(BROKEN):
            await text_of_stream(leader)
    assert [text for text, _ in fleet.got] == [TEXT] and net.seen() == {"fra": 2}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_when_no_head_comes_the_other_asks_at_once(net: Net, fleet: Fleet) -> None:
    """An error is no stream: nobody waits for its answer."""
    net.endpoints["fra"].fail(recording.status(400))
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        await opened(fleet.one, **asked(net))
    until(lambda: not fleet.leasing(0).held)
    await fleet.follow()
    assert [text for text, _ in fleet.got] == [TEXT] and net.seen() == {"fra": 2}


@pytest.mark.parametrize("sdk", ["openai"])
async def test_a_stream_waits_for_another_process_no_longer_than_it_was_told(net: Net, tmp_path: Path) -> None:
    fleet, parts = Fleet(net, tmp_path / "a.db", stream_wait_s=0.05), Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader = await opened(fleet.one, **asked(net))
    await fleet.follow()  # and has its answer, while the leader's has still to come
    parts.let(100)
    await text_of_stream(leader)
    assert [text for text, _ in fleet.got] == [TEXT] and net.seen() == {"fra": 2}
    fleet.close()


async def test_unless_it_is_said_a_stream_waits_for_no_other_process(net: Net, tmp_path: Path) -> None:
    fleet, parts = Fleet(net, tmp_path / "a.db"), Parts()
    net.endpoints["fra"].fail(parts.fault)
    parts.let(2)
    leader = await opened(fleet.one, **asked(net))
    assert not fleet.leasing(0).held
    await fleet.follow()
    assert not fleet.leasing(0)._claims._running and not fleet.leasing(1)._claims._running
    parts.let(100)
    await text_of_stream(leader)
    assert net.seen() == {"fra": 2}
    fleet.close()


@pytest.mark.parametrize("sdk", ["openai"])
async def test_who_asks_again_while_it_reads_does_not_wait_for_itself(net: Net, fleet: Fleet, parts: Parts) -> None:
    leader = await opened(fleet.one, **asked(net))
    await first_of(leader)
    again = await ask(fleet.one)
    assert again.text == TEXT and again.notes.cache == "miss"
    parts.let(100)
    await text_of_stream(leader)
    assert net.seen() == {"fra": 2}
