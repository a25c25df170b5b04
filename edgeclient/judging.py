"""What one attempt means: whether its answer is one, whether the call may go on after it, and where to. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from .cache.tee import ErrorEvent
from .pops import limits, refusals
from .values import FINE, ORIGIN, Call, Endpoint, Failure, Meaning, Reply, SentAgain

OF_THE_MODEL = (Failure.REGION, Failure.MODEL_MISSING, Failure.COLD)  # the endpoint is well, and serves others
_CODE = re.compile(rb'"code":\s*"?(\d{3})\b')  # OpenRouter's; the codes of others are words


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


def may_be_larger(endpoint: Endpoint, short: Endpoint, call: Call) -> bool:
    """True unless this is, as far as anybody knows, another site of the one that the call is too long for."""
    product, other = endpoint.product, short.product
    if product is None or other is None:
        same = product is other
    elif product.context is not None and other.context is not None:
        return product.context > other.context
    else:
        same = product.name == other.name
    return not same or endpoint.name_there(call.model, call.sdk) != short.name_there(call.model, call.sdk)


def judge(call: Call, endpoint: Endpoint, reply: Reply, wall_s: float) -> Meaning:
    """Why a response is no usable answer of this endpoint, if it is none (a 4xx is one), and for how long that holds.

    The client's own origin is judged by its status alone: what else it says is the SDK's to read.
    """
    product = endpoint.product
    if product is not None and (status := product.status_of(reply)) >= 400:
        reply = reply if status == reply.status else replace(reply, status=status)
        meant = product.meaning(reply, wall_s)
        if meant is not None:
            pause_s = limits.retry_after_s(reply, wall_s) if meant.pause_s is None else meant.pause_s
            return Meaning(meant.failure, pause_s if meant.failure is not None else None)
    failure = _failure(call, endpoint, reply)
    if failure is not None:
        return Meaning(failure, limits.retry_after_s(reply, wall_s))
    pause_s = limits.exhausted_s(reply, wall_s)
    return FINE if pause_s is None else Meaning(None, pause_s)


def broken_by(error: BaseException) -> Failure | None:
    """What a stream that broke says about its endpoint; None for an event that says that the caller is to blame."""
    if not isinstance(error, ErrorEvent):
        return Failure.TERMINATED
    code = _CODE.search(error.said)
    status = int(code[1]) if code is not None else 500
    if status == 429:
        return Failure.THROTTLED
    return None if 400 <= status < 500 and status != 408 else Failure.STATUS


def _failure(call: Call, endpoint: Endpoint, reply: Reply) -> Failure | None:
    if reply.status in (429, 529):
        return Failure.THROTTLED
    if reply.status >= 500:
        return Failure.STATUS
    if endpoint is ORIGIN or call.dialect is None:
        return None
    if reply.status in refusals.STATUSES and (said := refusals.refusal(reply.status, reply.body or b"")) is not None:
        return said
    if 300 <= reply.status < 400:
        return Failure.NOT_AN_ANSWER  # redirects are not followed: a key goes nowhere it was not given for
    if reply.status == 200 and not _looks_right(call, reply):
        return Failure.NOT_AN_ANSWER
    return None


def _looks_right(call: Call, reply: Reply) -> bool:
    """False for a captive portal's page, for broken or cut JSON, and for JSON where events were asked for."""
    if call.streamed or reply.body is None:
        kind = reply.header(b"content-type").lower()
        return (not kind or kind.startswith("text/event-stream")) if call.streamed else not kind.startswith("text/html")
    body = reply.body.strip()
    return body[:1] == b"{" and body[-1:] == b"}"
