"""Which headers may travel to another host than the one they were made for. Reads the environment.

A key never goes to a host it was not given for. Headers that carry credentials are taken off a request before it is
aimed elsewhere; an endpoint then gets the key it was given, in the header in which the SDK had put the caller's own.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any

CALLERS = ("authorization", "x-api-key", "api-key")  # where the SDKs put the caller's own key
_ACCOUNTS = ("openai-organization", "openai-project")  # name the caller's account
_VARIABLE = re.compile(r"env:(\w+)")
_HARMLESS = ("idempotency-key", "prompt-cache-key")
_SECRET = re.compile(
    r"auth|key|token|secret|cookie|credential|passw|signature|session|jwt|bearer|assertion|(^|[-_])(pass|pat|pwd)($|[-_])"
)


def replace(headers: Any, key: Any, where: str = "") -> None:
    """Make a request's headers fit for an endpoint with `key` (a settings `Key`). `headers` is changed in place.

    `where` says which header the endpoint's key goes to: one of `CALLERS`, or "both"; "" is where the caller's own was.
    """
    passes = key is not None and key.passes_through
    secrets, place = _secrets(tuple([line[0] for line in headers.raw]))
    for name in secrets:
        if not (passes and name in CALLERS) and name in headers:
            del headers[name]
    if passes:
        return
    for name in _ACCOUNTS:
        if name in headers:
            del headers[name]
    secret = key.read() if key is not None else ""
    if secret and not (secret.isascii() and secret.isprintable() and secret == secret.strip()):
        raise ValueError("it is no header value: it has line breaks, outer spaces or characters outside ASCII")
    if secret:
        for name in ("authorization", "x-api-key") if where == "both" else (where or place or "authorization",):
            headers[name] = f"Bearer {secret}" if name == "authorization" else secret


def filled_in(value: str) -> str:
    """A header's value with each "env:NAME" read now."""
    return _VARIABLE.sub(lambda found: os.environ.get(found[1], ""), value) if "env:" in value else value


@lru_cache(maxsize=256)
def _secrets(names: tuple[bytes, ...]) -> tuple[tuple[str, ...], str]:
    """Which of a request's headers may carry a secret, and the one that carries the caller's key."""
    secrets = tuple([name for raw in names if (name := _secret(raw))])
    return secrets, next((name for name in CALLERS if name in secrets), "")


def harmless_query(query: bytes) -> bytes:
    """A query without the parameters that may carry a secret."""
    kept = [part for part in query.split(b"&") if not _secret(part.partition(b"=")[0])]
    return b"&".join(kept)


def may_be_secret(parameter: str) -> bool:
    """True for a parameter of a query whose value may be a secret."""
    return bool(_secret(parameter.encode("utf-8", "replace")))


@lru_cache(maxsize=1024)
def lower(name: bytes) -> str:
    """A header's name as the pipeline writes it."""
    return name.decode("latin-1").lower()


def _secret(raw: bytes) -> str:
    """A header's name if it may carry a secret, else ""."""
    name = lower(raw)
    return "" if name in _HARMLESS or name.startswith("x-stainless-") or not _SECRET.search(name) else name
