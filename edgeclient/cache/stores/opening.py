"""Makes the store that the settings name. Reads the environment, makes files, and imports what a store needs."""

from __future__ import annotations

import importlib.util
import os
import re
import sqlite3
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import SettingsError, StoreError
from ...settings import Cache
from . import Store, wire
from .backend import Backend, Form, Mishap
from .guarded import Guarded
from .layered import Layered
from .memory import MemoryStore
from .redis import RedisBackend
from .redis_line import Address
from .redis_shelf import RedisShelf
from .sqlite import SqliteBackend

FILE_BUDGET_S, SHARED_BUDGET_S = 0.005, 0.025
FILE = "cache.sqlite3"
_FORMS = (
    "give 'memory', 'sqlite', 'sqlite:PATH', 'redis://HOST:PORT', 'rediss://...' (TLS), 'postgresql://HOST/DATABASE', or "
    "'env:NAME'"
)
_URLS = (
    "give redis://HOST, redis://HOST:PORT/DB or redis://USER:PASSWORD@HOST, the password percent-encoded, and no query"
)
_REDIS = re.compile(r"(redis|valkey)(s?)(\+sentinel|\+cluster|\+replicas)?")  # scheme, TLS, kind
_POSTGRES = re.compile(r"postgres(?:ql)?(\+logged)?")
_POSTGRES_URLS = (
    "give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, the password percent-encoded; behind a '?' may stand what libpq "
    "knows, as in '?sslmode=verify-full'"
)


def open_store(cache: Cache, mishap: Mishap) -> Store:
    """The store that `cache.store` names, below a layer of memory. Raises `SettingsError`; connects to no server."""
    said = _said(cache.store, "cache.store")
    memory = MemoryStore(cache.max_bytes)
    if said == "memory":
        if cache.encryption is not None:
            raise SettingsError("cache.encryption is for a file or a server, and cache.store is 'memory'; name one")
        return memory
    form = form_of(cache, mishap)  # before a file is made
    default_s, backend = _backend(said, cache)
    if isinstance(backend, SqliteBackend):
        _check(said, backend)
    budget_s = default_s if cache.budget_s is None else cache.budget_s
    return Layered(memory, Guarded(backend, budget_s=budget_s, mishap=mishap, form=form))


def open_backend(cache: Cache) -> Backend:
    """What the settings name outside this process, as it is: no file is made or mended, and no connection."""
    said = _said(cache.store, "cache.store")
    if said == "memory":
        raise SettingsError(
            "cache.store is 'memory': each process keeps its own answers; name a file or a server there, or by --store"
        )
    return _backend(said, cache)[1]


def form_of(cache: Cache, mishap: Mishap) -> Form:
    """How entries are spelled outside this process: in clear, or sealed. Raises `SettingsError`."""
    if cache.encryption is None:
        return wire
    from .sealed import Sealed

    return Sealed(cache.encryption, mishap)


def _backend(said: str, cache: Cache) -> tuple[float, Backend]:
    """The budget of its kind, and the backend."""
    scheme, _, rest = said.partition(":")
    if scheme == "sqlite":
        return FILE_BUDGET_S, _sqlite(said, rest, cache)
    if _REDIS.fullmatch(scheme):
        return SHARED_BUDGET_S, RedisBackend(_server(said, "cache.store"))
    if _POSTGRES.fullmatch(scheme):
        return SHARED_BUDGET_S, _postgres(said, cache)
    raise SettingsError(f"cache.store is {shown(said)!r}; {_FORMS}")


def open_shelf(said: str, cache: Cache) -> RedisShelf:
    """Where a fleet keeps small documents; "shared" stands for what `cache.store` names.

    Raises `SettingsError`; connects to no server.
    """
    address = _said(cache.store if said == "shared" else said, "remember")
    if said == "shared" and not _REDIS.fullmatch(address.partition(":")[0]):
        raise SettingsError(
            f"remember is 'shared', but the cache's store is {shown(address)!r}, which no other machine reaches; "
            "set cache.store to 'redis://HOST', or say it here: remember='redis://HOST'"
        )
    return RedisShelf(_server(address, "remember"))


def shown(said: str) -> str:
    """The store as it may be shown: without a user's name and password, and without what stands behind a `?`."""
    if said.startswith("sqlite"):
        return said
    where, query, _ = said.partition("?")
    return re.sub(r"^([\w+]+:/*)?.*@", r"\1***@", where, flags=re.DOTALL) + ("?..." if query else "")


def _said(store: str, setting: str) -> str:
    if not store.startswith("env:"):
        return store
    name = store.removeprefix("env:")
    found = os.environ.get(name)
    if not found:
        raise SettingsError(f"{setting} is {store!r}, but the variable {name} is not set; set it")
    return found


def _sqlite(said: str, path: str, cache: Cache) -> Backend:
    if said == "sqlite":
        path = _own_file()
    if not path or path.startswith("//") or "\0" in path:
        raise SettingsError(
            f"cache.store is {said!r}; write the path behind the colon, as in 'sqlite:/var/tmp/answers.db'"
        )
    path = os.path.expanduser(path)
    budget_s = FILE_BUDGET_S if cache.budget_s is None else cache.budget_s
    return SqliteBackend(path, max_bytes=cache.file_bytes, budget_s=budget_s)


def _check(said: str, backend: SqliteBackend) -> None:
    """Let a file be made where there is none, and say so at once where that cannot be done."""
    try:
        backend.check()
    except (OSError, StoreError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return  # it is well, and somebody writes
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(
            f"cache.store is {said!r}: {backend.path} cannot be used ({why}); name a file that this user may write, "
            "in a folder that exists"
        ) from None


def _own_file() -> str:
    """The file in the user's cache directory; its folder is made, for this user alone."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    folder = base / "edgeclient"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cache.store is 'sqlite': {folder} cannot be made ({error.strerror}); say where, as in 'sqlite:PATH'"
        ) from None
    return str(folder / FILE)


def _needs(package: str, extra: str, said: str, setting: str = "cache.store") -> None:
    if importlib.util.find_spec(package) is None:
        raise SettingsError(
            f'{setting} is {shown(said)!r}, and the package {package} is missing; pip install "edgeclient[{extra}]"'
        )


def _server(said: str, setting: str) -> Address:
    _needs("redis", "redis", said, setting)
    try:
        return _address(said)
    except ValueError as error:
        raise SettingsError(f"{setting} is {shown(said)!r}; {error}") from None


def _postgres(said: str, cache: Cache) -> Backend:
    _needs("psycopg", "postgres", said)
    try:
        url, logged = _uri(said)
        from .postgres import PostgresBackend

        return PostgresBackend(url, max_bytes=cache.file_bytes, logged=logged)
    except ImportError as error:  # psycopg without its library
        raise SettingsError(f'cache.store is {shown(said)!r}; {error}; pip install "edgeclient[postgres]"') from None
    except ValueError as error:
        raise SettingsError(f"cache.store is {shown(said)!r}; {error}") from None


def _uri(said: str) -> tuple[str, bool]:
    """The URI as libpq takes it, and whether the table is logged. Raises ValueError, and says nothing that is secret."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    scheme, found, rest = said.partition("://")
    kind = _POSTGRES.fullmatch(scheme)
    url = f"postgresql://{rest}"
    try:
        spelled = conninfo_to_dict(url)
    except ProgrammingError as error:
        unknown = re.search(r'invalid URI query parameter: "(\w+)"', str(error))
        raise ValueError(f"libpq knows no {unknown[1]!r}" if unknown else _POSTGRES_URLS) from None
    ports = str(spelled.get("port") or "").split(",")
    well = all(not port or (port.isdecimal() and 0 < int(port) < 65536) for port in ports)
    if not kind or not found or not well or "@" in str(spelled.get("dbname")) or "#" in said:
        raise ValueError(_POSTGRES_URLS)
    return url, kind[1] is not None


def _address(said: str) -> Address:
    """The address that a URL spells. Raises ValueError with what is wrong, and without what is secret."""
    scheme, found, rest = said.partition("://")
    kind = _REDIS.fullmatch(scheme)
    where, _, path = rest.partition("/")
    user, _, hosts = where.rpartition("@")
    service, _, number = path.strip("/").rpartition("/")
    if kind and kind[3] == "+sentinel" and not service:
        service, number = number, ""
    if kind is None or not found or "?" in said or "#" in said or "/" in user:
        raise ValueError(_URLS)
    if number and not (number.isdecimal() and len(number) < 5):
        raise ValueError("behind the host comes the number of a database, or nothing")
    if (kind[3] == "+sentinel") != bool(service):
        raise ValueError("give the name of the service behind the Sentinels: redis+sentinel://HOST,HOST/SERVICE")
    if (kind[3] == "+cluster" and number) or (not kind[3] and "," in hosts):
        raise ValueError(
            "only a cluster, Sentinels or +replicas have several hosts, and a cluster has no numbered databases"
        )
    if kind[3] == "+replicas" and "," not in hosts:
        raise ValueError("give the primary and its replicas: redis+replicas://PRIMARY,REPLICA")
    name, _, password = user.partition(":")
    port = 26379 if service else 6379
    return Address(
        hosts=tuple(_host(host, port) for host in hosts.split(",")),
        db=int(number or 0),
        username=unquote(name) or None,
        password=unquote(password) or None,
        tls=bool(kind[2]),
        service=service,
        cluster=kind[3] == "+cluster",
    )


def _host(said: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{said}")
        if parts.hostname and not parts.path:
            return parts.hostname, port if parts.port is None else parts.port
    except ValueError:
        pass
    raise ValueError(_URLS)
