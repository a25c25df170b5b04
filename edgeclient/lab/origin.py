"""The origin's process: serves the answers of `answers.py` at a model's pace (time to first token, tokens per second).

Two doors: the public one waits the origin's round trip (loopback), the inner one is for PoPs.  Opens sockets.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping

from edgeclient.lab import answers
from edgeclient.lab.faults import error_body
from edgeclient.lab.questions import Refusal
from edgeclient.lab.server import Headers, Reply, Request
from edgeclient.lab.sites import Site, run_site

_JSON = ("content-type", "application/json")
_P99_SIGMAS = 2.3263


class Origin(Site):
    """The model's own site."""

    def __init__(self, config: Mapping[str, object]) -> None:
        super().__init__(config)
        self._random = random.Random(f"{config['seed']}/origin")
        self._median_s, self._sigma = _lognormal(config["first_token_ms"])
        self._gap_s = 1.0 / float(str(config["tokens_per_s"]))

    async def answer(self, request: Request, reply: Reply) -> None:
        stamp = answers.Stamp(f"{self._random.getrandbits(96):024x}", int(time.time()))
        version = request.head.header("anthropic-version")
        name = "request-id" if answers.is_anthropic(request.path, version) else "x-request-id"
        headers: Headers = ((name, f"req_{stamp.id}"),)
        if not (request.head.header("authorization") or request.head.header("x-api-key")):
            body = error_body(request.path, 401, "no API key: send authorization or x-api-key (any value will do)")
            return await reply.whole(401, (_JSON, *headers), body)
        try:
            plan = answers.plan(request.method, request.path, version, request.body, stamp)
        except Refusal as refusal:
            body = error_body(request.path, refusal.status, str(refusal), refusal.param)
            return await reply.whole(refusal.status, (_JSON, *headers), body)
        if plan.thinks:
            await asyncio.sleep(self._median_s * math.exp(self._sigma * self._random.gauss(0.0, 1.0)))
        if plan.events:
            await self._stream(plan, headers, reply)
        else:
            await asyncio.sleep(plan.tokens * self._gap_s)
            await reply.whole(200, (_JSON, *headers), plan.body)

    async def _stream(self, plan: answers.Plan, headers: Headers, reply: Reply) -> None:
        await reply.head(200, (("content-type", "text/event-stream; charset=utf-8"), *headers), None)
        *events, last = plan.events
        due = time.monotonic()
        for event in events:
            await reply.body(event.data)
            due += event.tokens * self._gap_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await reply.end(last.data)


def _lognormal(first_token_ms: object) -> tuple[float, float]:
    """Median in seconds and sigma of the log-normal distribution with that median and 99th percentile."""
    assert isinstance(first_token_ms, list)
    median_ms, p99_ms = (float(value) for value in first_token_ms)
    sigma = math.log(p99_ms / median_ms) / _P99_SIGMAS if median_ms > 0 else 0.0
    return median_ms / 1e3, sigma


def main() -> None:
    """Runs in a process of its own, started by the lab."""
    run_site(Origin)
