"""The stores that the tests make, and the entries they keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edgeclient.cache.stores import wire
from edgeclient.cache.stores.backend import Form
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.redis import RedisBackend
from edgeclient.cache.stores.redis_line import Address
from edgeclient.cache.stores.sqlite import SqliteBackend
from edgeclient.values import Entry


def entry(
    key: str = "a", *, stored_at: float = 0.0, expires_at: float = 100.0, body: int = 0,
    stale_s: float = 0.0,
) -> Entry:  # fmt: skip
    return Entry(
        key=key, body=b'{"key":"%s"%s}' % (key.encode(), b" " * body), has_usage=True,
        request_id=b"r\xfc", stored_at=stored_at, expires_at=expires_at, id="1",
        endpoint="fra", pop="FRA", stale_s=stale_s,
    )  # fmt: skip


class Mishaps(Counter[str]):
    """Counts as an edge's telemetry does, and keeps the last error of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, BaseException] = {}

    def __call__(self, what: str, error: BaseException) -> None:
        self[what] += 1
        self.last[what] = error


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sqlite_store(
    path: Path,
    mishaps: Mishaps | None = None,
    *,
    max_bytes: int = 2**30,
    budget_s: float = 1.0,
    clock: Callable[[], float] | None = None,
    form: Form = wire,
) -> Guarded:
    """A store on a file. Its budget is generous: what is not about time should not depend on a busy machine."""
    backend = SqliteBackend(str(path), max_bytes=max_bytes, budget_s=budget_s)
    backend.check()
    mishap = Mishaps() if mishaps is None else mishaps
    return Guarded(backend, budget_s=budget_s, mishap=mishap, form=form, clock=clock or Clock())


def redis_store(
    port: int | Address,
    mishaps: Mishaps | None = None,
    *,
    budget_s: float = 10.0,
    clock: Clock | None = None,
    **said: str,
) -> Guarded:
    """A store on a server of this machine, or at an address."""
    address = port if isinstance(port, Address) else Address((("127.0.0.1", port),), **said)
    backend = RedisBackend(address)
    return Guarded(backend, budget_s=budget_s, mishap=Mishaps() if mishaps is None else mishaps, clock=clock or Clock())


def postgres_store(
    url: str,
    mishaps: Mishaps | None = None,
    *,
    max_bytes: int = 2**30,
    budget_s: float = 10.0,
    clock: Clock | None = None,
    logged: bool = False,
) -> Guarded:
    """A store in a table of a server of this machine."""
    from edgeclient.cache.stores.postgres import PostgresBackend

    backend = PostgresBackend(url, max_bytes=max_bytes, logged=logged)
    return Guarded(backend, budget_s=budget_s, mishap=Mishaps() if mishaps is None else mishaps, clock=clock or Clock())
