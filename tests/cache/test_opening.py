"""Which store the settings name, and what is said where they name none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from edgeclient import Cache, Edge, SettingsError
from edgeclient.cache.stores.guarded import Guarded
from edgeclient.cache.stores.layered import Layered
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.cache.stores.opening import open_store
from edgeclient.cache.stores.redis_line import Address

pytest.importorskip("redis")

SECRET = "s3cr3t"


def opened(store: str, **said: float) -> object:
    return open_store(Cache("exact", store=store, **said), lambda what, error: None)  # type: ignore[arg-type]


def test_memory_is_the_default() -> None:
    store = Edge(cache="exact").policies.store
    assert isinstance(store, MemoryStore) and not store.waits


def test_a_file_lies_below_memory_and_is_its_owners_alone(tmp_path: Path) -> None:
    store = opened(f"sqlite:{tmp_path}/answers.db")
    assert isinstance(store, Layered) and not store.waits
    assert stat.S_IMODE(os.stat(tmp_path / "answers.db").st_mode) == 0o600
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="says where on Unix")
def test_sqlite_alone_is_a_file_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    opened("sqlite").close()  # type: ignore[attr-defined]
    found = tmp_path / "cache" / "edgeclient" / "cache.sqlite3"
    assert found.exists() and stat.S_IMODE(found.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", Address((("h", 6379),))),
        ("redis://h:7/3", Address((("h", 7),), 3)),
        ("redis://:pw@h", Address((("h", 6379),), password="pw")),
        ("rediss://me:p%40w@h:1", Address((("h", 1),), username="me", password="p@w", tls=True)),
        ("valkey://[::1]:7/", Address((("::1", 7),))),
        ("redis+sentinel://a,b:7/main", Address((("a", 26379), ("b", 7)), service="main")),
        ("rediss+sentinel://:pw@a/main/2", Address((("a", 26379),), 2, password="pw", tls=True, service="main")),
        ("redis+replicas://a,b:7/2", Address((("a", 6379), ("b", 7)), 2)),
        ("redis+cluster://a:1,b:2", Address((("a", 1), ("b", 2)), cluster=True)),
        ("valkeys+cluster://a", Address((("a", 6379),), tls=True, cluster=True)),
    ],
)
def test_a_servers_address(url: str, address: Address) -> None:
    store = opened(url)
    assert isinstance(store, Layered) and store.waits
    assert store._below._backend._address == address  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "logged", "said"),
    [
        ("postgresql://h", False, {"host": "h"}),
        (
            "postgres://me:p%40w@h:7/d",
            False,
            {"host": "h", "port": "7", "user": "me", "password": "p@w", "dbname": "d"},
        ),
        ("postgresql+logged://a:1,b/d", True, {"host": "a,b", "port": "1,", "dbname": "d"}),
        (
            "postgresql://h/d?sslmode=verify-full&connect_timeout=9",
            False,
            {"sslmode": "verify-full", "connect_timeout": "9"},
        ),
        ("postgresql:///d?host=/run/postgresql", False, {"host": "/run/postgresql", "connect_timeout": 2}),
    ],
)
def test_where_a_table_is(url: str, logged: bool, said: dict[str, str]) -> None:
    pytest.importorskip("psycopg")
    store = opened(url, file_bytes=2**21)
    assert isinstance(store, Layered) and store.waits and store._below._budget_s == 0.025  # type: ignore[attr-defined]
    backend = store._below._backend  # type: ignore[attr-defined]
    assert backend._logged is logged and backend._max_bytes == 2**21 and said.items() <= backend._reading._said.items()


def test_budgets_have_defaults_and_can_be_set(tmp_path: Path) -> None:
    def budget(store: str, **said: float) -> float:
        below = opened(store, **said)._below  # type: ignore[attr-defined]
        assert isinstance(below, Guarded)
        return below._budget_s

    assert budget("redis://h") == 0.025
    assert budget(f"sqlite:{tmp_path}/a.db") == 0.005
    assert budget("redis://h", budget_s=0.1) == 0.1
    assert budget(f"sqlite:{tmp_path}/a.db", budget_s=0.1) == 0.1


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("", "is ''; give 'memory'"),
        ("memroy", "is 'memroy'; give 'memory'"),
        ("sqlite3:x", "is 'sqlite3:x'; give 'memory'"),
        ("sqlite:", "write the path behind the colon"),
        ("sqlite:///x.db", "write the path behind the colon"),
        ("redis:host", "is 'redis:host'; give redis://HOST"),
        ("redis://", "is 'redis://'; give redis://HOST"),
        ("redis://h:port", "give redis://HOST"),
        ("redis://h:99999", "give redis://HOST"),
        ("redis://h/one", "number of a database"),
        ("redis://a,b", "only a cluster, Sentinels or .replicas have several hosts"),
        ("redis+cluster://a/1", "a cluster has no numbered databases"),
        ("redis+sentinel://a", "give the name of the service"),
        ("redis://h/main/1", "give the name of the service"),
        ("redis+replicas://a", "give the primary and its replicas"),
        ("redis+proxy://h", "give 'memory'"),
        (f"redis://h?password={SECRET}", "is 'redis://h\\?...'; give redis://HOST"),
        (f"redis://:{SECRET}@h:port", r"is 'redis://\*\*\*@h:port'"),
        (f"redis:/me:{SECRET}@h", r"is 'redis:/\*\*\*@h'"),
        (f"redsi://me:{SECRET}@h", r"is 'redsi://\*\*\*@h'; give 'memory'"),
        (f"redis://me:{SECRET}/x@y@h", r"'redis://\*\*\*@h'"),
        ("postgresql:h", "is 'postgresql:h'; give postgresql://USER"),
        ("postgresql+unlogged://h", "give 'memory'"),
        ("postgresql://h:port/d", "give postgresql://USER"),
        ("postgresql://h:70000/d", "give postgresql://USER"),
        (f"postgresql://h/d?{SECRET}", r"is 'postgresql://h/d\?\.\.\.'; give postgresql://USER"),
        (f"postgresql://h/d?pasword={SECRET}", "libpq knows no 'pasword'"),
        (f"postgresql://me:{SECRET}/x@y@h/d", r"is 'postgresql://\*\*\*@h/d'; give postgresql://USER"),
        (
            f"postgresql://me:{SECRET}%zz@h/d",
            r"give postgresql://USER:PASSWORD@HOST:PORT/DATABASE, the password percent-",
        ),
        ("env:NO_SUCH_VARIABLE", "variable NO_SUCH_VARIABLE is not set; set it"),
    ],
)
def test_what_names_no_store(store: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=f"^argument cache: cache.store .*{said}") as raised:
        Edge(cache={"mode": "exact", "store": store})
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "no" / "such" / "a.db", "No such file or directory"),
        (lambda folder: folder, "not one that edgeclient made"),
        (lambda folder: _written(folder / "notes.txt", b"my notes"), "not one that edgeclient made"),
        (
            lambda folder: _written(folder / "other.db", b"SQLite format 3\0" + bytes(8176)),
            "not one that edgeclient made",
        ),
    ],
    ids=["no folder", "a folder", "a text", "another's database"],
)
def test_a_path_that_cannot_be_used(make: object, said: str, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(SettingsError, match=f"cache.store is 'sqlite:.*{said}.*; name a file"):
        Edge(cache=Cache("exact", store=f"sqlite:{path}"))
    assert before is None or path.read_bytes() == before


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_path_that_this_user_may_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(
        SettingsError, match=r"cannot be used .Permission denied.; name a file that this user may write"
    ):
        opened(f"sqlite:{tmp_path}/a.db")


def test_a_missing_package_is_said_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"package redis is missing; pip install .edgeclient\[redis\]"):
        opened("redis://h")
    with pytest.raises(SettingsError, match=r"package psycopg is missing; pip install .edgeclient\[postgres\]"):
        opened("postgresql://h")


def test_the_source_of_a_wrong_store_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("edgeclient.toml").write_text('cache = { mode = "exact", store = "disk" }', "utf-8")
    with pytest.raises(SettingsError, match=r"edgeclient.toml: cache.store is 'disk'"):
        Edge()
    monkeypatch.setenv("EDGECLIENT_CACHE", '{"mode": "exact", "store": "ram"}')
    with pytest.raises(SettingsError, match=r"variable EDGECLIENT_CACHE: cache.store is 'ram'"):
        Edge()


def test_a_variable_may_hold_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_REDIS", f"redis://:{SECRET}@h")
    edge = Edge(cache=Cache("exact", store="env:MY_REDIS"))
    assert edge.policies.store is not None and edge.policies.store.waits
    monkeypatch.setenv("MY_REDIS", f"reddis://:{SECRET}@h")
    with pytest.raises(SettingsError) as raised:
        Edge(cache=Cache("exact", store="env:MY_REDIS"))
    assert SECRET not in str(raised.value)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    url = f"redis://me:{SECRET}@127.0.0.1:1"
    edge = Edge(cache=Cache("exact", store=url))
    store = edge.policies.store
    address = store._below._backend._address  # type: ignore[union-attr]
    assert SECRET not in f"{edge.settings} {edge.settings!r} {store!r} {address!r} {edge.status()}"
    for wrong in ({"mode": "exact", "store": [url]}, {"mode": "exact", "stroe": url}, {"mode": url}, [url]):
        with pytest.raises(SettingsError) as raised:
            Edge(cache=wrong)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize("said", [{"budget_s": 0}, {"budget_s": -1}, {"file_bytes": 10}, {"budget_s": 100}])
def test_wrong_numbers_are_settings_errors(said: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(said))):
        Cache("exact", **said)  # type: ignore[arg-type]
