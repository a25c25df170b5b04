"""A call that asks several things at once (embeddings of a list): what the cache does not know is sent. No I/O of its own.

The answer is put together of the known and of the new ones, in the order of the call. Where these do not fit together, or
the new answer does not have what was asked, the whole call is sent as it is and its answer given as it comes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from .cache.policy import dumps
from .dialects import arrays
from .dialects.usage import unused
from .policies import Policies
from .recalling import hit, not_cached, recall_parts
from .runtime.protocol import Runtime
from .values import Call, Entry, Json, Reply

Fetch = Callable[[Call, Policies, Runtime, float], Awaitable[tuple[Reply, bool]]]
_OF_THE_BODY = (b"content-length", b"content-encoding", b"transfer-encoding")


async def respond_in_parts(call: Call, edge: Policies, rt: Runtime, began: float, fetch: Fetch) -> Reply:
    """Answer it; `fetch` sends a call, and keeps the answer of each part."""
    known = await recall_parts(call, edge, rt)
    if all(key in known for key in call.parts):
        entry = _as_one(call, known)
        if entry is not None:
            return hit(call, entry, edge, rt, began)
    if call.controls.only_if_cached:
        return not_cached(call, edge, rt, began)
    asked = _rest(call, known)
    reply, _ = await fetch(asked, edge, rt, began)
    if asked is call or reply.status != 200:
        return reply
    whole = _joined(call, known, asked, reply, unpaid=edge.settings.cache.usage == "zero")
    if whole is None:
        edge.telemetry.mishap(
            "embeddings in parts", ValueError("the new ones do not fit the known ones; all are asked")
        )
        whole, _ = await fetch(call, edge, rt, began)
    return whole


def _rest(call: Call, known: Mapping[str, Entry]) -> Call:
    """The call that asks for what is not known, each thing once; the call itself where that is all of it."""
    left = {key: one for key, one in zip(call.parts, _inputs(call), strict=True) if key not in known}
    if not left or len(left) == len(call.parts) or not call.controls.lookup:
        return call
    body, size = arrays.asking(call.body, list(left.values())), call.size * len(left) // len(call.parts)
    return replace(call, body=body, size=size, parts=tuple(left), known=len(call.parts) - len(left))


def _as_one(call: Call, known: Mapping[str, Entry]) -> Entry | None:
    """All entries as one, which is as old as the oldest of them; None when they are not of one kind."""
    whole = arrays.together([json.loads(known[key].body) for key in call.parts])
    if whole is None:
        return None
    entries = known.values()
    return replace(
        known[call.parts[0]],
        key=call.key,
        body=dumps(whole),
        stored_at=min(entry.stored_at for entry in entries),
        expires_at=min(entry.expires_at for entry in entries),
        request_id=b"",
    )


def _joined(call: Call, known: Mapping[str, Entry], asked: Call, reply: Reply, *, unpaid: bool) -> Reply | None:
    """The answer of the whole call; None where the parts do not fit together. `unpaid`: what was known says no usage."""
    new = arrays.apart(_object(reply.body or b""), _inputs(asked))
    if new is None:
        return None
    answers = {key: json.loads(entry.body) for key, entry in known.items()} | dict(zip(asked.parts, new, strict=True))
    if unpaid:
        answers |= {key: unused(answers[key]) for key in known}
    whole = arrays.together([answers[key] for key in call.parts])
    if whole is None:
        return None
    headers = [(name, value) for name, value in reply.headers if name.lower() not in _OF_THE_BODY]
    return Reply(200, headers, dumps(whole), notes=reply.notes)


def _inputs(call: Call) -> list[object]:
    assert call.dialect is not None
    return arrays.inputs(call.dialect, call.body)


def _object(body: bytes) -> Json:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
