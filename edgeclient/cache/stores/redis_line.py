"""Where Redis or Valkey servers are, and how they are reached. Opens sockets, through the `redis` package."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

LONGEST_S = 1.0  # for one step of the reader or the writer; a caller leaves at its budget


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


class Line:
    """One connection beside those of a client's pool, for one thread at a time: a command costs a third of the pool's way.

    That looks at a connection before each use and records the use afterwards: of a lookup it takes 30 us of 45. For one
    server: a pool behind Sentinels leaves a primary that is one no more, and this connection would not.
    """

    def __init__(self) -> None:
        self._connection: Any = None

    def ask(self, client: Any, *command: str) -> Any:
        """What the server answers; it may be asked twice. Raises what `redis` raises; the next one connects anew."""
        used = self._connection is not None
        try:
            return self._answer(client, command)
        except _untyped("redis.exceptions").ConnectionError:
            if not used:
                raise
        return self._answer(client, command)  # somebody has closed it while it was idle

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()

    def _answer(self, client: Any, command: tuple[str, ...]) -> Any:
        connection = self._connection
        if connection is None:
            connection = self._connection = client.connection_pool.make_connection()
        try:
            connection.send_command(*command)
            return connection.read_response()
        except BaseException:  # an answer that comes later would be taken for the next one's
            self.close()
            raise


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
        "socket_timeout": LONGEST_S,
        "socket_connect_timeout": LONGEST_S,
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
