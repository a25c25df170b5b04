"""Sealed entries: nothing readable outside this process, each bound to its key, and a lost key is a miss."""

from __future__ import annotations

import base64
import importlib.util
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pipeline.scripted import A, Run, both_ways, ok, request
from pipeline.test_pipeline import ask
from servers import Server, running
from stores import Clock, Mishaps, entry, sqlite_store
from test_wire import ENTRIES

from edgeclient import Cache, Edge, SettingsError
from edgeclient.cache.stores import wire
from edgeclient.cache.stores.sealed import Sealed
from edgeclient.values import Entry

OLD, NEW = bytes(32), bytes(range(32))
FORM = Sealed(NEW, Mishaps())
NOT_READ = (wire.Damaged, wire.Newer, wire.Unreadable)


@given(kept=ENTRIES)
def test_decode_gives_back_what_was_encoded(kept: Entry) -> None:
    assert FORM.decode(kept.key, FORM.encode(kept)) == kept


@given(kept=ENTRIES, at=st.integers(0, 10_000), to=st.integers(1, 255))
def test_one_changed_byte_is_never_read(kept: Entry, at: int, to: int) -> None:
    data = bytearray(FORM.encode(kept))
    data[at % len(data)] ^= to
    with pytest.raises(NOT_READ):
        FORM.decode(kept.key, bytes(data))


@given(kept=ENTRIES, end=st.integers(0, 10_000), more=st.binary(max_size=3))
def test_neither_is_one_of_another_length(kept: Entry, end: int, more: bytes) -> None:
    data = FORM.encode(kept)
    for changed in (data[: end % len(data)], data + b"\0" + more):
        with pytest.raises(wire.Damaged):
            FORM.decode(kept.key, changed)


@given(data=st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    head = FORM.encode(entry())[:11]
    for said in (data, b"es\x01" + data, head + data):
        with pytest.raises(NOT_READ):
            FORM.decode("a", said)


@given(one=st.text(max_size=9), other=st.text(max_size=9))
def test_an_entry_under_another_key_does_not_decrypt(one: str, other: str) -> None:
    if one == other:
        return
    with pytest.raises(wire.Damaged):
        FORM.decode(other, FORM.encode(entry(one)))


def test_the_cache_key_and_the_head_are_authenticated_by_the_cipher() -> None:
    """The format as the module's first lines say it, opened without it."""
    data = FORM.encode(entry("a"))
    head, nonce, sealed = data[:11], data[11:23], data[23:]
    cipher = AESGCM(NEW)
    assert cipher.decrypt(nonce, sealed, head + b"a") == wire.encode(entry("a"))
    for other in (b"", b"a", head, head + b"b"):
        with pytest.raises(InvalidTag):
            cipher.decrypt(nonce, sealed, other)


def test_its_head_is_authenticated() -> None:
    """The version and the key's id: a key that is told to be another one does not decrypt either."""
    both = Sealed([NEW, OLD], Mishaps())
    sealed = both.encode(entry())
    other = Sealed(OLD, Mishaps()).encode(entry())
    with pytest.raises(wire.Damaged):
        both.decode("a", other[:11] + sealed[11:])
    with pytest.raises(wire.Damaged):
        both.decode("a", sealed[:2] + b"\0" + sealed[3:])
    with pytest.raises(wire.Newer):
        both.decode("a", sealed[:2] + b"\2" + sealed[3:])


def test_the_same_entry_is_never_sealed_alike() -> None:
    assert len({FORM.encode(entry())[11:23] for _ in range(1000)}) == 1000


def test_a_rotation_reads_the_old_and_writes_with_the_newest() -> None:
    before, during, after = Sealed(OLD, Mishaps()), Sealed([NEW, OLD], Mishaps()), Sealed(NEW, Mishaps())
    old, new = before.encode(entry()), during.encode(entry())
    assert during.decode("a", old) == during.decode("a", new) == after.decode("a", new) == entry()
    for form, data in ((after, old), (before, new)):
        with pytest.raises(wire.Unreadable, match="none of ours"):
            form.decode("a", data)


def test_clear_and_sealed_are_never_taken_for_one_another() -> None:
    with pytest.raises(wire.InClear):
        FORM.decode("a", wire.encode(entry()))
    with pytest.raises(wire.Unreadable, match=r"cache\.encryption"):
        wire.decode("a", FORM.encode(entry()))


class Giving:
    """A function that gives keys, and counts how often it is asked."""

    def __init__(self) -> None:
        self.given: Any = OLD
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def test_a_function_is_asked_again_by_the_writer_after_a_minute() -> None:
    keys, clock, mishaps = Giving(), Clock(), Mishaps()
    form = Sealed(keys, mishaps, clock)
    old = form.encode(entry())
    keys.given, clock.now = [NEW, OLD], 59.0
    assert form.encode(entry())[3:11] == old[3:11] and keys.asked == 1
    clock.now = 60.0
    form.decode("a", old)
    assert keys.asked == 1, "whoever looks something up waits for nobody's function"
    new = form.encode(entry())
    assert new[3:11] != old[3:11] and keys.asked == 2
    assert form.decode("a", old) == form.decode("a", new) == entry()
    for wrong in (RuntimeError("vault is away"), b"short", []):
        keys.given, clock.now = wrong, clock.now + 60.0
        assert form.decode("a", form.encode(entry())) == entry()
    assert mishaps == {"cache encryption keys": 3} and keys.asked == 5


# -- below a store


@pytest.mark.parametrize("other", [OLD, None])
def test_a_lost_key_is_a_counted_miss_and_removes_nothing(tmp_path: Path, other: bytes | None) -> None:
    store = sqlite_store(tmp_path / "a.db", form=FORM)
    store.save(entry(), 1.0)
    store.close()
    mishaps = Mishaps()
    stranger = sqlite_store(tmp_path / "a.db", mishaps, form=wire if other is None else Sealed(other, mishaps))
    assert stranger.load("a", 2.0) is None and mishaps == {"unreadable cache entry": 1}
    stranger.close()
    assert store.load("a", 2.0) == entry()
    store.close()


def test_an_entry_that_was_moved_to_another_key_is_a_counted_miss(tmp_path: Path) -> None:
    mishaps = Mishaps()
    store = sqlite_store(tmp_path / "a.db", mishaps, form=FORM)
    for key in ("a", "b"):
        store.save(entry(key), 1.0)
    store.close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        db.execute("UPDATE entries SET data = (SELECT data FROM entries WHERE key = ?) WHERE key = ?", (b"a", b"b"))
    db.close()
    assert store.load("a", 2.0) == entry("a") and store.load("b", 2.0) is None
    assert mishaps == {"damaged cache entry": 1}
    store.close()


# -- on an edge


def edge_on(store: str, key: Any) -> Edge:
    cache = Cache("exact", store=store, budget_s=10.0, encryption=key)
    return Edge(endpoints=[A.url], key="passthrough", probe=False, cache=cache)


def said_by_cache(edge: Edge, run: Run) -> str:
    reply = ask(run, run.runtime(**{edge.policies.endpoints[0].name: ok()}), edge.policies, request())
    assert reply.notes is not None
    return reply.notes.cache


def leaked(at_rest: Callable[[], bytes]) -> list[bytes]:
    """What of the question and its answer can be read there."""
    asked, answer = request().body, ok().body or b""
    words = [b"messages", b"choices", b"chat.completion", b"application/json", *answer.split(b'"')[1::2]]
    assert b"messages" in asked and b"choices" in answer
    kept = at_rest()
    return [word for word in words if len(word) > 5 and word in kept]


@both_ways
@pytest.mark.parametrize("sealed", [True, False])
def test_nothing_can_be_read_in_the_file(run: Run, tmp_path: Path, sealed: bool) -> None:
    def at_rest() -> bytes:
        found = list(tmp_path.iterdir())
        assert found
        return b"".join(path.read_bytes() for path in found)

    edge = edge_on(f"sqlite:{tmp_path}/a.db", NEW if sealed else None)
    assert said_by_cache(edge, run) == "miss"
    edge.close()
    assert bool(leaked(at_rest)) is not sealed
    other = edge_on(f"sqlite:{tmp_path}/a.db", NEW if sealed else None)
    assert said_by_cache(other, run) == "hit"
    other.close()


@both_ways
@pytest.mark.parametrize("sealed", [True, False])
def test_nothing_can_be_read_in_a_dump_of_the_server(run: Run, tmp_path: Path, sealed: bool) -> None:
    pytest.importorskip("redis")

    def dumped(server: Server) -> bytes:
        assert server.tell("SAVE")
        return (tmp_path / "dump.rdb").read_bytes()

    with running(tmp_path, "--rdbcompression", "no") as server:
        edge = edge_on(f"redis://127.0.0.1:{server.port}", NEW if sealed else None)
        assert said_by_cache(edge, run) == "miss"
        edge.close()
        assert server.tell("DBSIZE") == 2  # the entry and the generation
        assert bool(leaked(lambda: dumped(server))) is not sealed
        other = edge_on(f"redis://127.0.0.1:{server.port}", NEW if sealed else None)
        assert said_by_cache(other, run) == "hit"
        other.close()


@both_ways
def test_tenants_on_one_server_do_not_read_each_other(server: Server, run: Run) -> None:
    one, other = (edge_on(f"redis://127.0.0.1:{server.port}", key) for key in (OLD, NEW))
    assert said_by_cache(one, run) == "miss"
    one.close()
    assert said_by_cache(other, run) == "miss"
    assert other.status().mishaps == {"unreadable cache entry": 1}
    other.close()


# -- settings


def said(key: Any, store: str = "sqlite") -> str:
    with pytest.raises(SettingsError) as raised:
        Edge(cache={"mode": "exact", "store": store, "encryption": key})
    return str(raised.value)


@pytest.mark.parametrize(
    "text",
    [base64.b64encode(NEW).decode(), base64.urlsafe_b64encode(NEW).decode().rstrip("="), NEW.hex(), f" {NEW.hex()}\n"],
)
def test_a_variable_holds_base64_or_hexadecimal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", text)
    assert FORM.decode("a", Sealed("env:A_KEY", Mishaps()).encode(entry())) == entry()
    assert FORM.decode("a", Sealed(("env:A_KEY", OLD), Mishaps()).encode(entry())) == entry()


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"", "a key of 0 bytes; AES-256 takes 32"),
        (bytes(16), "a key of 16 bytes; AES-256 takes 32"),
        ("s3cr3t", "a text of 6 characters that is no word for a key"),
        ("env:", "no word for a key"),
        ("env:NOT_SET", "the variable NOT_SET is not set or empty; set it"),
        ("env:EMPTY", "the variable EMPTY is not set or empty; set it"),
        ("env:SHORT", "SHORT is a key of 6 bytes"),
        ("env:WORDS", "WORDS is neither base64 nor hexadecimal"),
        ([], "names no key; give 32 random bytes"),
        ([NEW, bytes(5)], "a key of 5 bytes"),
        (lambda: b"s3cr3t", "what the function gave is a key of 6 bytes"),
        (lambda: "s3cr3t", "what the function gave is a str"),
        (lambda: {}["s3cr3t"], r"the function that gives the keys failed \(KeyError\)"),
        (5, "give 32 bytes, 'env:NAME', a function"),
        ({"s3cr3t": 1}, "give 32 bytes, 'env:NAME', a function"),
    ],
)
def test_what_is_no_key(key: Any, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", " ")
    monkeypatch.setenv("SHORT", base64.b64encode(b"s3cr3t").decode())
    monkeypatch.setenv("WORDS", "s3cr3t s3cr3t!")
    text = said(key, f"sqlite:{tmp_path}/a.db")
    assert text.startswith("argument cache: ") and "s3cr3t" not in text
    assert re.search(why, text), text
    assert not list(tmp_path.iterdir()), "no file is made for settings that are wrong"


def test_an_async_function_is_refused() -> None:
    async def keys() -> bytes:
        return NEW

    assert "give a plain function" in said(keys)


def test_memory_alone_is_never_sealed() -> None:
    assert "cache.store is 'memory'" in said(NEW, "memory")


def test_without_the_package_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "cryptography" else real(name, *a)
    )
    assert 'pip install "edgeclient[encryption]"' in said(NEW, f"sqlite:{tmp_path}/a.db")


def test_a_key_is_never_shown() -> None:
    assert "encryption" not in repr(Cache("exact", encryption=b"s3cr3t"))
    assert "s3cr3t" not in repr(replace(Cache("exact", encryption=b"s3cr3t"), ttl_s=1.0))
