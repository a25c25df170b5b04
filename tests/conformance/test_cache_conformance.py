"""The conformance page says what the cache does today, and what rivals did whose answers are kept; all rows hold for ours."""

from __future__ import annotations

import importlib.metadata
import json

import pytest
from conformance import KEPT, PAGE, column, page, tried
from live_probes import slow_reader, threads_read_along
from probes import own_id, repeated, threads_at_once
from subjects import RIVALS, Ours, installed

RIVALS_THEN = json.loads(KEPT.read_text("utf-8"))


@pytest.fixture(scope="module")
def ours() -> dict[str, str]:
    return column(Ours)


def test_every_promise_is_kept(ours: dict[str, str]) -> None:
    assert {name: said for name, said in ours.items() if said != "Y"} == {}


def test_the_page_is_fresh(ours: dict[str, str]) -> None:
    assert PAGE.read_text("utf-8") == page(ours, RIVALS_THEN), "run python tests/conformance/conformance.py"


def test_a_probe_finds_what_is_not_so() -> None:
    class Off(Ours):
        def __init__(self) -> None:
            super().__init__()
            import edgeclient

            self._edge = edgeclient.Edge(cache="off", remember=False)

    assert tried(Off, repeated) == "N: 2 of 2 calls were sent"
    assert tried(Off, threads_at_once) == "N: each was sent"
    assert tried(Off, threads_read_along) == "N: each was sent"
    assert tried(Off, slow_reader) == "\N{EN DASH}"  # each has a stream of its own
    assert tried(Off, own_id) == "Y"  # two answers have two ids


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RIVALS))
def test_a_rival_that_is_installed_does_what_the_page_says(name: str) -> None:
    then = RIVALS_THEN["rivals"][name]
    if name in installed() and importlib.metadata.version(RIVALS[name].package) == then["version"]:
        assert column(RIVALS[name]) == then["rows"]
