"""A quick demonstration: two near PoPs on loopback, a fast model, and questions without pauses."""

from __future__ import annotations

import pytest

from edgeclient.cli import demo, second_act


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "POPS", {"far": 14.0, "near": 2.0})
    monkeypatch.setattr(demo, "ORIGIN_MS", 15.0)
    monkeypatch.setattr(demo, "FIRST_TOKEN_MS", (3.0, 6.0))
    monkeypatch.setattr(demo, "TOKENS_PER_S", 20_000.0)
    monkeypatch.setattr(demo, "PER_S", 150.0)
    monkeypatch.setattr(demo, "SECOND_ACT", 2)
    monkeypatch.setattr(demo, "THIRD_ACT", 60)
    monkeypatch.setattr(second_act, "ORIGIN_MS", 60.0)
    monkeypatch.setattr(second_act, "_MODEL", {"first_token_ms": (60.0, 90.0), "tokens_per_s": 20_000.0})
