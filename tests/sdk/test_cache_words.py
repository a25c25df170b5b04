"""Names, namespaces, lifetimes, tags and blocks, as callers of both SDKs say them; nothing of it goes over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from talking import Net, ask

import edgeclient

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_pauses")]

WORDS = {
    "Edge-Cache-Key": "q", "Edge-Cache-Namespace": "n", "Edge-Cache-Ttl": "90", "Edge-Cache-Tag": "t",
    "Edge-Cache-Tags": "u",
}  # fmt: skip


@pytest.fixture
def client(net: Net) -> Any:
    return net.client(net.edge("fra", cache="exact"))


@pytest.mark.parametrize("cache", ["off", "exact"])
async def test_none_of_the_words_goes_over_the_wire(net: Net, cache: str) -> None:
    client = net.client(net.edge("fra", cache=cache))
    await ask(client)
    with client._edge.caching(namespace="m", ttl_s=5, tags=["v"]):
        said = await ask(client, extra_headers=WORDS)
    plain, worded = net.endpoints["fra"].take()
    assert worded.raw == plain.raw
    assert said.notes.ttl_s == (90.0 if cache == "exact" else None)


async def test_a_named_question_is_found_in_other_words(net: Net, client: Any) -> None:
    asked = [
        await ask(client, form, f"It is {form}. How far?", extra_headers=WORDS) for form in ("plain", "stream", "raw")
    ]
    assert [said.notes.cache for said in asked] == ["miss", "hit", "hit"] and net.seen() == {"fra": 1}


async def test_callers_share_only_where_it_is_said(net: Net) -> None:
    edge = net.edge("fra", cache=edgeclient.Cache("exact", shared=["faq"]))
    client = net.client(edge)
    other = client.with_options(api_key="sk-another")
    faq = {"extra_headers": {"Edge-Cache-Namespace": "faq"}}
    said = [await ask(one, **words) for words in (faq, {}) for one in (client, other)]
    assert [one.notes.cache for one in said] == ["miss", "hit", "miss", "miss"]


async def test_a_block_turns_the_cache_off_and_an_invalidation_empties_a_part_of_it(net: Net, client: Any) -> None:
    edge = client._edge
    with edge.caching(tags=["doc-1"]):
        assert [(await ask(client)).notes.cache for _ in range(2)] == ["miss", "hit"]
    await ask(client, question="another?")
    with edge.caching(off=True):
        assert (await ask(client)).notes.cache == "bypass"
    edge.invalidate(tag="doc-1")
    assert [(await ask(client)).notes.cache, (await ask(client, question="another?")).notes.cache] == ["miss", "hit"]
    notes = (await ask(client)).notes
    assert notes.cache == "hit"
    edge.invalidate(key=notes.key)
    assert (await ask(client)).notes.cache == "miss"
