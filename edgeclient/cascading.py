"""The first leg of a cascade: a small model is asked, and its answer kept only if it is good enough. No I/O of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import attempts, planning
from .attempts import Budget, Trace
from .cache.policy import object_of
from .dialects import texts
from .pops.selector import Selector
from .reporting import used_of
from .routing.cascade import good
from .routing.knowledge import Knowledge
from .runtime.protocol import Runtime
from .telemetry.events import Telemetry
from .values import Call, Endpoint, Json, Reply

if TYPE_CHECKING:
    from .settings import Cascade


async def ask_first(
    leg: Call, said: Cascade, candidates: Sequence[Endpoint], selector: Selector, budget: Budget, rt: Runtime,
    trace: Trace, models: Knowledge, telemetry: Telemetry,
) -> Reply | None:  # fmt: skip
    """The small model's answer if it passes the checks; None if it does not, or if none came, for whatever reason."""
    endpoints = planning.plan(leg, candidates, selector, "never", rt.now())
    if not endpoints:
        return None
    if said.within_s is not None:
        budget.deadline = min(budget.deadline, rt.now() + said.within_s)
    try:
        reply = await attempts.send(leg, endpoints, selector, budget, rt, trace)
    except Exception as error:  # the other model is still to be asked: nothing that happened here may fail the call
        if trace.is_fresh:  # no attempt failed, but something beside it
            telemetry.mishap("cascade", error)
        return None
    note_use(leg, reply, models, trace)
    if _is_good(leg, said, reply, telemetry):
        return reply
    await rt.close(reply)
    return None


def note_use(leg: Call, reply: Reply, models: Knowledge, trace: Trace) -> None:
    """Write down what a model of a cascade used, where its answer says so."""
    answer = _answer(reply)
    used = used_of(leg, answer, models) if answer is not None else None
    if used is not None:
        trace.used.append(used)


def _answer(reply: Reply) -> Json | None:
    return None if reply.status != 200 or reply.body is None else object_of(reply.body)


def _is_good(leg: Call, said: Cascade, reply: Reply, telemetry: Telemetry) -> bool:
    """True for a whole answer (as the cache wants it: not cut, not filtered, not refused) that passes the checks."""
    answer = _answer(reply)
    if answer is None or leg.dialect is None:
        return False
    sure: Sequence[float] = ()
    if said.min_logprob is not None:
        sure, answer = texts.sureness(answer), texts.without_logprobs(answer)
    if not leg.dialect.storable(answer):
        return False
    name = leg.dialect.name
    try:
        return good(said, texts.TEXTS[name](answer), sure, texts.SCHEMAS[name](leg.body))
    except Exception as error:
        telemetry.mishap("cascade check", error)
        return False
