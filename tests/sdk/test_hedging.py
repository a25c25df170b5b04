"""Hedged calls through the real SDKs: the second endpoint answers while the first holds its answer back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import recording
from shapes import CHAT, MESSAGE
from talking import Net, ask

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

_MODELS = {"openai": CHAT["model"], "anthropic": MESSAGE["model"]}


async def warmed(net: Net, form: str, **settings: Any) -> tuple[Any, Any]:
    """An edge whose two endpoints are measured, and that has had twenty answers of the first; and a client of it."""
    settings = {"cache": "exact", "routes": {_MODELS[net.sdk]: "inference"}, "hedge": {"share": 0.2}, **settings}
    edge = net.edge("fra", "nyc", origins=[net.base(net.origin)], rtt_source="connect", **settings)
    for endpoint, rtt_s in zip(edge.policies.endpoints, (0.001, 0.5), strict=True):  # a busy machine moves no call
        edge.policies.selector.probed(endpoint, [rtt_s] * 3, time.monotonic(), 0.0)
    client = net.direct(edge, net.origin)
    for number in range(20):
        await ask(client, form, f"Warm-up {number}?")
    return edge, client


def no_after(held: threading.Event, seen: recording.Seen) -> Iterator[bytes]:
    """A 503, but not before the event is set."""
    assert held.wait(20), "nobody let the answer go"
    yield from recording.status(503).parts(seen)


@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_a_slow_answer_is_outrun_and_nothing_is_learned_of_it(net: Net, form: str) -> None:
    edge, client = await warmed(net, form)
    before = {e.name: e for e in edge.status().endpoints}
    held = threading.Event()
    net.endpoints["fra"].always = recording.held(held, "fra")
    try:
        said = await ask(client, form, "Who is first?")
    finally:
        held.set()
    assert said.text == "hello from nyc"
    assert [(a.endpoint, a.outcome) for a in said.notes.tried] == [("fra", "outrun"), ("nyc", "ok")]
    assert said.notes.endpoint == "nyc" and said.notes.attempts == 2
    after = {e.name: e for e in edge.status().endpoints}
    assert after["fra"].state == "ready" and after["fra"].failures == 0
    assert after["fra"].calls == before["fra"].calls and after["nyc"].calls == before["nyc"].calls + 1
    assert edge.status().counts["hedges"] == 1 and edge.status().counts["failovers"] == 0


async def test_a_client_can_be_used_and_closed_while_a_loser_still_waits(net: Net) -> None:
    _, client = await warmed(net, "plain")
    held = threading.Event()
    net.endpoints["fra"].fail(recording.held(held, "fra"))
    try:
        await ask(client, "plain", "Who is first?")
        assert (await ask(client, "plain", "And now?")).text in ("hello from fra", "hello from nyc")
    finally:
        held.set()


async def test_off_it_waits(net: Net) -> None:
    edge, client = await warmed(net, "plain", hedge="off")
    held = threading.Event()
    net.endpoints["fra"].always = recording.held(held, "fra")
    threading.Timer(0.3, held.set).start()
    said = await ask(client, "plain", "Who is first?")
    assert said.text == "hello from fra" and edge.status().counts["hedges"] == 0


async def test_the_hedge_of_a_call_that_fails_everywhere_leaves_the_last_word_to_the_origin(net: Net) -> None:
    edge, client = await warmed(net, "plain")
    held = threading.Event()
    net.endpoints["fra"].always = recording.Fault(lambda seen: no_after(held, seen), keep=True)
    net.endpoints["nyc"].always = recording.status(503)
    threading.Timer(0.2, held.set).start()
    said = await ask(client, "plain", "Who is left?")
    assert said.text == "hello from origin"
    assert [(a.endpoint, a.outcome) for a in said.notes.tried] == [
        ("fra", "status"), ("nyc", "status"), ("origin", "ok")
    ]  # fmt: skip
    assert {e.name: e.failures for e in edge.status().endpoints} == {"fra": 1, "nyc": 1}
