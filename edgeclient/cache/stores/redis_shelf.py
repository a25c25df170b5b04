"""Small documents on a Redis or Valkey server, for all processes that reach it. Opens sockets, through `redis`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .redis_line import Address, connect, disconnect
from .redis_names import PATHS


class RedisShelf:
    """Documents by name. Connects for each step, and keeps nothing open.

    Blocking; raises what the `redis` package raises.
    """

    far = True

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self, name: str, most: int) -> bytes | None:
        """The document of that name, or its first `most` bytes; None when there is none."""
        with _connection(self._address) as client:
            found: bytes = client.getrange(PATHS + name, 0, most - 1)
        return found or None

    def write(self, name: str, document: bytes, keep_s: float) -> None:
        """Put a document into the place of the one before, at once. Unless it is written again, it goes after `keep_s`."""
        with _connection(self._address) as client:
            client.set(PATHS + name, document, ex=int(keep_s))


@contextmanager
def _connection(where: Address) -> Iterator[Any]:
    client = connect(where)
    try:
        yield client
    finally:
        disconnect(client, where)
