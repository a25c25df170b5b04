"""The first leg of a cascade: a small model is asked, and its answer kept only if it is good enough. No I/O of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import attempts
from .attempts import Budget, Trace
from .dialects.texts import TEXTS
from .pops.selector import Selector
from .routing.cascade import good
from .runtime.protocol import Runtime
from .telemetry.events import Telemetry
from .values import Call, Endpoint, Reply

if TYPE_CHECKING:
    from .settings import Cascade


async def ask_first(
    leg: Call, said: Cascade, candidates: Sequence[Endpoint], selector: Selector, budget: Budget, rt: Runtime,
    trace: Trace, telemetry: Telemetry,
) -> Reply | None:  # fmt: skip
    """The small model's answer if it passes the checks; None if it does not, or if none came, for whatever reason."""
    endpoints = attempts.plan(leg, candidates, selector, "never", rt.now())
    if not endpoints:
        return None
    try:
        reply = await attempts.send(leg, endpoints, selector, budget, rt, trace)
    except Exception as error:  # the other model is still to be asked: nothing that happened here may fail the call
        if trace.is_fresh:  # no attempt failed, but something beside it
            telemetry.mishap("cascade", error)
        return None
    if _is_good(leg, said, reply, telemetry):
        return reply
    await rt.close(reply)
    return None


def _is_good(leg: Call, said: Cascade, reply: Reply, telemetry: Telemetry) -> bool:
    """True for a whole answer (as the cache wants it: not cut, not filtered, not refused) that passes the checks."""
    if reply.status != 200 or reply.body is None or leg.dialect is None:
        return False
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(answer, dict) or not leg.dialect.storable(answer):
        return False
    try:
        return good(said, TEXTS[leg.dialect.name](answer))
    except Exception as error:
        telemetry.mishap("cascade check", error)
        return False
