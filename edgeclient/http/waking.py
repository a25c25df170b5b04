"""Asks models that are about to be put away for next to nothing. Makes paid requests, only where `keep_warm` names models.

The request is the caller's last one to that endpoint with the smallest body there is in its place: the same URL, key and
HTTP client. `warming` sends it, between calls. Nothing of what the caller asked is held.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..cache.policy import object_of
from ..judging import judge
from ..noting import Attempt, Notes, Used
from ..policies import Policies
from ..pops.keeping import Keeping, Pair
from ..reporting import used_of
from ..telemetry.events import Event
from ..values import UNSAID, Call, Endpoint, Failure
from . import families, requests, responses

_SLOW = 0.5  # of what a start costs: an answer that took so long was one
_GUESSED = (64, 16)  # tokens of a call whose answer does not tell
_SMALLEST: tuple[tuple[str, Mapping[str, Any]], ...] = (  # ending of the path -> body, but for the model
    ("/chat/completions", {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}),
    ("/messages", {"messages": [{"role": "user", "content": "."}], "max_tokens": 1}),
    ("/embeddings", {"input": "."}),
    ("/responses", {"input": ".", "max_output_tokens": 16}),  # the least that it takes
)


@dataclass(frozen=True, slots=True)
class Sample:
    """How one model is asked at one endpoint."""

    native: Any
    call: Call
    endpoint: Endpoint

    @property
    def pair(self) -> Pair:
        return self.endpoint.name, self.call.model


class Waker:
    """Of one edge: what its keepers ask for, and what they learn. Thread-safe."""

    def __init__(self, models: frozenset[str], keeping: Keeping, policies: Policies) -> None:
        self._models, self.keeping, self._policies = models, keeping, policies

    def sample(self, native: Any, call: Call, endpoint: Endpoint, now: float) -> Sample | None:
        """How the model of this call is asked to be kept; None where that is not to be."""
        if call.model not in self._models or call.method != "POST":
            return None
        body = next((body for ending, body in _SMALLEST if call.path.endswith(ending)), None)
        if body is None or call.dialect is None:
            return None
        self.keeping.used((endpoint.name, call.model), now)
        small = replace(
            call, body={**body, "model": call.model}, size=0, opening=0, streamed=False, live=False, key="", controls=UNSAID,
            parts=(), known=0, question=None, stands_in=True, silent_s=None, first_model="",
        )  # fmt: skip
        return Sample(requests.smallest(native, small.body), small, endpoint)

    def due(self, sample: Sample, now: float, ahead_s: float) -> bool:
        sleeper = self._policies.selector.sleeper(sample.endpoint, sample.call.model)
        return self.keeping.due(sample.pair, sleeper, now, ahead_s)

    def prepared(self, way: Any, sample: Sample) -> tuple[Any, Any] | None:
        """The transport that leads there and the request; None when there is none: its key cannot be read, say."""
        try:
            aimed = requests.aim(sample.native, sample.endpoint, sample.call, connect_s=None)
            return families.transport_of(way, aimed.url), aimed
        except Exception as error:
            self._policies.telemetry.mishap("keeping a model warm", error)
            self.keeping.refused(sample.pair, time.monotonic())
            return None

    def told(self, sample: Sample, native: Any, began: float, error: Exception | None = None) -> None:
        """`native`: the answer, read; None when there is none, and `error` why. Never raises: a keeper has more to keep."""
        try:
            self._learn(sample, native, began, error)
        except Exception as mishap:
            self.keeping.refused(sample.pair, time.monotonic())
            self._policies.telemetry.mishap("keeping a model warm", mishap)

    def _learn(self, sample: Sample, native: Any, began: float, error: Exception | None) -> None:
        edge, now, pair = self._policies, time.monotonic(), sample.pair
        reply = responses.to_reply(native, live=False, gauge=None) if native is not None else None
        failure: Failure | None = None
        if reply is not None:
            failure = judge(sample.call, sample.endpoint, reply, time.time()).failure
        good = reply is not None and failure is None and reply.status == 200
        sleeper = edge.selector.sleeper(sample.endpoint, sample.call.model)
        used = self._used(sample.call, reply.body) if reply is not None and good else None
        if good or failure is Failure.COLD:
            slow = failure is Failure.COLD or (sleeper is not None and now - began >= _SLOW * sleeper.cost_s)
            cost = (used.cost or 0.0) if used is not None else 0.0
            idle_s = edge.selector.kept(sample.endpoint, sample.call.model, began, now, slow=slow)
            self.keeping.answered(pair, idle_s, slow=slow, cost=cost, now=now)
        else:
            self.keeping.refused(pair, now)
            said = error or ValueError(
                f"{sample.endpoint.name} said {reply.status if reply is not None else 'nothing'}"
            )
            edge.telemetry.mishap("keeping a model warm", said)
        edge.telemetry.emit(self._event(sample, reply, failure, used, now - began))

    def _used(self, call: Call, body: bytes | None) -> Used:
        models = self._policies.models
        used = used_of(call, object_of(body or b"") or {}, models)
        return used or Used(call.model, *_GUESSED, cost=models.cost_of(call.model, *_GUESSED))

    def _event(self, sample: Sample, reply: Any, failure: Failure | None, used: Used | None, took_s: float) -> Event:
        status = reply.status if reply is not None else 0
        outcome = failure.value if failure is not None else "ok" if status == 200 else "status"
        notes = Notes(
            route=sample.call.route.value,
            endpoint=sample.endpoint.name,
            attempts=1,
            tried=(Attempt(sample.endpoint.name, outcome, status),),
            took_ms=took_s * 1e3,
            model=sample.call.model,
            used=(used,) if used is not None else (),
        )
        return Event(time.time(), sample.call.model, notes, status=status, keeps_warm=True)
