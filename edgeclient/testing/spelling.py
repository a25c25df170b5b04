"""Calls as they stand in a recording: JSON where it is JSON, events where it is a stream, text, else base64. Pure.

A request keeps no headers, and an answer those that SDKs act on; credentials, cookies and accounts are in neither.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap
from collections.abc import Collection
from typing import Any

from ..http import credentials
from ..http.taping import Answered, Asked, Broke, Outcome
from .scrubbing import SCRUBBED, Scrubber

Json = dict[str, Any]

HEADERS = frozenset(
    {"content-type", "retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "request-id", "location"}
)
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_EVENT_END = "\n\n"


def request(asked: Asked, scrub: Scrubber) -> Json:
    """A request as it is written down, and compared: by method, host, path, query and body."""
    query = [[name, SCRUBBED if credentials.may_be_secret(name) else scrub.text(value)] for name, value in asked.query]
    body = asked.body
    boundary = _BOUNDARY.search(asked.content_type)
    if boundary is not None:  # drawn anew for each upload
        body = body.replace(boundary[1].encode("latin-1"), b"boundary")
    return {
        "method": asked.method,
        "host": "localhost" if asked.host in _LOOPBACK else scrub.text(asked.host),
        "path": scrub.text(asked.path),
        **({"query": sorted(query)} if query else {}),
        **_body(body, asked.content_type, scrub),
    }


def outcome(had: Outcome, scrub: Scrubber, headers: Collection[str]) -> Json:
    """How a call went, as it is written down."""
    if isinstance(had, Broke):
        return {"error": had.error, "message": scrub.text(had.message)}
    kept = {name: scrub.text(value) for name, value in had.headers if _is_kept(name, headers)}
    broke = outcome(had.broke, scrub, headers) if had.broke is not None else {}
    return {"status": had.status, "headers": kept, **_body(had.body, kept.get("content-type", ""), scrub), **broke}


def read_outcome(said: Json) -> Outcome:
    """The same back. Raises KeyError, TypeError or ValueError for what is none."""
    broke = Broke(str(said["error"]), str(said["message"])) if "error" in said else None
    if broke is not None and "status" not in said:
        return broke
    return Answered(int(said["status"]), tuple(dict(said["headers"]).items()), _read_body(said), broke)


def _is_kept(name: str, more: Collection[str]) -> bool:
    return name in HEADERS or name in more or name.startswith(_LIMITS)


def _body(body: bytes, content_type: str, scrub: Scrubber) -> Json:
    if not body:
        return {}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": textwrap.wrap(base64.b64encode(scrub.binary(body)).decode(), 100)}
    if "json" in content_type:
        try:
            return {"json": scrub.value(json.loads(text))}
        except (ValueError, RecursionError):
            pass  # half an answer is an answer too
    if content_type.startswith("text/event-stream"):
        return {"events": scrub.text(text).split(_EVENT_END)}
    return {"text": scrub.text(text)}


def _read_body(said: Json) -> bytes:
    if "json" in said:
        return json.dumps(said["json"], separators=(",", ":")).encode()
    if "events" in said:
        return _EVENT_END.join(said["events"]).encode()
    if "base64" in said:
        return base64.b64decode("".join(said["base64"]))
    return str(said.get("text", "")).encode()
