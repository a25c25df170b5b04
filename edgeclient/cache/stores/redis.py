"""Entries on a Redis or Valkey server, shared by all processes that reach it. Opens sockets, through the `redis` package.

Keys are `edgeclient:1:GENERATION:KEY`, with the server's own expiry; the 1 is the version of these names. The generation
is a word that stands under `edgeclient:1:generation`; a new word there makes all entries unreachable at once, and they expire
by themselves. It is a random word, not a number: if the server evicts it, the next one is new, and nothing that was cleared
comes back. What was made invalid is a set, `edgeclient:1:marks:GENERATION`. Where there is one the word under
`edgeclient:1:generation` is followed by a `!`, which is no part of it: if the server evicts the set, that is seen, and a new
generation begins. What is remembered of paths stands beside them, as `edgeclient:1:paths:NAME`, and is not cleared.

Its sync client serves tasks too, in the reader's thread: a lookup can be left at its deadline while the connection goes on
being made, which takes several round trips where a budget has room for one.
"""

from __future__ import annotations

import importlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .backend import OVER_S, Lease, Record, Wish
from .replicas import Replicas

_PREFIX = "edgeclient:1:"
_GENERATION = f"{_PREFIX}generation"
_FLAG = b"!"
_PIECE = 200  # entries that a scan asks for at once
_SHELF = f"{_PREFIX}paths:"  # no generation is spelled so: they are hexadecimal
# A lease has the name of its entry in braces, which a cluster keeps in the same slot. Its value is a token; `-`: it is over.
_OVER = b"-"
_FENCED = """local held = redis.call('GET', KEYS[2])
if held == ARGV[1] or redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if held == ARGV[1] then redis.call('DEL', KEYS[2]) end"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end"
_LONGEST_S = 1.0  # for one step of the reader or the writer; a caller leaves at its budget


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and who we are there. With a `service` the hosts are Sentinels, who know where it is now.

    Otherwise, and without `cluster`, the first host is the primary, and the others are its replicas.
    """

    hosts: tuple[tuple[str, int], ...]
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    service: str = ""
    cluster: bool = False

    @property
    def has_replicas(self) -> bool:
        return not self.cluster and (self.service != "" or len(self.hosts) > 1)


class RedisBackend:
    """A `Backend` on one server, on the one that Sentinels name, or on a cluster. Needs the `redis` package.

    Writes to the primary; reads from a replica of it that is clearly nearer, if there is one.
    """

    quick = False

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: Any = None
        self._generation: bytes | None = None
        self._scripts = True  # until we are told that we may run none; then there are no leases
        self._others: dict[tuple[str, int], Any] = {}  # clients of replicas
        self._replicas = Replicas(self._find_replicas)

    def load(self, keys: Sequence[str]) -> list[bytes | None]:
        near = self._replicas.near()
        if near is not None and self._generation is not None:
            return self._load_near(near, self._generation, keys)
        for _ in range(2):  # the second time when the entries were cleared since the last one
            generation = self._generation
            said, *found = self._get([_GENERATION, *(_name(generation, key) for key in keys)])
            self._generation = _bare(said)
            self._replicas.primary_answered()
            if self._generation is None:
                break
            if generation == self._generation:
                return found
        return [None] * len(keys)

    def _load_near(self, near: Any, generation: bytes, keys: Sequence[str]) -> list[bytes | None]:
        """What a replica has of this generation. One that fails is left: a miss this time, then the primary is asked."""
        try:
            told, *found = near.mget([_GENERATION, *(_name(generation, key) for key in keys)])
        except BaseException:
            self._replicas.failed()
            raise
        return found if _bare(told) == generation else [None] * len(keys)

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        client = self._connected()
        generation = self._generation or _bare(self._begin(client))
        pipe = client.pipeline(transaction=False)
        for key in deleted:
            pipe.delete(_name(generation, key))
        for record in saved:
            name, left_ms = _name(generation, record.key), max(1, int(record.ttl_s * 1e3))
            if not record.token or not self._run(
                client, _FENCED, (name, _lease(name)), record.token, record.data, left_ms
            ):
                pipe.set(name, record.data, px=left_ms)
        pipe.get(_GENERATION)
        self._generation = _bare(pipe.execute()[-1])
        self._replicas.primary_answered()
        if self._address.has_replicas:
            self._replicas.measure(client)

    def claim(self, wishes: Sequence[Wish]) -> list[tuple[Lease, bytes | None]]:
        client = self._connected()
        generation = self._generation or _bare(self._begin(client))
        for _ in range(2):  # the second time when the entries were cleared since the last one
            pipe = client.pipeline(transaction=False)
            for wish in wishes:
                name = _name(generation, wish.key)
                if self._scripts:
                    pipe.set(_lease(name), wish.token, nx=True, px=max(1, int(wish.longest_s * 1e3)))
                pipe.get(_lease(name))
                pipe.get(name)
            pipe.get(_GENERATION)
            *found, said = pipe.execute()
            self._generation = _bare(said)
            if self._generation in (None, generation):
                break
            generation = self._generation
        each = 3 if self._scripts else 2
        held, data = found[each - 2 :: each], found[each - 1 :: each]
        return [(_whose(it, wish), kept) for it, wish, kept in zip(held, wishes, data, strict=True)]

    def release(self, wishes: Sequence[Wish]) -> None:
        client = self._connected()
        for wish in wishes:
            name = _name(self._generation, wish.key)
            self._run(client, _RELEASE, (_lease(name),), wish.token, _OVER, int(OVER_S * 1e3))

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
            others, self._others = self._others, {}
            self._replicas = Replicas(self._find_replicas)
        for other in others.values():
            other.close()
        if client is not None:
            disconnect(client, self._address)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._client, self._others = None, {}
        self._replicas = Replicas(self._find_replicas)

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

    def _run(self, client: Any, script: str, names: Sequence[str], *said: bytes | int) -> bool:
        """Run a script; False when this server, or our rights there, know no scripts. A cluster runs none in a pipeline."""
        if not self._scripts:
            return False
        redis = _untyped("redis.exceptions")
        try:
            client.eval(script, len(names), *names, *said)
        except redis.ResponseError as error:
            if not isinstance(error, redis.NoPermissionError) and "unknown command" not in str(error):
                raise
            self._scripts = False
        return self._scripts

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = connect(self._address)
            return self._client

    def _find_replicas(self) -> list[Any]:
        """A client for each replica; the same one as the last time. Sentinels are asked anew."""
        where = self._address
        hosts = where.hosts[1:]
        if where.service:
            hosts = sentinels(where).discover_slaves(where.service)
        for host in hosts:
            if host not in self._others:
                self._others[host] = connect_to(host, where)
        return [self._others[host] for host in hosts]


class RedisShelf:
    """Small documents on such a server, for all processes that reach it. Connects for each step, and keeps nothing open.

    Blocking; raises what the `redis` package raises.
    """

    far = True

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self, name: str, most: int) -> bytes | None:
        """The document of that name, or its first `most` bytes; None when there is none."""
        with _connection(self._address) as client:
            found: bytes = client.getrange(_SHELF + name, 0, most - 1)
        return found or None

    def write(self, name: str, document: bytes, keep_s: float) -> None:
        """Put a document into the place of the one before, at once. Unless it is written again, it goes after `keep_s`."""
        with _connection(self._address) as client:
            client.set(_SHELF + name, document, ex=int(keep_s))


@contextmanager
def _connection(where: Address) -> Iterator[Any]:
    client = connect(where)
    try:
        yield client
    finally:
        disconnect(client, where)


def connect(where: Address) -> Any:
    """A client of that server; it opens a connection when it is used, and a step on it takes a second at the most."""
    if where.service:
        return sentinels(where).master_for(where.service)
    if where.cluster:
        cluster = _untyped("redis.cluster")
        nodes = [cluster.ClusterNode(*host) for host in where.hosts]
        return cluster.RedisCluster(startup_nodes=nodes, **_said(where))
    return connect_to(where.hosts[0], where)


def connect_to(host: tuple[str, int], where: Address) -> Any:
    """The same for one host of several."""
    return _untyped("redis").Redis(host=host[0], port=host[1], db=where.db, **_said(where))


def sentinels(where: Address) -> Any:
    """A client of the Sentinels, who know where the primary and its replicas are."""
    said = _said(where)
    plain = {name: value for name, value in said.items() if name.startswith(("socket_", "ssl"))}
    return _untyped("redis.sentinel").Sentinel(where.hosts, sentinel_kwargs=plain, db=where.db, **said)


def _said(where: Address) -> dict[str, Any]:
    """What each server is told when we connect."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    never = Retry(NoBackoff(), 0)  # the pool notices stale connections by itself; the rest is the caller's
    times: dict[str, Any] = {
        "socket_timeout": _LONGEST_S,
        "socket_connect_timeout": _LONGEST_S,
        "socket_keepalive": True,
    }
    tls: dict[str, Any] = {"ssl": True, "ssl_check_hostname": True} if where.tls else {}
    return {"username": where.username, "password": where.password, "retry": never, "protocol": 2, **times, **tls}


def disconnect(client: Any, where: Address) -> None:
    """Close all connections of a client."""
    client.close()
    if not where.cluster:
        client.connection_pool.disconnect()


def _untyped(module: str) -> Any:
    """A part of redis-py whose types are not all there."""
    return importlib.import_module(module)


def _name(generation: bytes | None, key: str) -> str:
    return f"{_PREFIX}{(generation or b'').decode('latin-1')}:{key}"


def _lease(name: str) -> str:
    return f"{_PREFIX}lease:{{{name}}}"


def _whose(held: bytes | None, wish: Wish) -> Lease:
    if held == wish.token:
        return Lease.MINE
    return Lease.OVER if held in (None, _OVER) else Lease.THEIRS


def _bare(said: bytes | None) -> bytes | None:
    """The generation's word without what follows it."""
    return None if said is None else said.rstrip(_FLAG)


def _marks(said: bytes) -> str:
    return f"{_PREFIX}marks:{said.rstrip(_FLAG).decode('latin-1')}"


def _word() -> bytes:
    return secrets.token_hex(6).encode()
