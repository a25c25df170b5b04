"""Entries on a Redis or Valkey server, shared by all processes that reach it. Opens sockets, through the `redis` package.

Its sync client serves tasks too, in the reader's thread: a lookup can be left at its deadline while the connection goes on
being made, which takes several round trips where a budget has room for one.
"""

from __future__ import annotations

import importlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from .backend import OVER_S, Lease, Record, Wish
from .redis_line import Address, Line, connect, connect_to, disconnect, sentinels
from .redis_names import FLAG, GENERATION, bare, entry_name, lease_name, marks_name
from .replicas import Replicas

_PIECE = 200  # entries that a scan asks for at once
_OVER = b"-"  # the value of a lease that is over; of one that is held it is its token
_FENCED = """local held = redis.call('GET', KEYS[2])
if held == ARGV[1] or redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if held == ARGV[1] then redis.call('DEL', KEYS[2]) end"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end"


class RedisBackend:
    """A `Backend` on one server, on the one that Sentinels name, or on a cluster. Needs the `redis` package.

    Writes to the primary; reads from a replica of it that is clearly nearer, if there is one.
    """

    quick = False

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._client: Any = None
        self._line = Line()  # of the reader alone
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
            said, *found = self._get([GENERATION, *(entry_name(generation, key) for key in keys)])
            self._generation = bare(said)
            self._replicas.primary_answered()
            if self._generation is None:
                break
            if generation == self._generation:
                return found
        return [None] * len(keys)

    def _load_near(self, near: Any, generation: bytes, keys: Sequence[str]) -> list[bytes | None]:
        """What a replica has of this generation. One that fails is left: a miss this time, then the primary is asked."""
        try:
            told, *found = near.mget([GENERATION, *(entry_name(generation, key) for key in keys)])
        except BaseException:
            self._replicas.failed()
            raise
        return found if bare(told) == generation else [None] * len(keys)

    def write(self, saved: Sequence[Record], deleted: Sequence[str], now: float) -> None:
        client = self._connected()
        generation = self._generation or bare(self._begin(client))
        pipe = client.pipeline(transaction=False)
        for key in deleted:
            pipe.delete(entry_name(generation, key))
        for record in saved:
            name, left_ms = entry_name(generation, record.key), max(1, int(record.ttl_s * 1e3))
            if not record.token or not self._run(
                client, _FENCED, (name, lease_name(name)), record.token, record.data, left_ms
            ):
                pipe.set(name, record.data, px=left_ms)
        pipe.get(GENERATION)
        self._generation = bare(pipe.execute()[-1])
        self._replicas.primary_answered()
        if self._address.has_replicas:
            self._replicas.measure(client)

    def claim(self, wishes: Sequence[Wish]) -> list[tuple[Lease, bytes | None]]:
        client = self._connected()
        generation = self._generation or bare(self._begin(client))
        for _ in range(2):  # the second time when the entries were cleared since the last one
            pipe = client.pipeline(transaction=False)
            for wish in wishes:
                name = entry_name(generation, wish.key)
                if self._scripts:
                    pipe.set(lease_name(name), wish.token, nx=True, px=max(1, int(wish.longest_s * 1e3)))
                pipe.get(lease_name(name))
                pipe.get(name)
            pipe.get(GENERATION)
            *found, said = pipe.execute()
            self._generation = bare(said)
            if self._generation in (None, generation):
                break
            generation = self._generation
        each = 3 if self._scripts else 2
        held, data = found[each - 2 :: each], found[each - 1 :: each]
        return [(_whose(it, wish), kept) for it, wish, kept in zip(held, wishes, data, strict=True)]

    def release(self, wishes: Sequence[Wish]) -> None:
        client = self._connected()
        for wish in wishes:
            name = entry_name(self._generation, wish.key)
            self._run(client, _RELEASE, (lease_name(name),), wish.token, _OVER, int(OVER_S * 1e3))

    def mark(self, added: Sequence[str], dropped: Sequence[str]) -> None:
        client = self._connected()
        said = client.get(GENERATION) or self._begin(client)
        name = marks_name(said)
        client.sadd(name, *added)
        if dropped:
            client.srem(name, *dropped)
        if not said.endswith(FLAG) and client.append(GENERATION, FLAG) == len(FLAG):
            self.clear()  # the word was evicted just now

    def marks(self) -> list[str]:
        client = self._connected()
        said = client.get(GENERATION)
        if said is None or not said.endswith(FLAG):
            return []
        found = [what.decode("utf-8", "replace") for what in client.smembers(marks_name(said))]
        if not found:
            self.clear()  # the set was evicted, and nobody knows what is valid
        return found

    def clear(self) -> None:
        word, client = _word(), self._connected()
        said = client.getset(GENERATION, word)
        self._generation = word
        if said is not None and said.endswith(FLAG):
            client.delete(marks_name(said))

    def usage(self) -> tuple[int, int]:
        """Unknown: only a scan of all keys would tell."""
        return 0, 0

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """All entries that can be found now; those that were cleared, and wait for their expiry, are none."""
        client = self._connected()
        begin = entry_name(bare(client.get(GENERATION)), "")
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
            line, self._line = self._line, Line()
            others, self._others = self._others, {}
            self._replicas = Replicas(self._find_replicas)
        line.close()
        for other in others.values():
            other.close()
        if client is not None:
            disconnect(client, self._address)

    def after_fork(self) -> None:
        self._lock = threading.Lock()
        self._client, self._line, self._others = None, Line(), {}
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
        elif self._address.service:
            found = client.mget(names)
        else:
            found = self._line.ask(client, "MGET", *names)
        return found

    def _begin(self, client: Any) -> bytes:
        """The generation of a server that has none yet, or whose generation we do not know; with its flag."""
        pipe = client.pipeline(transaction=False)
        pipe.set(GENERATION, _word(), nx=True)
        pipe.get(GENERATION)
        found: bytes = pipe.execute()[-1]
        return found

    def _run(self, client: Any, script: str, names: Sequence[str], *said: bytes | int) -> bool:
        """Run a script; False when this server, or our rights there, know no scripts. A cluster runs none in a pipeline."""
        if not self._scripts:
            return False
        redis: Any = importlib.import_module("redis.exceptions")
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


def _whose(held: bytes | None, wish: Wish) -> Lease:
    if held == wish.token:
        return Lease.MINE
    return Lease.OVER if held in (None, _OVER) else Lease.THEIRS


def _word() -> bytes:
    return secrets.token_hex(6).encode()
