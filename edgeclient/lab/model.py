"""The lab's model at work: answers of `answers.py` at a pace (time to first token, tokens per second). Asks the clock.

One stands at the origin; PoPs may have one for small models, which is put away when nobody asks.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeclient.lab import answers
from edgeclient.lab.faults import error_body
from edgeclient.lab.questions import Refusal
from edgeclient.lab.server import Headers, Reply, Request

_JSON = ("content-type", "application/json")
_P99_SIGMAS = 2.3263


@dataclass(frozen=True)
class AtPops:
    """Small models that every PoP runs itself: their names and their pace.

    `first_token_ms`: median and 99th percentile. After `idle_s` seconds unasked an answer takes `start_ms` more.
    """

    models: Sequence[str]
    first_token_ms: tuple[float, float] = (80.0, 120.0)
    tokens_per_s: float = 2000.0
    idle_s: float = 1e9
    start_ms: float = 0.0


class Model:
    """Answers requests. `idle_s`: after such a pause the next first token comes `start_s` later."""

    def __init__(self, config: Mapping[str, object], chance: random.Random) -> None:
        self._random = chance
        self._median_s, self._sigma = _lognormal(config["first_token_ms"])
        self._gap_s = 1.0 / float(str(config["tokens_per_s"]))
        self._idle_s = float(str(config.get("idle_s", "inf")))
        self._start_s = float(str(config.get("start_ms", 0.0))) / 1e3
        self._used_at = -math.inf

    async def answer(self, request: Request, reply: Reply, named: Headers = ()) -> None:
        """Answer one request; `named`: headers of the site."""
        stamp = answers.Stamp(f"{self._random.getrandbits(96):024x}", int(time.time()))
        version = request.head.header("anthropic-version")
        name = "request-id" if answers.is_anthropic(request.path, version) else "x-request-id"
        headers: Headers = ((name, f"req_{stamp.id}"), *named)
        if not (request.head.header("authorization") or request.head.header("x-api-key")):
            body = error_body(request.path, 401, "no API key: send authorization or x-api-key (any value will do)")
            return await reply.whole(401, (_JSON, *headers), body)
        try:
            plan = answers.plan(request.method, request.path, version, request.body, stamp)
        except Refusal as refusal:
            body = error_body(request.path, refusal.status, str(refusal), refusal.param)
            return await reply.whole(refusal.status, (_JSON, *headers), body)
        if plan.thinks:
            await asyncio.sleep(
                self._waking_s() + self._median_s * math.exp(self._sigma * self._random.gauss(0.0, 1.0))
            )
        if plan.events:
            await self._stream(plan, headers, reply)
        else:
            await asyncio.sleep(plan.tokens * self._gap_s)
            await reply.whole(200, (_JSON, *headers), plan.body)

    def _waking_s(self) -> float:
        now = time.monotonic()
        idle_s, self._used_at = now - self._used_at, now
        return self._start_s if idle_s > self._idle_s else 0.0

    async def _stream(self, plan: answers.Plan, headers: Headers, reply: Reply) -> None:
        await reply.head(200, (("content-type", "text/event-stream; charset=utf-8"), *headers), None)
        *events, last = plan.events
        due = time.monotonic()
        for event in events:
            await reply.body(event.data)
            due += event.tokens * self._gap_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await reply.end(last.data)


def asked_for(request: Request) -> str:
    """The model that a request asks for; "" when it says none."""
    try:
        body = json.loads(request.body)
    except ValueError:
        return ""
    return str(body.get("model", "")) if isinstance(body, dict) else ""


def _lognormal(first_token_ms: object) -> tuple[float, float]:
    """Median in seconds and sigma of the log-normal distribution with that median and 99th percentile."""
    assert isinstance(first_token_ms, list)
    median_ms, p99_ms = (float(value) for value in first_token_ms)
    sigma = math.log(p99_ms / median_ms) / _P99_SIGMAS if median_ms > 0 else 0.0
    return median_ms / 1e3, sigma
