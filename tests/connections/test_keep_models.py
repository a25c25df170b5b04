"""Models that are kept from being put away: paid calls through the client's own pool, counted, bounded, and for an end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from calling import Asking

import edgeclient
import edgeclient.openai
from edgeclient.http import warming
from edgeclient.lab import AtPops, Lab
from edgeclient.lab.systems.emulator import Heard, Refused, Said
from edgeclient.lab.systems.sagemaker import SageMaker
from edgeclient.lab.systems.serving import Serving
from edgeclient.pops import cold

LONG_S = 20.0  # never waited for unless a test fails
MODEL = "llama-3.1-8b-instruct"


class Sleepy(SageMaker):
    """An endpoint that scales to zero: asked after a pause it starts the model, and says so."""

    idle_s = 1.0
    started = 0
    used_at = 0.0

    def answer(self, heard: Heard) -> Said:
        idle_s, self.used_at = time.monotonic() - self.used_at, time.monotonic()
        if idle_s > self.idle_s:
            self.started += 1
            raise Refused(*self.failures["not ready"])
        return super().answer(heard)


@pytest.fixture
def sleepy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setenv("ENDPOINT_KEY", "the-endpoints-own")
    monkeypatch.setattr(cold, "_IDLE_S", 0.1)
    monkeypatch.setattr(warming, "_SETTLE_S", 0.01)
    monkeypatch.setattr(warming, "_LOOK_S", 0.02)
    with Serving(Sleepy("the-endpoints-own")) as serving:
        yield serving


async def until(said: Callable[[], bool]) -> None:
    with anyio.fail_after(LONG_S):
        while not said():
            await anyio.sleep(0.01)


def edge_at(serving: Serving, **kept: Any) -> edgeclient.Edge:
    preset = f"sagemaker:eu-central-1/llama?model={MODEL}&host={serving.url}"
    return edgeclient.Edge(
        endpoints=[edgeclient.Endpoint(preset, key="env:ENDPOINT_KEY", name="a")],
        origin="never",
        probe=False,
        remember=False,
        models={MODEL: {"input_per_mtok": 1.0, "output_per_mtok": 1.0}},
        keep_warm=edgeclient.KeepWarm(**{"models": [MODEL], "calls_an_hour": 1000, **kept}),
    )


async def first_asked(asking: Asking, client: Any) -> None:
    """The first call finds it put away, the second one awake."""
    with pytest.raises(edgeclient.openai.RateLimitError):
        await asking.ask(client, model=MODEL)
    await asking.ask(client, model=MODEL)


def kept(edge: edgeclient.Edge) -> list[edgeclient.Event]:
    return [event for event in edge.events() if event.keeps_warm]


@pytest.mark.anyio
async def test_a_model_that_is_put_away_is_there_for_its_next_caller(asking: Asking, sleepy: Serving) -> None:
    hooked: list[edgeclient.Event] = []
    edge = edge_at(sleepy)
    edge.policies.telemetry._hooks = (hooked.append,)
    client = asking.client(edge)
    await first_asked(asking, client)
    await asking.ask(client, model=MODEL, extra_headers={"Idempotency-Key": "of-this-call"})
    began = time.monotonic()
    await until(lambda: time.monotonic() > began + 1.3 and len(kept(edge)) >= 2)
    started = sleepy.emulator.started
    assert (await asking.ask(client, model=MODEL)).tried[0].outcome == "ok", "1.3 s after the last caller"
    edge.close()
    assert started <= 2, "the one that the first caller met, and one that found out how long it stays"
    sent = [heard for heard in sleepy.emulator.seen if heard.body.get("max_tokens") == 1]
    assert sent[0].body == {"model": "", "messages": [{"role": "user", "content": "."}], "max_tokens": 1}
    assert all(heard.headers["authorization"] == "Bearer the-endpoints-own" for heard in sent)
    assert not [heard for heard in sent if "hello?" in str(heard.body)]
    of_one_call = {"idempotency-key", "x-stainless-retry-count", "x-client-request-id"}
    assert not [heard for heard in sent if of_one_call & heard.headers.keys()]
    asked = [heard for heard in sleepy.emulator.seen if heard not in sent]
    assert {"idempotency-key", "x-stainless-retry-count"} <= {name for heard in asked for name in heard.headers}
    good = [event for event in kept(edge) if event.status == 200]
    assert all(event.notes.used[0].cost for event in good) and good[0].notes.endpoint == "a"
    counts = edge.status().counts
    assert counts["calls"] == 4 and counts["keep-warm calls"] == len(kept(edge)) == len(sent)
    assert len(hooked) == len(edge.events())


@pytest.mark.anyio
async def test_no_more_calls_than_said_and_none_when_nobody_asks(asking: Asking, sleepy: Serving) -> None:
    edge, other = edge_at(sleepy, calls_an_hour=2), edge_at(sleepy, for_s=0.2)
    client = asking.client(edge)
    await first_asked(asking, client)
    await until(lambda: len(kept(edge)) == 2)
    await asking.ask(asking.client(other), model=MODEL)
    await anyio.sleep(0.8)
    assert len(kept(edge)) == 2, "the hour's budget is used up"
    assert not kept(other), "it was never seen to be put away there"
    edge.close()
    other.close()


@pytest.mark.anyio
async def test_an_error_ends_it_for_a_while(asking: Asking, sleepy: Serving) -> None:
    edge = edge_at(sleepy)
    client = asking.client(edge)
    await first_asked(asking, client)
    sleepy.emulator.secret = "another"
    await until(lambda: len(kept(edge)) == 1)
    await anyio.sleep(0.5)
    assert [event.status for event in kept(edge)] == [403]
    assert edge.status().mishaps == {"keeping a model warm": 1}
    assert edge.status().endpoints[0].state in ("ready", "deprioritised")
    edge.close()


@pytest.mark.anyio
async def test_an_answer_that_cannot_be_understood_ends_no_keeper(
    asking: Asking, sleepy: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = edge_at(sleepy)
    client = asking.client(edge)
    assert edge.warmer is not None and edge.warmer.waker is not None
    monkeypatch.setattr(edge.warmer.waker, "_used", lambda *said: 1 / 0)
    await first_asked(asking, client)
    await until(lambda: edge.status().mishaps == {"keeping a model warm": 1})
    (keeper,) = edge.warmer._keepers.values()
    assert keeper.is_running
    await asking.ask(client, model=MODEL)
    edge.close()


@pytest.mark.anyio
async def test_without_models_nothing_paid_is_sent(asking: Asking, sleepy: Serving) -> None:
    edge = edge_at(sleepy, models=[], calls_an_hour=None, connections=1)
    client = asking.client(edge)
    await first_asked(asking, client)
    await anyio.sleep(0.3)
    assert [heard.method for heard in sleepy.emulator.seen].count("POST") == 2 and not kept(edge)
    edge.close()


def test_starts_are_learned_from_a_real_model_that_only_answers_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's: after a pause of 0.7 s its first token takes 0.5 s more. Nothing says so but the clock."""
    monkeypatch.setattr(cold, "_IDLE_S", 0.3)
    monkeypatch.setattr(warming, "_SETTLE_S", 0.01)
    monkeypatch.setattr(warming, "_LOOK_S", 0.02)
    here = AtPops([MODEL], first_token_ms=(5.0, 8.0), tokens_per_s=20_000.0, idle_s=0.7, start_ms=500.0)
    with Lab({"fra": 1}, mode="loopback", at_pops=here) as lab:
        endpoint = edgeclient.Endpoint(
            lab.urls["fra"], name="fra", key="passthrough", route="inference", models=[MODEL]
        )
        kept_so = edgeclient.KeepWarm(models=(MODEL,), calls_an_hour=500)
        edge = edgeclient.Edge(
            endpoints=[endpoint], origin="never", probe=False, remember=False, rtt_source="connect", keep_warm=kept_so
        )
        with edge.OpenAI(api_key="sk-any") as client:

            def ask() -> None:
                client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi"}], max_tokens=5)

            deadline = time.monotonic() + LONG_S
            for _ in range(8):
                ask()
            while not kept(edge) and time.monotonic() < deadline:
                time.sleep(0.8)
                ask()  # late
                ask()  # and quick again
            assert kept(edge), "two starts were seen, so it is kept"
            assert {event.status for event in kept(edge)} == {200}
        edge.close()
    assert not any(thread.name == "edgeclient-warm" for thread in threading.enumerate())
