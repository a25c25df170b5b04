"""What `Cache(...)` says beside modes, lifetimes and stores: as callers of both SDKs see it, sync and async."""

from __future__ import annotations

from typing import Any

import pytest
from talking import Net, ask

from edgeclient import Cache

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]


# -- temperature


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"temperature": 0}, ["miss", "hit"]),
        ({"temperature": 0.0, "top_p": 0.5}, ["miss", "hit"]),
        ({"temperature": 1, "seed": 7}, ["miss", "hit"]),
        ({}, ["bypass", "bypass"]),
        ({"temperature": 0.1}, ["bypass", "bypass"]),
        ({"temperature": False, "seed": None}, ["bypass", "bypass"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["plain", "stream"])
async def test_a_cache_for_deterministic_calls_passes_all_others(
    net: Net, form: str, said: dict[str, Any], expected: list[str]
) -> None:
    client = net.client(net.edge("fra", cache=Cache("exact", temperature="deterministic")))
    asked = [await ask(client, form, extra_body=said) for _ in expected]
    assert [one.notes.cache for one in asked] == expected
    assert [one.notes.reason for one in asked] == ["temperature" if one == "bypass" else "" for one in expected]
    assert net.seen() == {"fra": 1 if "hit" in expected else 2}


async def test_the_answer_says_why_it_was_passed_by(net: Net) -> None:
    edge = net.edge("fra", cache=Cache("exact", temperature="deterministic"))
    said = await ask(net.client(edge), "raw")
    assert said.answer.headers["cache-status"] == "edgeclient; fwd=bypass; detail=temperature"
    assert edge.status().cache_entries == 0


async def test_what_samples_all_the_same_is_never_found_by_who_wants_none_of_it(net: Net) -> None:
    """Two edges, one store: an answer at temperature 1 is no answer at temperature 0, nor one to a call that is passed by."""
    edge = net.edge("fra", cache="exact")
    careful = net.edge("fra", cache=Cache("exact", temperature="deterministic"))
    careful.policies.store = edge.policies.store
    one, other = net.client(edge), net.client(careful)
    asked = [
        (await ask(who, extra_body=said)).notes.cache
        for said in ({"temperature": 1}, {"temperature": 0})
        for who in (one, other)
    ]
    assert asked == ["miss", "bypass", "miss", "hit"]
