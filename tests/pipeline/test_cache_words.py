"""What a caller says about the cache for one call, in a block, or in the settings: names, namespaces, lifetimes, tags."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from typing import Any

import pytest

from edgeclient import Cache, Edge, SettingsError
from edgeclient.cache import controls, policy
from edgeclient.classifying import classify
from edgeclient.policies import Policies
from edgeclient.values import UNSAID, Controls, Request

from .scripted import A, Run, Scripted, both_ways, ok, policies, request
from .test_pipeline import SAYS, ask

KEY, NAMESPACE, TTL, TAG = "edge-cache-key", "edge-cache-namespace", "edge-cache-ttl", "edge-cache-tag"


def cached(**said: Any) -> Policies:
    return policies(A, cache={"mode": "exact", "ttl_s": 60, **said})


def cache_of(run: Run, rt: Scripted, edge: Policies, what: Request) -> str:
    notes = ask(run, rt, edge, what).notes
    assert notes is not None
    return notes.cache


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([(KEY, " q1 "), (NAMESPACE, "faq")], {"named": "q1", "namespace": "faq"}),
        ([(KEY, "a"), (KEY, "b")], {"named": "a,b"}),
        ([(NAMESPACE, "")], {}),
        ([(TTL, "90")], {"ttl_s": 90.0}),
        ([(TTL, "0.5")], {"ttl_s": 0.5}),
        ([(TTL, "9999999999")], {"ttl_s": 2.0**31}),
        ([(TAG, "t, u ,,t"), ("edge-cache-tags", "v")], {"tags": ("t", "u", "v")}),
        ([(TAG, "t"), ("cache-control", "no-cache")], {"tags": ("t",), "lookup": False}),
    ],
    ids=str,
)
def test_words_of_our_own_are_read(headers: list[tuple[str, str]], says: dict[str, Any]) -> None:
    odd: list[str] = []
    assert controls.read(headers, lambda name, why: odd.append(name)) == Controls(**says)
    assert odd == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("no-cache, frobnicate=3", "'frobnicate' is no word for this cache; say max-age, "),
        ("max-stale=5", "'max-stale' is no word"),
        ("max-age=soon", "max-age=soon is no whole number of seconds"),
        ("max-age=-1, no-store", "max-age=-1 is no"),
        ("stale-if-error=1.5", "stale-if-error=1.5 is no"),
        ('max-age="', 'max-age=" is no'),
        ("max-age=٣", "max-age=٣ is no"),
    ],
)
def test_words_that_are_none_are_ignored_and_counted(said: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
    edge = cached()
    classify(request("Is it?", (SAYS, said)), edge)
    assert edge.telemetry.mishaps() == {"Cache-Control": 1} and why in caplog.text
    off = policies(A, cached=False)
    classify(request("Is it?", (SAYS, said)), off)
    assert off.telemetry.mishaps() == {}  # they are said to somebody else


@pytest.mark.parametrize("said", ["no-cache", "NO-STORE", 'max-age="60", only-if-cached', "stale-if-error=0,", ""])
def test_words_that_are_known_are_not_counted(said: str) -> None:
    edge = cached()
    classify(request("Is it?", (SAYS, said)), edge)
    assert edge.telemetry.mishaps() == {}


def test_a_time_may_stand_in_quotes() -> None:
    assert controls.read([(SAYS, 'max-age="60"')]) == Controls(max_age_s=60.0)


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        ({"gateway": 5}, 5.0),
        ({"inference": 5}, 60.0),
        ({"gateway": 5, "gpt-*": 6}, 6.0),
        ({"gpt-*": 6, "gpt-4o": 7, "gateway": 5}, 7.0),
    ],
)
def test_a_lifetime_may_be_that_of_a_route(ttl: dict[str, float], expected: float) -> None:
    edge = cached(ttl=ttl)
    assert policy.ttl_s(classify(request(), edge), edge.settings.cache) == expected


def test_a_call_that_the_cache_is_not_for_tells_no_cache_behind_to_keep_its_answer() -> None:
    edge = cached(ttl_s=600, namespace="faq", temperature="deterministic")
    assert classify(request(temperature=0), edge).controls == Controls(ttl_s=600.0, namespace="faq")
    passed = classify(request(temperature=1), edge)
    assert (passed.controls, passed.key, passed.reason) == (UNSAID, "", "temperature")
    assert classify(request("Is it?", (TTL, "90"), temperature=1), edge).controls == Controls(ttl_s=90.0)


@pytest.mark.parametrize("said", ["0", "-5", "0.0", "soon", "", "1e9", "nan", "inf", "60,70", "٣"])
def test_a_lifetime_that_is_none_is_ignored_and_counted(said: str) -> None:
    edge = policies(A, cache={"mode": "exact"})
    assert classify(request("Is it?", (TTL, said)), edge).controls == UNSAID
    assert edge.telemetry.mishaps() == {"Edge-Cache-Ttl": 1}


def test_an_unknown_word_is_counted() -> None:
    edge = policies(A, cache={"mode": "exact"})
    assert classify(request("Is it?", ("edge-cache-namspace", "x")), edge).controls == UNSAID
    assert edge.telemetry.mishaps() == {"edge-cache-namspace": 1}


@pytest.mark.parametrize(
    ("cache", "words", "says"),
    [
        ({}, [], {}),
        ({"ttl_s": 60}, [], {"ttl_s": 60.0}),
        ({"ttl": {"gpt-*": 3600}}, [], {"ttl_s": 3600.0}),
        ({"ttl": {"o3": 5}}, [], {}),
        ({"ttl_s": 60, "ttl": {"gpt-4o": 5}}, [], {"ttl_s": 5.0}),
        ({"namespace": "mine"}, [], {"namespace": "mine"}),
        ({"ttl_s": 60, "namespace": "mine"}, [(TTL, "7"), (NAMESPACE, "other")], {"ttl_s": 7.0, "namespace": "other"}),
        ({"mode": "off", "ttl_s": 60, "namespace": "mine"}, [], {}),
        ({"mode": "off"}, [(TTL, "7"), (NAMESPACE, "n"), (TAG, "t"), (KEY, "k")], {"ttl_s": 7.0, "namespace": "n"}),
    ],
    ids=str,
)
def test_what_the_caches_behind_are_told(
    cache: dict[str, Any], words: list[tuple[str, str]], says: dict[str, Any]
) -> None:
    """What the call says, else the settings; where this cache is off, only what the call says."""
    edge = policies(A, cached=cache.get("mode") != "off", cache={"mode": "exact", **cache})
    assert classify(request("Is it?", *words), edge).controls == Controls(**says)


@pytest.mark.parametrize("cached", [True, False])
def test_nothing_is_said_of_where_the_answer_to_an_upload_is_kept(cached: bool) -> None:
    """Nobody keeps it, and its body may be one that can be read once only."""
    edge = policies(A, cached=cached, cache={"mode": "exact", "ttl_s": 60, "namespace": "mine"})
    assert classify(request("Is it?", (TTL, "7"), (NAMESPACE, "n"), path="/files"), edge).controls == UNSAID


@both_ways
def test_a_name_finds_the_answer_to_a_question_in_other_words(run: Run) -> None:
    edge, rt = cached(), run.runtime(a=ok())
    said = [
        request("How far is it, at 10:01?", (KEY, "q")),
        request("How far is it, at 10:02?", (KEY, "q")),
        request("How far is it, at 10:03?"),
        request("How far is it?", (KEY, "q"), credential="Bearer another"),
        request("How far is it?", (KEY, "q"), (NAMESPACE, "n")),
        request("How far is it?", (KEY, "q"), model="gpt-5"),
    ]
    assert [cache_of(run, rt, edge, one) for one in said] == ["miss", "hit", "miss", "miss", "miss", "miss"]


@both_ways
def test_the_namespace_of_a_call_goes_before_that_of_the_settings(run: Run) -> None:
    edge, rt = cached(namespace="mine"), run.runtime(a=ok())
    said = [request(), request("Is it?", (NAMESPACE, "mine")), request("Is it?", (NAMESPACE, "other"))]
    assert [cache_of(run, rt, edge, one) for one in said] == ["miss", "hit", "miss"]


@both_ways
def test_who_shares_gets_the_answers_of_others(run: Run) -> None:
    edge, rt = cached(shared=["faq"]), run.runtime(a=ok())
    said = [
        request("Is it?", *words, credential=who)
        for words in ([(NAMESPACE, "faq")], [(NAMESPACE, "mine")], [])
        for who in ("Bearer a", "Bearer b")
    ]
    assert [cache_of(run, rt, edge, one) for one in said] == ["miss", "hit", "miss", "miss", "miss", "miss"]


@both_ways
@pytest.mark.parametrize(
    ("words", "model", "lives_s"),
    [
        ([], "gpt-4o", 600),
        ([], "gpt-4o-mini", 5),
        ([], "o3", 60),
        ([(TTL, "7")], "gpt-4o", 7),
        ([(TTL, "no")], "o3", 60),
    ],
)
def test_how_long_an_answer_is_fresh(run: Run, words: list[tuple[str, str]], model: str, lives_s: float) -> None:
    edge, rt = cached(ttl={"gpt-*": 600, "gpt-4o-mini": 5}), run.runtime(a=ok())
    reply = ask(run, rt, edge, request("Is it?", *words, model=model))
    assert reply.notes is not None and reply.notes.ttl_s == lives_s
    rt.time += lives_s - 0.5
    assert cache_of(run, rt, edge, request(model=model)) == "hit"
    rt.time += 1
    assert cache_of(run, rt, edge, request(model=model)) == "miss"


@pytest.mark.parametrize(
    "said",
    [{"ttl": {"gpt-*": 0}}, {"ttl": {"x": -1}}, {"ttl": {"x": "soon"}}, {"shared": "yes"}, {"shared": [""]}],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(said))):
        Cache("exact", **said)


@both_ways
def test_a_tag_makes_the_answers_that_have_it_invalid(run: Run) -> None:
    with Edge(endpoints=[A.url], key="passthrough", cache="exact", probe=False) as edge:
        rt = run.runtime(**{edge.policies.endpoints[0].name: ok()})
        rt.time = -1e6  # the runtime's wall clock stands before that of the edge
        asked = [request("a", (TAG, "doc-1, doc-2")), request("b", (TAG, "doc-2")), request("c")]
        assert [cache_of(run, rt, edge.policies, one) for one in asked * 2] == ["miss"] * 3 + ["hit"] * 3
        edge.invalidate(tag="doc-1")
        assert [cache_of(run, rt, edge.policies, one) for one in asked] == ["miss", "hit", "hit"]
        edge.invalidate(model="gpt-4o", tag="doc-2")
        assert [cache_of(run, rt, edge.policies, one) for one in asked] == ["miss", "miss", "hit"]
        edge.invalidate(older_than_s=3600)
        assert [cache_of(run, rt, edge.policies, one) for one in asked] == ["miss"] * 3


def test_to_make_nothing_invalid_is_a_mistake() -> None:
    edge = Edge(cache="exact")
    with pytest.raises(ValueError, match="say which answers"):
        edge.invalidate()
    with pytest.raises(ValueError, match="older_than_s is -1"):
        edge.invalidate(tag="x", older_than_s=-1)
    Edge().invalidate(tag="x")  # without a cache there is nothing to do


# -- blocks


def said_in(edge: Edge, *headers: tuple[str, str]) -> Controls:
    return classify(request("Is it?", *headers), edge.policies).controls


def test_a_block_says_it_for_all_of_its_calls() -> None:
    edge = Edge(endpoints=[A.url], key="passthrough", cache="exact")
    with edge.caching(namespace="n", ttl_s=5, tags="t, u"):
        assert said_in(edge) == Controls(namespace="n", ttl_s=5, tags=("t", "u"))
        assert said_in(edge, (NAMESPACE, "m"), (TTL, "9"), (TAG, "v")) == Controls(
            namespace="m", ttl_s=9.0, tags=("t", "u", "v")
        )
        with edge.caching(off=True, tags=["w,x"]):
            inner = Controls(store=False, lookup=False, namespace="n", ttl_s=5, tags=("t", "u", "w,x"))
            assert said_in(edge) == inner
            assert said_in(edge, ("cache-control", "max-age=9")).store is False
            with edge.caching(off=False):
                assert said_in(edge).lookup
        assert said_in(edge).store
    assert said_in(edge) == UNSAID


def test_a_block_is_of_its_own_edge_and_ends_with_an_error() -> None:
    edge, other = Edge(cache="exact"), Edge(cache="exact")

    def fails() -> None:
        with edge.caching(off=True):
            assert said_in(other) == UNSAID and not said_in(edge).store
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert said_in(edge) == UNSAID


@pytest.mark.parametrize("ttl_s", [0, -1, float("nan"), float("inf")])
def test_a_block_takes_no_lifetime_that_is_none(ttl_s: float) -> None:
    with pytest.raises(ValueError, match="ttl_s is"), Edge(cache="exact").caching(ttl_s=ttl_s):
        pass


def test_tasks_that_begin_in_a_block_have_it_and_others_do_not() -> None:
    edge = Edge(cache="exact")

    async def look() -> bool:
        await asyncio.sleep(0)
        return said_in(edge).store

    async def both() -> list[bool]:
        before = asyncio.ensure_future(look())
        with edge.caching(off=True):
            inside = asyncio.ensure_future(look())
        return list(await asyncio.gather(before, inside, look()))

    assert asyncio.run(both()) == [True, False, True]


def test_a_thread_has_it_with_a_copied_context() -> None:
    edge, seen = Edge(cache="exact"), []
    with edge.caching(off=True):
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: seen.append(said_in(edge).store),))
        thread.start()
        thread.join()
    assert seen == [False]
