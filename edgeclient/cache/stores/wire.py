"""An entry as bytes, to be kept outside this process, and back. Pure, and nothing in it is ever run: JSON and a body.

Schema 1:  b"ec", the schema as one byte, a digest of 8 bytes over the key and all that follows, the length of the head
(4 bytes, the highest first), the head, the answer's body. The head is a JSON list: [has_usage, headers (one or none:
["request-id", value]), size (for older readers), stored_at, expires_at, id, endpoint, pop]. The key is in the digest and not
in the bytes: under another key they are damaged.
Schema 2:  the head has one more item, stale_s.
Schema 3:  the head has four more items: model, namespace, named, tags.
Schema 4:  the head has one more item, the pace of a stream in base64.
Schema 5:  the head has one more item, true: the answer calls tools.
The lowest is written that holds all of an entry. Of one that does not say its model nobody knows it.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from sys import intern
from typing import Any

from ...values import Entry

SCHEMA = 5  # the highest that is read

CLEAR, SEALED = b"ec", b"es"  # how an entry begins; `sealed` writes the other kind
_DIGEST = 8
_LACKING: dict[int, list[Any]] = {
    1: [0.0, "", "", "", (), "", False],
    2: ["", "", "", (), "", False],
    3: ["", False],
    4: [False],
    5: [],
}  # what a head does not say
_START = len(CLEAR) + 1 + _DIGEST
_dumps = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Damaged(Exception):
    """These bytes are no entry, or not the one that was written under this key."""


class Foreign(Damaged):
    """These bytes do not even begin as an entry does: somebody else's."""


class Unreadable(Exception):
    """Sealed with a key that we do not have: another tenant's, or a retired one. It is not ours to remove."""


class InClear(Unreadable):
    """Not sealed, where all should be. Nobody vouches for it."""


class Newer(Exception):
    """A newer version of this library wrote them. It still wants them: leave them alone."""


def encode(entry: Entry) -> bytes:
    """The entry as bytes of the lowest schema that holds all of it."""
    headers = [("request-id", entry.request_id.decode("latin-1"))] if entry.request_id else []
    said = [
        entry.has_usage,
        headers,
        entry.size,
        entry.stored_at,
        entry.expires_at,
        entry.id,
        entry.endpoint,
        entry.pop,
    ]
    schema = 1
    if entry.model or entry.namespace or entry.named or entry.tags or entry.pace or entry.calls_tools:
        schema = 3
        said += [entry.stale_s, entry.model, entry.namespace, entry.named, entry.tags]
        if entry.pace or entry.calls_tools:
            schema = 4
            said.append(b64encode(entry.pace).decode())
        if entry.calls_tools:
            schema = 5
            said.append(True)
    elif entry.stale_s:
        schema = 2
        said.append(entry.stale_s)
    head = _dumps(said).encode()
    rest = b"".join((len(head).to_bytes(4, "big"), head, entry.body))
    return b"".join((CLEAR, bytes((schema,)), _digest(entry.key, rest), rest))


def decode(key: str, data: bytes) -> Entry:
    """The entry that was written under this key. Raises `Damaged`, `Newer` or `Unreadable`, and nothing else."""
    if data[:2] == SEALED:
        raise Unreadable("it is sealed, and the settings name no key (cache.encryption)")
    if len(data) <= _START or data[:2] != CLEAR:
        raise Foreign(f"{len(data)} bytes that do not begin as an entry does")
    if data[2] > SCHEMA:
        raise Newer(f"schema {data[2]}; this version reads up to {SCHEMA}")
    digest, rest = data[3:_START], data[_START:]
    if data[2] == 0 or digest != _digest(key, rest):
        raise Damaged(f"{len(data)} bytes that are not what was written")
    try:
        return _read(key, data[2], rest)
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(f"{len(data)} bytes that spell no entry") from error


def _read(key: str, schema: int, rest: bytes) -> Entry:
    end = 4 + int.from_bytes(rest[:4], "big")
    said: list[Any] = [*json.loads(rest[4:end].decode()), *_LACKING[schema]]
    *first, stale_s, model, namespace, named, tags, pace, calls_tools = said
    has_usage, headers, _, stored_at, expires_at, id_, endpoint, pop = first
    return Entry(
        key=key,
        body=rest[end:],
        has_usage=bool(has_usage),
        stored_at=float(stored_at),
        expires_at=float(expires_at),
        id=id_,
        endpoint=endpoint,
        pop=pop,
        request_id=next((value for _, value in headers), "").encode("latin-1"),
        stale_s=float(stale_s),
        model=intern(model),  # thousands of entries have the same few
        namespace=intern(namespace),
        named=named,
        tags=tuple(tags),
        pace=b64decode(pace, validate=True),
        calls_tools=bool(calls_tools),
    )


def _digest(key: str, rest: bytes) -> bytes:
    seen = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, person=b"edgeclient-entry")
    seen.update(b"\0")
    seen.update(rest)
    return seen.digest()
