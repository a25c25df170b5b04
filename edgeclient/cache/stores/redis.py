"""Entries on a Redis or Valkey server, shared by all processes that reach it. Opens sockets, through the `redis` package.

Keys are `edgeclient:1:GENERATION:KEY`, with the server's own expiry; the 1 is the version of these names. The generation
is a word that stands under `edgeclient:1:generation`; a new word there makes all entries unreachable at once, and they expire
by themselves. It is a random word, not a number: if the server evicts it, the next one is new, and nothing that was cleared
comes back. What was made invalid is a set, `edgeclient:1:marks:GENERATION`. Where there is one the word under
`edgeclient:1:generation` is followed by a `!`, which is no part of it: if the server evicts the set, that is seen, and a new
generation begins.

Its sync client serves tasks too, in the reader's thread: a lookup can be left at its deadline while the connection goes on
being made, which takes several round trips where a budget has room for one.
"""

from __future__ import annotations

import importlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .backend import Record

_PREFIX = "edgeclient:1:"
_GENERATION = f"{_PREFIX}generation"
_FLAG = b"!"
_PIECE = 200  # entries that a scan asks for at once
_LONGEST_S = 1.0  # for one step of the reader or the writer; a caller leaves at its budget


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and who we are there. With a `service` the hosts are Sentinels, who know where it is now."""

    hosts: tuple[tuple[str, int], ...]
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    service: str = ""
    cluster: bool = False


class RedisBackend:
    """A `Backend` on one server, on the one that Sentinels name, or on a cluster. Needs the `redis` package."""

    quick = False

    def __init__(self, address: Address) -> None:
        import redis

        self._redis, self._address = redis, address
        self._lock = threading.Lock()
        self._client: Any = None
        self._generation: bytes | None = None

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        for _ in range(2):  # the second time when the entries were cleared since the last one
            generation = self._generation
            said, *found = self._get([_GENERATION, *(_name(generation, key) for key in keys)])
            self._generation = _bare(said)
            if self._generation is None:
                break
            if generation == self._generation:
                return found
        return [None] * len(keys)

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        client = self._connected()
        generation = self._generation or _bare(self._begin(client))
        pipe = client.pipeline(transaction=False)
        for key in deleted:
            pipe.delete(_name(generation, key))
        for record in saved:
            pipe.set(_name(generation, record.key), record.data, px=max(1, int(record.ttl_s * 1e3)))
        pipe.get(_GENERATION)
        self._generation = _bare(pipe.execute()[-1])

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        client = self._connected()
        said = client.get(_GENERATION) or self._begin(client)
        name = _marks(said)
        client.sadd(name, *added)
        if dropped:
            client.srem(name, *dropped)
        if not said.endswith(_FLAG) and client.append(_GENERATION, _FLAG) == len(_FLAG):
            self.clear()  # the word was evicted just now

    def marks(self) -> list[str]:
        client = self._connected()
        said = client.get(_GENERATION)
        if said is None or not said.endswith(_FLAG):
            return []
        found = [what.decode("utf-8", "replace") for what in client.smembers(_marks(said))]
        if not found:
            self.clear()  # the set was evicted, and nobody knows what is valid
        return found

    def clear(self) -> None:
        word, client = _word(), self._connected()
        said = client.getset(_GENERATION, word)
        self._generation = word
        if said is not None and said.endswith(_FLAG):
            client.delete(_marks(said))

    def usage(self) -> tuple[int, int]:
        """Unknown: only a scan of all keys would tell."""
        return 0, 0

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """All entries that can be found now; those that were cleared, and wait for their expiry, are none."""
        client = self._connected()
        begin = _name(_bare(client.get(_GENERATION)), "")
        names = (name for name in client.scan_iter(match=f"{begin}*", count=_PIECE))
        while piece := list(islice(names, _PIECE)):
            pipe = client.pipeline(transaction=False)
            for name in piece:
                pipe.get(name)
            for name, found in zip(piece, pipe.execute(raise_on_error=False), strict=True):
                if found is not None:  # else it has expired meanwhile
                    yield name.decode("utf-8", "replace")[len(begin) :], found if isinstance(found, bytes) else b""

    def close(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            if not self._address.cluster:
                client.connection_pool.disconnect()

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._client = None

    def _get(self, names: Sequence[str]) -> list[bytes | None]:
        """What stands under each name: by one command, which costs redis-py a third of a pipeline; not so in a cluster."""
        client = self._connected()
        found: list[bytes | None]
        if self._address.cluster:
            pipe = client.pipeline(transaction=False)
            for name in names:
                pipe.get(name)
            found = pipe.execute()
        else:
            found = client.mget(names)
        return found

    def _begin(self, client: Any) -> bytes:
        """The generation of a server that has none yet, or whose generation we do not know; with its flag."""
        pipe = client.pipeline(transaction=False)
        pipe.set(_GENERATION, _word(), nx=True)
        pipe.get(_GENERATION)
        found: bytes = pipe.execute()[-1]
        return found

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._made()
            return self._client

    def _made(self) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        where = self._address
        never = Retry(NoBackoff(), 0)  # the pool notices stale connections by itself; the rest is the breaker's
        times: dict[str, Any] = {
            "socket_timeout": _LONGEST_S,
            "socket_connect_timeout": _LONGEST_S,
            "socket_keepalive": True,
        }
        tls: dict[str, Any] = {"ssl": True, "ssl_check_hostname": True} if where.tls else {}
        said = {"username": where.username, "password": where.password, "retry": never, "protocol": 2, **times, **tls}
        if where.service:
            sentinels = _untyped("redis.sentinel").Sentinel(
                where.hosts, sentinel_kwargs={**times, **tls}, db=where.db, **said
            )
            return sentinels.master_for(where.service)
        if where.cluster:
            cluster = _untyped("redis.cluster")
            return cluster.RedisCluster(startup_nodes=[cluster.ClusterNode(*host) for host in where.hosts], **said)
        ((host, port),) = where.hosts
        return self._redis.Redis(host=host, port=port, db=where.db, **said)


def _untyped(module: str) -> Any:
    """A part of redis-py whose types are not all there."""
    return importlib.import_module(module)


def _name(generation: bytes | None, key: str) -> str:
    return f"{_PREFIX}{(generation or b'').decode('latin-1')}:{key}"


def _bare(said: bytes | None) -> bytes | None:
    """The generation's word without what follows it."""
    return None if said is None else said.rstrip(_FLAG)


def _marks(said: bytes) -> str:
    return f"{_PREFIX}marks:{said.rstrip(_FLAG).decode('latin-1')}"


def _word() -> bytes:
    return secrets.token_hex(6).encode()
