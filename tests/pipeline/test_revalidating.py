"""A stale answer answers at once, and is asked for anew beside the call (RFC 5861, section 3)."""

from __future__ import annotations

from typing import Any

import pytest

from edgeclient.cache.refreshing import Refreshes
from edgeclient.policies import Policies
from edgeclient.values import Failure, Request

from .scripted import A, Run, Scripted, both_ways, ok, policies, request, says
from .test_pipeline import ask

SAYS = "cache-control"


def stocked(run: Run, **cache: Any) -> tuple[Policies, Scripted]:
    """An entry that lives for 60 seconds and answers for 30 more."""
    edge = policies(A, cache={"mode": "exact", "ttl_s": 60, "stale_while_revalidate_s": 30, **cache})
    rt = run.runtime(a=[ok(), ok(id="chatcmpl-2")], origin=Failure.REFUSED)
    ask(run, rt, edge)
    return edge, rt


def told(run: Run, rt: Scripted, edge: Policies, what: Request | None = None) -> tuple[str, str, int]:
    """What the cache said, whose answer it was, and how many refreshes wait to run."""
    notes = ask(run, rt, edge, what).notes
    assert notes is not None
    return notes.cache, notes.original_id, len(rt.beside_ones)


@both_ways
def test_it_answers_at_once_and_one_request_refreshes_it(run: Run) -> None:
    edge, rt = stocked(run)
    rt.time += 70
    assert [told(run, rt, edge) for _ in range(3)] == [("hit", "chatcmpl-1", 1)] * 3
    assert rt.sent == ["a"]
    run(rt.go_beside())
    assert rt.sent == ["a", "a"] and told(run, rt, edge) == ("hit", "chatcmpl-2", 0)
    assert edge.telemetry.counts()["refreshes"] == 1 and not edge.telemetry.mishaps()


@both_ways
@pytest.mark.parametrize(
    ("later_s", "said"), [(59.9, ("hit", 0)), (60, ("hit", 1)), (89.9, ("hit", 1)), (90, ("miss", 0))]
)
def test_for_so_long_and_no_longer(run: Run, later_s: float, said: tuple[str, int]) -> None:
    edge, rt = stocked(run)
    rt.time += later_s
    cache, _, waiting = told(run, rt, edge)
    assert (cache, waiting) == said


@both_ways
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stale-while-revalidate=0", "miss"),
        ("stale-while-revalidate=5", "miss"),
        ("max-age=60", "miss"),
        ("max-age=60, stale-while-revalidate=20", "hit"),
        ("no-cache", "bypass"),
    ],
)
def test_a_caller_has_the_last_word(run: Run, words: str, said: str) -> None:
    edge, rt = stocked(run)
    rt.time += 70
    assert told(run, rt, edge, request("Is it?", (SAYS, words)))[0] == said


@both_ways
def test_who_wants_nothing_sent_gets_nothing_stale(run: Run) -> None:
    edge, rt = stocked(run)
    rt.time += 70
    assert ask(run, rt, edge, request("Is it?", (SAYS, "only-if-cached"))).status == 504 and not rt.beside_ones


@both_ways
@pytest.mark.parametrize("answer", [Failure.REFUSED, says(500), says(429), ok(choices=[])], ids=str)
def test_a_refresh_that_fails_is_left_alone_for_a_while(run: Run, answer: Any) -> None:
    edge, rt = stocked(run)
    rt.answers = {"a": [answer], "origin": [answer]}
    rt.time += 61
    begun = []
    for _ in range(28):  # a call a second
        assert told(run, rt, edge)[:2] == ("hit", "chatcmpl-1")
        begun.append(len(rt.beside_ones))
        run(rt.go_beside())
        rt.time += 1
    assert [n for n, count in enumerate(begun) if count] == [0, 1, 3, 7, 15]


@both_ways
def test_where_nothing_can_run_beside_the_stale_answer_is_given(run: Run) -> None:
    edge, rt = stocked(run)
    rt.may_go_beside = False
    rt.time += 70
    assert told(run, rt, edge) == ("hit", "chatcmpl-1", 0) and edge.telemetry.counts()["refreshes"] == 0


@both_ways
def test_without_the_setting_nothing_is_refreshed(run: Run) -> None:
    edge, rt = stocked(run, stale_while_revalidate_s=0, stale_if_error_s=99)
    rt.time += 70
    assert told(run, rt, edge)[0] == "miss"


def test_only_so_many_run_at_once_and_failures_are_forgotten_in_the_end() -> None:
    refreshes = Refreshes()
    assert [refreshes.begin(str(n), 0.0) for n in range(40)] == [True] * 32 + [False] * 8
    for n in range(5000):
        refreshes.ended(str(n), 0.0, stored=False)
    assert len(refreshes._failed) == 1024 and not refreshes._running
    refreshes.ended("4999", 0.0, stored=True)
    assert refreshes.begin("4999", 0.0)
