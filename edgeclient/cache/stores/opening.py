"""Makes the store that the settings name. Reads the environment, makes files, and imports what a store needs."""

from __future__ import annotations

import importlib.util
import os
import re
import sqlite3
import sys
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from ...errors import SettingsError, StoreError
from ...settings import Cache
from . import Store
from .backend import Backend, Mishap
from .guarded import Guarded
from .layered import Layered
from .memory import MemoryStore

FILE_BUDGET_S, SHARED_BUDGET_S = 0.005, 0.025
FILE = "cache.sqlite3"
_FORMS = "give 'memory', 'sqlite', 'sqlite:PATH', 'redis://HOST:PORT', 'rediss://...' (TLS), or 'env:NAME'"
_REDIS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}  # scheme -> TLS


def open_store(cache: Cache, mishap: Mishap) -> Store:
    """The store that `cache.store` names, below a layer of memory. Raises `SettingsError`; connects to no server."""
    said = _said(cache.store)
    memory = MemoryStore(cache.max_bytes)
    if said == "memory":
        return memory
    scheme, _, rest = said.partition(":")
    if scheme == "sqlite":
        default_s, backend = FILE_BUDGET_S, _sqlite(said, rest, cache)
    elif scheme in _REDIS:
        default_s, backend = SHARED_BUDGET_S, _redis(said)
    else:
        raise SettingsError(f"cache.store is {shown(said)!r}; {_FORMS}")
    budget_s = default_s if cache.budget_s is None else cache.budget_s
    return Layered(memory, Guarded(backend, budget_s=budget_s, mishap=mishap))


def shown(said: str) -> str:
    """The store as it may be shown: without a user's name and password, and without what stands behind a `?`."""
    if said.startswith("sqlite"):
        return said
    where, query, _ = said.partition("?")
    return re.sub(r"^(\w+:/*)?.*@", r"\1***@", where, flags=re.DOTALL) + ("?..." if query else "")


def _said(store: str) -> str:
    if not store.startswith("env:"):
        return store
    name = store.removeprefix("env:")
    found = os.environ.get(name)
    if not found:
        raise SettingsError(f"cache.store is {store!r}, but the variable {name} is not set; set it")
    return found


def _sqlite(said: str, path: str, cache: Cache) -> Backend:
    from .sqlite import SqliteBackend

    if said == "sqlite":
        path = _own_file()
    if not path or path.startswith("//") or "\0" in path:
        raise SettingsError(
            f"cache.store is {said!r}; write the path behind the colon, as in 'sqlite:/var/tmp/answers.db'"
        )
    path = os.path.expanduser(path)
    budget_s = FILE_BUDGET_S if cache.budget_s is None else cache.budget_s
    backend = SqliteBackend(path, max_bytes=cache.file_bytes, budget_s=budget_s)
    try:
        backend.check()
    except (OSError, StoreError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return backend  # it is well, and somebody writes
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(
            f"cache.store is {said!r}: {path} cannot be used ({why}); name a file that this user may write, in a folder "
            "that exists"
        ) from None
    return backend


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


def _redis(said: str) -> Backend:
    from .redis import Address, RedisBackend

    if importlib.util.find_spec("redis") is None:
        raise SettingsError(
            f'cache.store is {shown(said)!r}, and the package redis is missing; pip install "edgeclient[redis]"'
        )
    parts, port = _parts(said)
    number = parts.path.strip("/")
    if number and not (number.isdecimal() and len(number) < 5):
        raise SettingsError(
            f"cache.store is {shown(said)!r}; behind the host comes the number of a database, or nothing"
        )
    return RedisBackend(
        Address(
            host=parts.hostname or "",
            port=port,
            db=int(number or 0),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=_REDIS[parts.scheme],
        )
    )


def _parts(said: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(said)
        port = parts.port or 6379
        good = bool(parts.hostname) and said.startswith(f"{parts.scheme}://") and not parts.query and not parts.fragment
    except ValueError:
        good = False
    if not good:
        raise SettingsError(
            f"cache.store is {shown(said)!r}; give redis://HOST, redis://HOST:PORT/DB or redis://USER:PASSWORD@HOST, with "
            "the password percent-encoded, and no query"
        )
    return parts, port
