"""Settings of a cache that its kind has no use for: an error that says which, from where, and what to do. Never silence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from edgeclient import Cache, Edge
from edgeclient.errors import SettingsError
from edgeclient.surroundings import FILE_VARIABLE

USELESS: list[tuple[dict[str, Any], str]] = [
    ({"semantic": "serve"}, "semantic is 'serve', .* remove semantic, or set mode='semantic'"),
    ({"max_wrong_rate": 0.01}, "max_wrong_rate is 0.01, .* remove max_wrong_rate, or set mode='semantic'"),
    ({"audit_rate": 0.5}, "audit_rate is 0.5, .* remove audit_rate, or set mode='semantic'"),
    ({"embedder": "none"}, "embedder is 'none', .* remove embedder, or set mode='semantic'"),
    ({"index_bytes": 2**21}, "index_bytes is 2097152, .* remove index_bytes, or set mode='semantic'"),
    ({"budget_s": 0.5}, "budget_s is 0.5, .* store is 'memory'; remove budget_s, or name a store"),
    ({"file_bytes": 2**21}, "file_bytes is 2097152, .* store is 'memory', .* or set max_bytes"),
    (
        {"file_bytes": 2**21, "store": "redis://u:secret@h"},
        "file_bytes is .* store is 'redis', which has none; remove file_bytes$",
    ),
]


@pytest.mark.parametrize(("said", "expected"), USELESS, ids=lambda one: "-".join(one) if isinstance(one, dict) else "")
@pytest.mark.parametrize("source", ["Cache", "argument cache", "variable EDGECLIENT_CACHE", "a file"])
def test_what_the_kind_of_cache_does_not_use_is_an_error(
    source: str, said: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = {"mode": "exact", **said}
    if source == "variable EDGECLIENT_CACHE":
        monkeypatch.setenv("EDGECLIENT_CACHE", json.dumps(table))
    if source == "a file":
        path = tmp_path / "edgeclient.toml"
        path.write_text("[cache]\n" + "\n".join(f"{name} = {json.dumps(one)}" for name, one in table.items()))
        monkeypatch.setenv(FILE_VARIABLE, str(path))
        source = str(path)
    made: Any = {"Cache": lambda: Cache(**table), "argument cache": lambda: Edge(cache=table)}.get(source, Edge)
    with pytest.raises(SettingsError, match=rf"^{source}: (cache: )?{expected}") as caught:
        made()
    assert "secret" not in str(caught.value)


def test_a_store_that_a_variable_names_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE", "memory")
    with pytest.raises(SettingsError, match="budget_s is"):
        Cache("exact", store="env:STORE", budget_s=0.5)
    monkeypatch.setenv("STORE", "sqlite")
    assert Cache("exact", store="env:STORE", budget_s=0.5, file_bytes=2**21).budget_s == 0.5


@pytest.mark.parametrize(("said", "_"), USELESS)
def test_a_cache_that_is_off_may_say_anything(said: dict[str, Any], _: str) -> None:
    assert Cache("off", **said).mode == "off"


@pytest.mark.parametrize("said", [0, -1, float("nan"), float("inf"), 1e300])
def test_a_lifetime_is_a_time(said: float) -> None:
    for wrong in ({"ttl_s": said}, {"ttl": {"gpt-*": said}}):
        with pytest.raises(SettingsError, match=r"^argument cache: cache\.ttl"):
            Edge(cache={"mode": "exact", **wrong})


@pytest.mark.parametrize("name", ["flight_wait_s", "connect_s"])
def test_no_wait_is_longer_than_a_lock_or_a_socket_can_wait(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^argument {name}: {name}: Input should be less than"):
        Edge(**{name: float("inf")})


def test_what_another_kind_uses_it_takes() -> None:
    assert Cache("semantic", embedder="none", max_wrong_rate=0.01, audit_rate=0.1, semantic="serve").audit_rate == 0.1
    assert Cache("exact", store="postgresql://h/db", file_bytes=2**21, budget_s=1).file_bytes == 2**21
    assert dataclasses.replace(Cache("semantic"), mode="exact").mode == "exact"  # it says each setting's default
