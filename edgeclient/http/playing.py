"""Lets a tape answer a request, or sends it on and lets the tape record what comes. Written once for both colours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ..runtime.protocol import run_sync
from ..values import Reply
from . import bodies, credentials, failing, families, responses
from .taping import Answered, Asked, Broke, Outcome, Tape, going_out

_SHORT = 16  # characters; a shorter credential is a placeholder, and might be found in any text


def play(tape: Tape, request: Any, go: Callable[[Any], Any], *, live: bool) -> Any:
    """The response of a sync client's request. `go` sends it. Raises what the HTTP library raised, or an `EdgeError`."""

    async def done(what: Callable[..., Any], *said: Any) -> Any:
        return what(*said)

    return run_sync(_play(tape, request, go, done, live=live, is_async=False))


async def play_async(tape: Tape, request: Any, go: Callable[[Any], Any], *, live: bool) -> Any:
    """The same for an async client."""

    async def done(what: Callable[..., Any], *said: Any) -> Any:
        return await what(*said)

    return await _play(tape, request, go, done, live=live, is_async=True)


async def _play(
    tape: Tape,
    request: Any,
    go: Callable[[Any], Any],
    done: Callable[..., Awaitable[Any]],
    *,
    live: bool,
    is_async: bool,
) -> Any:
    await done(
        request.aread if is_async else request.read
    )  # an upload can be read once: then it is kept in the request
    turn = tape.turn(_asked(request))
    outcome = turn.outcome
    if outcome is None:
        outcome = turn.record(await _gone_out(request, go, done, is_async=is_async))
    broke = outcome if isinstance(outcome, Broke) else outcome.broke
    error = families.native_error(request, broke.error, broke.message) if broke is not None else None
    if error is not None and not (live and isinstance(outcome, Answered)):
        raise error
    assert isinstance(outcome, Answered)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in outcome.headers]
    native = responses.hand_over(Reply(outcome.status, headers, outcome.body), request, live=live, is_async=is_async)
    if error is not None:
        native.stream = bodies.teed(families.family_of(request), is_async)(native.stream, _Breaks(error))
    return native


class _Breaks:
    """Watches a body, and lets it break where it ends."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def feed(self, part: bytes) -> None: ...

    def end(self, *, complete: bool, error: BaseException | None = None) -> None:
        if complete:
            raise self._error


async def _gone_out(
    request: Any, go: Callable[[Any], Any], done: Callable[..., Awaitable[Any]], *, is_async: bool
) -> Outcome:
    """How it went, with the whole body: a stream is read to its end before its reader gets any of it."""
    before = going_out.set(True)
    try:
        native = await done(go, request)
    except Exception as error:
        return _broke(error)
    finally:
        going_out.reset(before)
    parts: list[bytes] = []
    broke = None
    try:
        if is_async:
            async for part in native.aiter_bytes():
                parts.append(part)
        else:
            for part in native.iter_bytes():
                parts.append(part)
    except Exception as error:
        broke = _broke(error)
    finally:
        await done(native.aclose if is_async else native.close)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in native.headers.raw]
    return Answered(native.status_code, tuple(headers), b"".join(parts), broke)


def _broke(error: Exception) -> Broke:
    """What an exception of the HTTP library was; raises it again when it is none (a bug, or a hook of the user's)."""
    kind = failing.request_error(error)
    if not kind:
        raise error
    return Broke(kind, str(error))


def _asked(request: Any) -> Asked:
    url, secrets = request.url, [request.headers.get(name, "") for name in credentials.CALLERS]
    return Asked(
        method=request.method,
        host=url.host,
        path=url.path,
        query=tuple(url.params.multi_items()),
        content_type=request.headers.get("content-type", ""),
        body=request.content,
        secrets=tuple([said for one in secrets if len(said := one.removeprefix("Bearer ")) >= _SHORT]),
    )
