"""Stale answers that are refreshed beside the call, through both SDKs: in a thread, a task of asyncio, a task of trio."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import recording
from talking import FORMS, Net, ask

import edgeclient

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("no_pauses"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),  # of both plain SDKs too, on trio
]

OLD = {"Cache-Control": "max-age=0, stale-while-revalidate=600"}  # any entry is stale to such a caller


@pytest.fixture(params=["threads", "asyncio", "trio"])
def way_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def until(net: Net, true: Callable[[], bool]) -> None:
    last = time.monotonic() + 20
    while not true():
        assert time.monotonic() < last, "it never came to be so"
        if net.way.is_async:
            await anyio.sleep(0.01)
        else:
            time.sleep(0.01)


def stored(client: Any) -> int:
    return int(client._edge.status().counts["stored"])


@pytest.mark.parametrize("form", FORMS)
async def test_the_caller_has_the_old_answer_and_the_next_one_a_new_one(net: Net, form: str) -> None:
    client = net.client(net.edge("fra", cache=edgeclient.Cache("exact", stale_while_revalidate_s=600)))
    await ask(client, form)
    held = threading.Event()
    net.endpoints["fra"].fail(recording.held(held, "fra"))
    stale = [(await ask(client, form, extra_headers=OLD)).notes for _ in range(3)]
    assert [(notes.cache, notes.ttl_s < 0) for notes in stale] == [("hit", True)] * 3
    held.set()
    await until(net, lambda: client._edge.status().counts["calls"] == 5)
    assert net.seen() == {"fra": 2} and client._edge.status().counts["refreshes"] == 1
    assert (await ask(client, form)).notes.cache == "hit" and not client._edge.status().mishaps


async def test_a_refresh_that_fails_is_counted_and_harms_nobody(net: Net) -> None:
    client = net.client(net.edge("fra", cache="exact", origin="never"))
    await ask(client, extra_headers={"Cache-Control": "stale-while-revalidate=600"})
    net.endpoints["fra"].always = recording.hang_up()
    for _ in range(3):
        assert (await ask(client, extra_headers=OLD)).notes.cache == "hit"
    await until(net, lambda: bool(client._edge.status().mishaps))
    assert set(client._edge.status().mishaps) == {"cache refresh"}


async def test_a_refresh_outlives_the_task_that_began_it(net: Net) -> None:
    if not net.way.is_async:
        return
    client = net.client(net.edge("fra", cache="exact"))
    await ask(client, extra_headers={"Cache-Control": "stale-while-revalidate=600"})
    held = threading.Event()
    net.endpoints["fra"].fail(recording.held(held, "fra"))
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            await ask(client, extra_headers=OLD)
            await until(net, lambda: net.seen() == {"fra": 2})
            scope.cancel()
            await anyio.sleep(0)
        group.cancel_scope.cancel()
    held.set()
    await until(net, lambda: stored(client) == 2)
    assert not client._edge.status().mishaps
