"""What single calls depart from the order for: long uploads, conversations with a warm prompt cache, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgeclient.pops.affinity import Affinity, worth_s
from edgeclient.pops.identity import Pop
from edgeclient.settings import Key
from edgeclient.values import Call, Endpoint, Failure, Outcome, Route

from .test_selector import Running

A, B, C = (Endpoint(name, f"https://{name}.example.com/v1", key=Key(f"env:{name}")) for name in "abc")
CALL = Call("openai", "POST", "", "/chat/completions", model="m", route=Route.GATEWAY)
MEGABYTE = 2**20


def first(running: Running, call: Call, now: float = 1.0) -> str:
    return running.selector.plan(running.endpoints, now, call=call)[0][0].name


# -- uploads


def uploads(running: Running, **rates_mb: float) -> Running:
    for name, rate in rates_mb.items():
        endpoint = next(e for e in running.endpoints if e.name == name)
        running.selector.record(Outcome(endpoint, upload_bytes_s=rate * MEGABYTE), 0.0)
    return running


def test_a_long_request_goes_where_path_and_upload_together_take_least() -> None:
    running = uploads(Running(A, B, C).rtt(a=20, b=40, c=80), a=1, b=10, c=10)
    assert first(running, CALL) == "a"
    assert first(running, replace(CALL, size=2 * MEGABYTE)) == "b"
    assert first(running, replace(CALL, size=60_000)) == "a", "short ones go by round trip alone"
    assert running.selector.plan(running.endpoints, 1.0, call=replace(CALL, size=2 * MEGABYTE))[0] == (B, A, C)


def test_who_has_not_shown_its_rate_is_taken_for_the_fastest() -> None:
    running = uploads(Running(A, B).rtt(a=20, b=40), a=1)
    assert first(running, replace(CALL, size=2 * MEGABYTE)) == "a", "all that is known is one rate"
    running = uploads(Running(A, B, C).rtt(a=20, b=40, c=90), a=1, c=10)
    assert first(running, replace(CALL, size=2 * MEGABYTE)) == "b"


def test_without_any_rate_round_trips_decide() -> None:
    assert first(Running(A, B).rtt(a=20, b=40), replace(CALL, size=9 * MEGABYTE)) == "a"


def test_a_small_gain_moves_no_upload() -> None:
    running = uploads(Running(A, B).rtt(a=20, b=21), a=10, b=10.5)
    assert first(running, replace(CALL, size=2 * MEGABYTE)) == "a"


# -- conversations

TURN = replace(CALL, size=8000, opening=7)


def test_a_conversation_stays_where_its_beginning_is() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    running.selector.answered_at(B, None, TURN, 10.0)
    assert first(running, TURN, 309.0) == "b" and first(running, TURN, 311.0) == "a"
    assert first(running, replace(TURN, opening=8), 20.0) == "a", "another conversation"
    assert first(running, replace(TURN, size=4000), 20.0) == "a", "too short to be cached"


def test_each_turn_keeps_it_longer() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    running.selector.answered_at(B, None, TURN, 10.0)
    running.selector.answered_at(B, None, TURN, 300.0)
    assert first(running, TURN, 590.0) == "b"


def test_it_moves_where_that_gains_more_than_the_prompt_is_worth() -> None:
    assert worth_s(8000) == pytest.approx(0.4)
    near, far = Running(A, B).rtt(a=20, b=419), Running(A, B).rtt(a=20, b=421)
    for running in (near, far):
        running.selector.answered_at(B, None, TURN, 0.0)
    assert first(near, TURN) == "b" and first(far, TURN) == "a"


def test_it_does_not_follow_one_that_is_out() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    running.selector.answered_at(B, None, TURN, 0.0)
    running.fail(B, Failure.REFUSED, 0.5)
    assert first(running, TURN) == "a"


def test_behind_the_callers_own_key_the_cache_is_the_same_everywhere() -> None:
    passing = [replace(e, key=Key("passthrough")) for e in (A, B)]
    running = Running(*passing).rtt(a=20, b=40)
    running.selector.answered_at(passing[1], None, TURN, 0.0)
    assert first(running, TURN) == "a"


def test_so_many_conversations_are_remembered() -> None:
    affinity = Affinity()
    for opening in range(5000):
        affinity.keep(opening, 8000, "a", 0.0)
    affinity.keep(9999, 4095, "a", 0.0)
    assert len(affinity._last) == 4096 and affinity.of(0, 1.0) == "" and affinity.of(4999, 1.0) == "a"


# -- refusals


def test_another_site_of_the_same_endpoint_is_asked_again() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    running.selector.answered_at(A, Pop("HKG"), CALL, 0.0)
    running.selector.record(Outcome(A, Failure.REGION, 403, call=CALL), 0.5)
    assert first(running, CALL) == "b"
    running.selector.answered_at(A, Pop("HKG"), CALL, 1.0)
    assert first(running, CALL) == "b"
    running.selector.answered_at(A, Pop("SIN"), CALL, 2.0)
    assert first(running, CALL) == "a"


def test_refused_by_all_they_are_still_tried() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    for endpoint in (A, B):
        running.selector.record(Outcome(endpoint, Failure.REGION, 403, call=CALL), 0.5)
    good, rest = running.selector.plan(running.endpoints, 1.0, call=CALL)
    assert (good, rest) == ((), (A, B))


def test_so_many_models_are_remembered() -> None:
    running = Running(A, B).rtt(a=20, b=40)
    for number in range(200):
        running.selector.record(Outcome(A, Failure.REGION, 403, call=replace(CALL, model=f"m{number}")), 0.5)
    assert len(running.selector._tracks["a"].refuses) <= 64
    assert first(running, replace(CALL, model="m199")) == "b"
