"""Steps 6 and 7 of a call: the plan, and its attempts until one gives an answer. No I/O of its own.

How many: `max_attempts` requests on the SDK's first try and one on each retry of the SDK, so that three endpoints and two
retries make five requests and not nine. Attempts that certainly never reached a provider (refused, no connection) are
free of charge. Nothing is tried twice in one pass, and a stream that began is never started again elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .noting import Attempt
from .pops import limits
from .pops.selector import Selector
from .runtime.protocol import AttemptFailed, Runtime
from .values import ORIGIN, UNSENT, Call, Endpoint, Failure, Outcome, Reply, SentAgain


@dataclass(slots=True)
class Budget:
    """What one pass of a call may spend. `deadline` is on the runtime's clock."""

    attempts: int
    deadline: float
    connect_s: float
    retry_sent: SentAgain = "idempotent"


@dataclass(slots=True)
class Trace:
    """What the attempts of one call did; the notes are made from it."""

    tried: list[Attempt] = field(default_factory=list)
    endpoint: Endpoint = ORIGIN

    def add(self, endpoint: Endpoint, outcome: str, status: int = 0) -> None:
        self.endpoint = endpoint
        self.tried.append(Attempt(endpoint.name, outcome, status))


def plan(call: Call, candidates: Sequence[Endpoint], selector: Selector, origin: str, now: float) -> list[Endpoint]:
    """The endpoints to try, in order. `origin` says where the client's own stands: "last", "never", or as a "candidate"."""
    if not candidates:
        return [] if origin == "never" else [ORIGIN]
    good, rest = selector.plan(candidates, now, again=call.retry > 0, call=call)
    return [*good, ORIGIN, *rest] if origin == "last" else [*good, *rest]


async def send(
    call: Call, endpoints: Sequence[Endpoint], selector: Selector, budget: Budget, rt: Runtime, trace: Trace
) -> Reply:
    """Try the endpoints in order until one answers.

    When none does, the client's own origin's reply is handed back if it gave one (the plain SDK would have it, with its
    `Retry-After`), else the last attempt's, or the HTTP library's own exception is raised: the SDK maps those.
    """
    left = list(endpoints)
    sent = 0
    origins: Reply | None = None  # what the origin said, kept open while ejected endpoints are tried after it
    while True:
        endpoint = left.pop(0)
        if sent and sent == budget.attempts - 1 and ORIGIN in left:
            endpoint, left = ORIGIN, []  # the last of several attempts is kept for the client's own origin
        more = bool(left) and rt.now() < budget.deadline
        reply, failure, error = await _attempt(call, endpoint, budget.connect_s if more else None, selector, rt, trace)
        if failure is None and reply is not None:
            await _close(origins, rt)
            return reply
        sent += failure not in UNSENT
        more = more and sent < budget.attempts and rt.now() < budget.deadline
        if not (more and failure is not None and may_resend(call, failure, budget.retry_sent)):
            break
        if endpoint is ORIGIN:
            origins = reply
        else:
            await _close(reply, rt)
    if origins is not None:
        await _close(reply, rt)
        return origins
    if reply is not None and failure is not Failure.NOT_AN_ANSWER:
        return reply
    if reply is not None:
        await rt.close(reply)
        error = rt.broken(f"{endpoint.name} gave no answer of the API (status {reply.status})")
    assert error is not None
    raise error


async def _close(reply: Reply | None, rt: Runtime) -> None:
    if reply is not None:
        await rt.close(reply)


async def _attempt(
    call: Call, endpoint: Endpoint, connect_s: float | None, selector: Selector, rt: Runtime, trace: Trace
) -> tuple[Reply | None, Failure | None, BaseException | None]:
    """One attempt: its reply or its error, and why it is no usable answer. Reports exactly one outcome."""
    began = rt.now()
    reply: Reply | None = None
    error: BaseException | None = None
    try:
        reply = await rt.send(call, endpoint, connect_s)
        failure = judge(call, endpoint, reply)
    except AttemptFailed as failed:
        failure, error = failed.failure, failed.error
    status = reply.status if reply is not None else 0
    trace.add(endpoint, failure.value if failure else "ok", status)
    now = rt.now()
    if endpoint is ORIGIN and call.keeps_origin:
        return reply, failure, error  # a local server, say: what it does is nothing about the origin that competes
    selector.record(
        Outcome(
            endpoint,
            failure,
            status,
            rtt_s=reply.rtt_s if reply is not None else None,
            retry_after_s=_pause_s(reply, failure, rt.wall()) if reply is not None else None,
            took_s=now - began,
            sent_bytes=call.size,
            cold=reply is not None and reply.cold,
            processing_s=limits.processing_s(reply) if reply is not None else None,
            call=call if call.retry == 0 and len(trace.tried) == 1 else None,  # later ones are slow by selection
        ),
        now,
    )
    return reply, failure, error


def may_resend(call: Call, failure: Failure, retry_sent: SentAgain = "idempotent") -> bool:
    """True when the call may go to another endpoint after this failure; by default never at the risk of being billed twice.

    An answer that says no, or that is none, was not billed. A connection that broke after the request had gone may have
    been: then only an idempotent call goes on here, unless `retry_sent` says otherwise. For the others the error goes up, and
    the SDK's own retry comes down again, as it would in the plain SDK, and takes the next endpoint.
    """
    if failure is Failure.READ_TIMEOUT:  # the provider may still be at work, and the caller's patience is spent
        return retry_sent == "always"
    if failure in (Failure.TERMINATED, Failure.PROTOCOL):
        return retry_sent == "always" or (retry_sent == "idempotent" and call.idempotent)
    if failure is Failure.UNACKNOWLEDGED:  # not received, unless it was the acknowledgement that got lost
        return retry_sent != "never"
    return True


def judge(call: Call, endpoint: Endpoint, reply: Reply) -> Failure | None:
    """Why a response is no usable answer of this endpoint; None when it is one (a 4xx is an answer).

    The client's own origin is judged by its status alone: what else it says is the SDK's to read.
    """
    if reply.status in (429, 529):
        return Failure.THROTTLED
    if reply.status >= 500:
        return Failure.STATUS
    if endpoint is ORIGIN or call.dialect is None:
        return None
    if 300 <= reply.status < 400:
        return Failure.NOT_AN_ANSWER  # redirects are not followed: a key goes nowhere it was not given for
    if reply.status == 200 and not _looks_right(call, reply):
        return Failure.NOT_AN_ANSWER
    return None


def _looks_right(call: Call, reply: Reply) -> bool:
    """False for a captive portal's page, for broken or cut JSON, and for JSON where events were asked for."""
    kind = reply.header(b"content-type").lower()
    if call.streamed:
        return not kind or kind.startswith("text/event-stream")
    if reply.body is None:
        return not kind.startswith("text/html")
    body = reply.body.strip()
    return body[:1] == b"{" and body[-1:] == b"}"


def _pause_s(reply: Reply, failure: Failure | None, wall_s: float) -> float | None:
    """The pause that a reply asks for, or that its rate limit demands before the next call is refused."""
    return limits.retry_after_s(reply, wall_s) if failure is not None else limits.exhausted_s(reply, wall_s)
