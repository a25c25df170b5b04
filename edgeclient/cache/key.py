"""The exact cache's key: everything that can change an answer, by exclusion of what cannot. Pure.

Key version 2. A key is 32 hexadecimal digits of SHA-256 over the canonical JSON of the request's parts. In the body a
string of more than 64 characters is told by its length there (`#900`, without quotes: no JSON is like it), and all of them
follow after the end, in order: escaping them would take longer than all the rest. Both doors make the key from the parsed
body, so it does not depend on how the bytes were written. A question that the caller names is told by that name and the model
in place of the body, and by all the other parts as ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from ..values import Json

SHARED = "shared"  # stands for a credential where all callers share: no digest is like it

VERSION = 2

BODY_LEFT_OUT = frozenset(
    {
        "stream",  # one entry serves both forms
        "stream_options",  # asks for usage in the stream: the dialect checks that the entry has it
    }
)

CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")

HEADERS_LEFT_OUT = frozenset(
    {
        # about the connection or the encoding of the same answer
        "host", "connection", "content-length", "content-type", "accept", "accept-encoding", "user-agent", "te",
        "transfer-encoding", "keep-alive", "cache-control", "pragma",
        # tracing and retrying: other words, the same question
        "traceparent", "tracestate", "baggage", "idempotency-key", "x-request-id", "x-client-request-id",
        # credentials: in the key as a digest
        *CREDENTIALS,
    }
)  # fmt: skip

PREFIXES_LEFT_OUT = ("x-stainless-", "edge-")  # the SDK's own telemetry; words for us


_encoder: Any = json.encoder  # its types do not name these parts of it
_quoted: Callable[[str], str] = _encoder.encode_basestring_ascii


def _encoding() -> Any:
    """Spells JSON in pieces: what `JSONEncoder.encode` makes anew for each call, where this Python has it."""
    if _encoder.c_make_encoder is None:
        return json.JSONEncoder(sort_keys=True, separators=(",", ":")).iterencode
    return _encoder.c_make_encoder(None, None, _quoted, None, ":", ",", True, False, True)


_encode = _encoding()


def _canonical(said: object) -> str:
    return "".join(_encode(said, 0))


@lru_cache(maxsize=1024)
def counts(header: str) -> bool:
    """True for a header that can change an answer: everything but the lists above."""
    return header not in HEADERS_LEFT_OUT and not header.startswith(PREFIXES_LEFT_OUT)


def credential_digest(headers: Sequence[tuple[str, str]]) -> str:
    """Tells callers apart without telling their keys; "" when no credential is to be seen."""
    return _digest(tuple(headers))


@lru_cache(maxsize=64)
def _digest(headers: tuple[tuple[str, str], ...]) -> str:
    shown = sorted(f"{name}:{value}" for name, value in headers if name in CREDENTIALS and value)
    if not shown:
        return ""
    return hashlib.blake2b("\n".join(shown).encode(), digest_size=16, person=b"edgeclient-cred").hexdigest()


LARGE = 16 * 2**10  # bytes


def exact_key(
    *, credential: str, method: str, origin: str, path: str, query: str, family: str, headers: Iterable[tuple[str, str]],
    body: Json, scope: tuple[str, ...] = (), size: int = LARGE,
) -> str:  # fmt: skip
    """The key of one request. `family` names the kind of endpoint that answers (dialect and route).

    `scope`: the namespace, and what the caller calls the question; () for neither, and every scope has keys of its own.
    `size`: of the body, as it came; what is small is spelled in one go, what is large with its long strings put aside. A
    question that is written in two ways, one on either side of that size, has two keys.
    """
    asked = body
    if len(scope) > 1:
        asked = {"model": body.get("model")}
    elif not BODY_LEFT_OUT.isdisjoint(body):
        asked = {name: value for name, value in body.items() if name not in BODY_LEFT_OUT}
    begun = _begun(credential, method, origin, path, query, family, _kept(tuple(headers)), *scope)
    if size < LARGE:
        return hashlib.blake2b(f"{begun}{_canonical(asked)}]".encode(), digest_size=16).hexdigest()  # quick to begin
    long: list[str] = []
    digest = hashlib.sha256(  # quick to go on
        f"{begun}{_spelled(asked, long)}]".encode()
    )
    for n in range(0, len(long), _AT_ONCE):
        digest.update("".join(long[n : n + _AT_ONCE]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


_LONG = 64  # characters
_AT_ONCE = 64  # strings: pieces of some tens of kilobytes need no new pages of memory


def _spelled(said: Json, long: list[str]) -> str:
    """The canonical JSON, with its long strings put aside into `long`."""

    def text(one: str) -> str:
        if len(one) <= _LONG:
            return _quoted(one)
        long.append(one)
        return f"#{len(one)}"

    # What `JSONEncoder.iterencode` does, which takes no function for strings; the second is for Pythons without the first.
    encode: Any = (
        _encoder.c_make_encoder(None, None, text, None, ":", ",", True, False, True)
        if _encoder.c_make_encoder is not None
        else _encoder._make_iterencode(None, None, text, None, float.__repr__, ":", ",", True, False, True)
    )
    parts = []
    for name in sorted(said):
        value = said[name]
        spelled = text(name)  # before the value: it may be long
        if type(value) is list and value and type(value[0]) is dict:
            parts.append(f"{spelled}:[{','.join(_items(value, encode, long, text))}]")
        else:
            parts.append(f"{spelled}:{''.join(encode(value, 0))}")
    return f"{{{','.join(parts)}}}"


def _items(items: list[Any], encode: Any, long: list[str], text: Callable[[str], str]) -> Iterator[str]:
    """Those of a list of objects, in pieces. Of a role and a text, as most are in a long chat, it takes half as long to write
    them here: the encoder would call `text` four times for each."""
    others: list[Any] = []  # that come next
    for item in items:
        if type(item) is dict and len(item) == 2:
            content, role = item.get("content"), item.get("role")
            if type(content) is str and type(role) is str:
                if others:
                    yield "".join(encode(others, 0))[1:-1]
                    others = []
                if len(content) > _LONG:  # as `text` does
                    long.append(content)
                    yield f'{{"content":#{len(content)},"role":{text(role)}}}'
                else:
                    yield f'{{"content":{_quoted(content)},"role":{text(role)}}}'
                continue
        others.append(item)
    if others:
        yield "".join(encode(others, 0))[1:-1]


@lru_cache(maxsize=64)
def _kept(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in headers if counts(name)))


@lru_cache(maxsize=256)
def _begun(*said: object) -> str:
    """The canonical JSON of [version, everything but the body, body] as far as it is the same from call to call."""
    return f"{_canonical([VERSION, *said])[:-1]},"
