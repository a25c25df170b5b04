"""Step 7 of a call: attempts at the planned endpoints until one gives an answer. No I/O of its own.

How many: `max_attempts` requests on the SDK's first try and one on each retry of the SDK, so that three endpoints and two
retries make five requests and not nine. Attempts that certainly never reached a provider (refused, no connection) are
free of charge. Further ones at endpoints are paid from a budget that all calls share; the client's own origin is free of it.
Nothing is tried twice in one pass, and a stream that began is never started again elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .cache.upstream import SILENT, Upstream
from .judging import OF_THE_MODEL, judge, may_be_larger, may_resend
from .noting import OUTRUN, Attempt, Used
from .pops import limits
from .pops.hedging import Hedging
from .pops.retry_budget import RetryBudget
from .pops.selector import Selector
from .runtime.protocol import AttemptFailed, Runtime
from .values import ORIGIN, UNSENT, Call, Endpoint, Failure, Outcome, Reply, SentAgain

_BROKEN = {Failure.TERMINATED, Failure.READ_TIMEOUT, Failure.PROTOCOL, Failure.NOT_AN_ANSWER}
_OUTAGES = frozenset(failure.value for failure in (UNSENT | _BROKEN) - {Failure.NO_KEY})


@dataclass(slots=True)
class Budget:
    """What one pass of a call may spend. `deadline` is on the runtime's clock; `retries` and `hedging` are all calls'."""

    attempts: int
    deadline: float
    connect_s: float
    retry_sent: SentAgain = "idempotent"
    retries: RetryBudget = field(default_factory=RetryBudget)
    hedging: Hedging | None = None  # None: no call is hedged
    goes_on: bool = False  # another model is asked when none of the endpoints answers


_attempted = lru_cache(maxsize=1024)(Attempt)  # most calls tell the same


@dataclass(slots=True)
class Trace:
    """What the attempts of one call did, and whom its answer passed; the notes are made from it."""

    tried: list[Attempt] = field(default_factory=list)
    endpoint: Endpoint = ORIGIN
    given_up: bool = False  # all have ended, and none gave an answer
    first_model: str = ""  # the small model, while a cascade asks it
    used: list[Used] = field(default_factory=list)  # by the models of a cascade
    pop: str = ""  # the site that answered, by its code
    beyond: Upstream = SILENT  # what the caches on the way say

    @property
    def shows_outage(self) -> bool:
        """True when every attempt failed, and each by its connection or with a 5xx: what RFC 5861 calls an error."""
        return self.given_up and all(one.status >= 500 or one.outcome in _OUTAGES for one in self.tried)

    @property
    def is_fresh(self) -> bool:
        """True until the first attempt at the model that is asked now."""
        return not self.tried or self.tried[-1].model != self.first_model

    def add(self, endpoint: Endpoint, outcome: str, status: int = 0) -> None:
        self.endpoint = endpoint
        self.tried.append(_attempted(endpoint.name, outcome, status, self.first_model))


@dataclass(slots=True)
class Tried:
    """How one attempt ended: `failure` is None when `reply` is a usable answer."""

    endpoint: Endpoint
    reply: Reply | None
    failure: Failure | None
    error: BaseException | None
    began: float
    ended: float
    pause_s: float | None = None  # how long the endpoint is to be spared


async def send(
    call: Call, endpoints: Sequence[Endpoint], selector: Selector, budget: Budget, rt: Runtime, trace: Trace
) -> Reply:
    """Try the endpoints in order until one answers.

    When none does, the client's own origin's reply is handed back if it gave one (the plain SDK would have it, with its
    `Retry-After`), or the one that said that the call is too long, else the last attempt's, or the HTTP library's own
    exception is raised: the SDK maps those.
    """
    left = list(endpoints)
    sent = paid = 0
    held: Tried | None = None  # its reply is kept open, for the case that nothing better comes
    while True:
        endpoint = left.pop(0)
        if sent and sent == budget.attempts - 1 and ORIGIN in left:
            endpoint, left = ORIGIN, []  # the last of several attempts is kept for the client's own origin
        more = (bool(left) or budget.goes_on) and rt.now() < budget.deadline
        connect_s = selector.patience_s(endpoint, budget.connect_s) if more else None
        after_s = None
        if budget.hedging is not None and trace.is_fresh:
            after_s = _hedge_after_s(call, endpoint, left, budget.hedging, selector, rt.now())
        if budget.hedging is not None and after_s is not None:
            ended = await _hedged(call, endpoint, left, after_s, budget.hedging, connect_s, selector, rt, trace)
        else:
            tried = await _attempt(call, endpoint, connect_s, rt)
            _learn(call, tried, selector, rt, trace, first=call.retry == 0 and trace.is_fresh)
            ended = [tried]
        last = ended[-1]
        if last.failure is None and last.reply is not None:
            budget.retries.answered(paid)
            return last.reply if held is None else await _better(last.reply, held, rt, trace)
        sent += sum(tried.failure not in UNSENT for tried in ended)
        if last.failure is Failure.TOO_LONG:
            left = [endpoint for endpoint in left if may_be_larger(endpoint, last.endpoint, call)]
        more = bool(left) and more and sent < budget.attempts and rt.now() < budget.deadline
        if not (more and last.failure is not None and may_resend(call, last.failure, budget.retry_sent)):
            break
        if last.failure not in UNSENT and left[0] is not ORIGIN:
            paid = budget.retries.pay(last.failure)
            if not paid:  # most calls fail: no more of them than the plain SDK would send
                left = [ORIGIN] if ORIGIN in left else []
                if not left:
                    break
        if held is None and (last.endpoint is ORIGIN or last.failure is Failure.TOO_LONG) and last.reply is not None:
            held = last
        else:
            await _close(last.reply, rt)
    trace.given_up = True
    if held is not None:
        await _close(last.reply, rt)
        last, trace.endpoint = held, held.endpoint
    return await _given_up(last, rt)


async def _better(reply: Reply, held: Tried, rt: Runtime, trace: Trace) -> Reply:
    """The answer, unless it only says no where an endpoint has said why: that the call is too long."""
    if held.reply is None:
        return reply
    if held.failure is Failure.TOO_LONG and reply.status >= 400:
        trace.endpoint, reply, worse = held.endpoint, held.reply, reply
    else:
        worse = held.reply
    await _close(worse, rt)
    return reply


async def _given_up(last: Tried, rt: Runtime) -> Reply:
    """The reply of the last attempt, for the SDK to make its error of; where there is none, raises the library's own."""
    if last.reply is not None and last.failure is not Failure.NOT_AN_ANSWER:
        return last.reply
    error = last.error
    if last.reply is not None:
        await rt.close(last.reply)
        error = rt.broken(f"{last.endpoint.name} gave no answer of the API (status {last.reply.status})")
    assert error is not None
    raise error


async def _close(reply: Reply | None, rt: Runtime) -> None:
    if reply is not None:
        await rt.close(reply)


def _hedge_after_s(
    call: Call, endpoint: Endpoint, left: Sequence[Endpoint], hedging: Hedging, selector: Selector, now: float
) -> float | None:
    """When the next endpoint is asked beside this one, if that is to be at all."""
    if not left or left[0] is ORIGIN or not hedging.fits(call):
        return None
    return selector.hedge_after_s(endpoint, left[0], call, now)


async def _hedged(
    call: Call, endpoint: Endpoint, left: list[Endpoint], after_s: float, hedging: Hedging, connect_s: float | None,
    selector: Selector, rt: Runtime, trace: Trace,
) -> list[Tried]:  # fmt: skip
    """An attempt, and one at the next endpoint beside it if that has no answer after so many seconds.

    The first good answer counts. Nothing is learned from the other, nor of how long the two took: they are slow by selection.
    """
    race = Race()
    spare: Endpoint | None = None

    async def run(at: Endpoint) -> bool:
        tried = await _attempt(call, at, connect_s, rt)
        if race.end(tried):
            return tried.failure is None
        await _close(tried.reply, rt)
        return False

    def second() -> Coroutine[object, object, bool] | None:
        nonlocal spare
        if not hedging.take(call, rt.now()):
            return None
        spare = left.pop(0)
        return run(spare)

    await rt.first(run(endpoint), second, after_s)
    ended = race.ended
    for at in (endpoint, spare):
        tried = next((one for one in ended if one.endpoint is at), None)
        if tried is not None:
            _learn(call, tried, selector, rt, trace, first=spare is None)
        elif at is not None:
            trace.add(at, OUTRUN)
    for tried in ended[:-1]:
        await _close(tried.reply, rt)
    trace.endpoint = ended[-1].endpoint
    return ended


class Race:
    """Who of several attempts at once was first. Thread-safe."""

    def __init__(self) -> None:
        self.ended: list[Tried] = []  # those before the end of the race, in order: at most the last one is good
        self._lock = threading.Lock()

    def end(self, tried: Tried) -> bool:
        """Note an attempt that ended; False when another was good before it."""
        with self._lock:
            if self.ended and self.ended[-1].failure is None:
                return False
            self.ended.append(tried)
            return True


async def _attempt(call: Call, endpoint: Endpoint, connect_s: float | None, rt: Runtime) -> Tried:
    """One attempt: its reply or its error, and why it is no usable answer."""
    began = rt.now()
    try:
        reply = await rt.send(call, endpoint, connect_s)
    except AttemptFailed as failed:
        return Tried(endpoint, None, failed.failure, failed.error, began, rt.now())
    meant = judge(call, endpoint, reply, rt.wall())
    return Tried(endpoint, reply, meant.failure, None, began, rt.now(), meant.pause_s)


def _learn(call: Call, tried: Tried, selector: Selector, rt: Runtime, trace: Trace, *, first: bool) -> None:
    """Report one outcome. `first`: its time tells how fast the endpoint is; later ones are slow by selection."""
    reply, failure = tried.reply, tried.failure
    status = reply.status if reply is not None else 0
    trace.add(tried.endpoint, failure.value if failure else "ok", status)
    if tried.endpoint is ORIGIN and call.keeps_origin:
        return  # a local server, say: what it does is nothing about the origin that competes
    outcome = Outcome(
        tried.endpoint,
        None if failure is Failure.TOO_LONG else failure,  # of this call, and nothing about the endpoint
        status,
        rtt_s=reply.rtt_s if reply is not None else None,
        retry_after_s=tried.pause_s,
        took_s=tried.ended - tried.began,
        sent_bytes=call.size,
        upload_bytes_s=reply.upload_bytes_s if reply is not None else None,
        cold=reply is not None and reply.cold,
        processing_s=limits.processing_s(reply) if reply is not None else None,
        call=call if (first and status < 400) or failure in OF_THE_MODEL else None,  # a refusal is quick anywhere
    )
    selector.record(outcome, tried.ended)
