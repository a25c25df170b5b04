"""The order of endpoints: nearest healthy first, kept while it is good enough, and nobody is ever left out."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.identity import Pop
from edgeclient.pops.selector import Selector
from edgeclient.values import ORIGIN, Call, Endpoint, Failure, Outcome, Route

A, B, C = (Endpoint(name, f"https://{name}.example.com/v1") for name in "abc")
ALL = (A, B, C)


class Running:
    """A selector and what happens to it. Times are absolute."""

    def __init__(self, *endpoints: Endpoint, probing: bool = True, seed: int = 1) -> None:
        self.selector = Selector(endpoints or ALL, random.Random(seed), probing=probing)
        self.endpoints = endpoints or ALL

    def rtt(self, now: float = 0.0, **rtts_ms: float) -> Running:
        for name, rtt_ms in rtts_ms.items():
            endpoint = next(e for e in (*self.endpoints, ORIGIN) if e.name == name)
            for _ in range(3):
                self.selector.record(Outcome(endpoint, rtt_s=rtt_ms / 1e3), now)
        return self

    def fail(self, endpoint: Endpoint, failure: Failure, now: float, retry_after_s: float | None = None) -> Running:
        self.selector.record(Outcome(endpoint, failure, retry_after_s=retry_after_s), now)
        return self

    def due(self, now: float) -> list[Endpoint]:
        """What is due, and begun."""
        due = self.selector.due(now)
        self.selector.probing(due, now)
        return due

    def order(self, now: float, *candidates: Endpoint, again: bool = False) -> tuple[str, str]:
        """The names of those to use and of those for when nothing else is left."""
        good, rest = self.selector.plan(candidates or self.endpoints, now, again=again)
        return "".join(e.name for e in good), "".join(e.name for e in rest)


# -- by round-trip time


def test_the_nearest_is_first() -> None:
    assert Running().rtt(a=95, b=20, c=50).order(1) == ("bca", "")


def test_the_unknown_come_behind_the_known_in_their_configured_order() -> None:
    assert Running().order(0) == ("abc", "")
    assert Running().rtt(c=200).order(1) == ("cab", "")


@pytest.mark.parametrize(
    ("current_ms", "other_ms", "first"),
    [(20, 16, "a"), (20, 15.1, "a"), (20, 14.9, "b"), (100, 91, "a"), (100, 89, "b"), (20, 20, "a")],
)
def test_the_current_one_is_kept_unless_another_is_clearly_nearer(
    current_ms: float, other_ms: float, first: str
) -> None:
    running = Running(A, B).rtt(a=current_ms, b=current_ms + 50)
    assert running.order(1) == ("ab", "")
    running.rtt(2, b=other_ms)
    assert running.order(3)[0][0] == first


def test_a_switch_is_kept_as_well() -> None:
    running = Running(A, B).rtt(a=30, b=60)
    assert running.order(1)[0] == "ab"
    running.rtt(2, b=20)
    assert running.order(3)[0] == "ba"
    running.rtt(4, a=17)
    assert running.order(5)[0] == "ba"


def test_each_group_of_candidates_has_its_own_current_one() -> None:
    running = Running().rtt(a=20, b=24, c=50)
    assert running.order(1, B, C)[0] == "bc"
    assert running.order(1, A, B)[0] == "ab"
    assert running.order(1)[0] == "abc"


# -- throttled, ejected, on trial


def test_a_throttled_one_comes_behind_the_others_for_as_long_as_it_says() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.THROTTLED, 10, retry_after_s=7)
    assert running.order(16.9) == ("bca", "")
    assert running.order(17.1) == ("abc", "")


@pytest.mark.parametrize(("said_s", "until"), [(None, 5.0), (0.0, 0.0), (30.0, 30.0), (86_400.0, 300.0)])
def test_the_length_of_a_throttling(said_s: float | None, until: float) -> None:
    running = Running(A, B).rtt(a=20, b=95).fail(A, Failure.THROTTLED, 0, retry_after_s=said_s)
    if until:
        assert running.order(until - 0.1) == ("ba", "")
    assert running.order(until + 0.1) == ("ab", "")


def test_a_shorter_throttling_does_not_cut_a_longer_one() -> None:
    running = Running(A, B).rtt(a=20, b=95)
    running.fail(A, Failure.THROTTLED, 0, retry_after_s=60).fail(A, Failure.THROTTLED, 1, retry_after_s=1)
    assert running.order(30) == ("ba", "")


def test_the_ejected_are_last_the_least_recent_failure_first() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 2).fail(B, Failure.REFUSED, 1)
    assert running.order(3) == ("c", "ba")
    running.fail(C, Failure.REFUSED, 2.5)
    assert running.order(3) == ("", "bac")


def test_what_could_not_be_reached_waits_for_a_probe() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 0)
    assert running.order(1000) == ("bc", "a")
    running.selector.probed(A, [0.02], 1000, 0.02)
    assert running.order(1001) == ("abc", "")


def test_a_probe_that_fails_ejects_again() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 0)
    running.selector.probed(A, [], 10, 2.0)
    assert running.order(11) == ("bc", "a")
    assert running.selector.status(11)[0].state == "ejected"


def test_a_probe_that_fails_does_not_harm_a_ready_one() -> None:
    running = Running().rtt(a=20, b=30)
    running.selector.probed(A, [], 1, 2.0)
    assert running.order(2, A, B) == ("ab", "")


def test_a_probe_does_not_bring_back_one_that_answers_badly() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.NOT_AN_ANSWER, 0)
    running.selector.probed(A, [0.02], 1, 0.02)
    assert running.order(1) == ("bc", "a")


def test_without_probes_a_request_is_the_way_back() -> None:
    running = Running(probing=False).rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 0)
    assert running.order(1) == ("bc", "a")
    assert running.order(10) == ("abc", "")


def test_a_trial_goes_to_exactly_one_call() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.NOT_AN_ANSWER, 0)
    assert running.order(10) == ("abc", "")
    assert [running.order(10 + n) for n in range(3)] == [("bc", "a")] * 3
    running.selector.record(Outcome(A, took_s=1.0), 14)
    assert running.order(15) == running.order(15) == ("abc", "")


def test_a_trial_that_fails_ejects_again_for_longer() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.NOT_AN_ANSWER, 0)
    assert running.order(10) == ("abc", "")
    running.fail(A, Failure.STATUS, 11)
    assert running.order(16) == ("bc", "a")  # 8 s +-25 %
    assert running.order(22) == ("abc", "")


def test_the_only_candidate_is_used_when_it_is_ready_and_last_when_not() -> None:
    running = Running()
    assert running.order(0, A) == ("a", "")
    running.fail(A, Failure.REFUSED, 0)
    assert running.order(1, A) == ("", "a")


@pytest.mark.parametrize("failure", [Failure.STATUS, Failure.TERMINATED, Failure.PROTOCOL, Failure.REFUSED])
def test_a_retry_of_the_sdk_spares_what_just_failed(failure: Failure) -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, failure, 1)
    assert running.order(2, again=True) == ("bc", "a")
    running.rtt(3, a=20)  # it answered another call
    if failure is not Failure.REFUSED:
        assert running.order(4, again=True) == ("abc", "")


def test_the_origin_may_be_a_candidate() -> None:
    running = Running(A, B).rtt(a=20, b=30).rtt(origin=25)
    assert running.order(1, A, B, ORIGIN)[0] == "aoriginb"


# -- what it has learnt


def test_late_errors_do_not_eject_twice() -> None:
    """Ten requests under way at the moment of an outage count once."""
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 10)
    for n in range(10):
        running.selector.record(Outcome(A, Failure.REFUSED, took_s=5.0), 10 + n / 100)
    assert running.selector.status(15.2)[0].state == "probation"


def test_the_status_counts() -> None:
    running = Running().rtt(a=20).fail(B, Failure.STATUS, 1)
    running.selector.answered_at(A, Pop("FRA", "Frankfurt-am-Main"), Call("openai", "POST", "", ""), 1)
    running.selector.record(Outcome(A, rtt_s=0.021), 1)
    a, b, c = running.selector.status(2)
    assert (a.name, a.url, a.state, a.pop, a.calls, a.failures, a.share) == ("a", A.url, "ready", "FRA", 4, 0, 1.0)
    assert a.rtt_ms == pytest.approx(20) and a.rtt_now_ms == pytest.approx(21) and a.city == "Frankfurt-am-Main"
    assert (a.why, a.in_state_s, a.last_failure, a.last_failure_s) == ("", None, "", None)
    assert (b.calls, b.failures, b.share, b.rtt_ms, c.calls) == (0, 1, 0.0, None, 0)
    assert (b.state, b.why, b.last_failure, b.last_failure_s) == ("ready", "not measured yet", "status", 1.0)


def test_the_status_says_why() -> None:
    running = Running().rtt(a=20, b=30, c=40).fail(A, Failure.REFUSED, 10).fail(B, Failure.THROTTLED, 10, 7.0)
    for now in (10, 11):
        running.fail(C, Failure.STATUS, now)

    def said(now: float) -> list[tuple[str, str, float | None]]:
        found = running.selector.status(now)
        return [(e.state, e.why.split("; out for")[0], e.in_state_s) for e in found]

    assert said(12) == [
        ("ejected", "connection_refused 2.0 s ago", 2.0),
        ("deprioritised", "no requests left, or refused; for 5.0 s more", None),
        ("ejected", "status 1.0 s ago", 1.0),
    ]
    assert said(20) == [
        ("probation", "connection_refused 10.0 s ago; a probe tries it next", 10.0),
        ("ready", "", None),
        ("probation", "status 9.0 s ago; a call tries it next", 9.0),
    ]
    running.selector.probed(A, [0.02], 20.0, 0.0)
    running.selector.record(Outcome(C), 20.5)
    assert [(e.state, e.in_state_s) for e in running.selector.status(21)] == [
        ("ready", 1.0),
        ("ready", None),
        ("ready", 0.5),
    ]


def test_the_status_says_that_one_is_slow() -> None:
    running = Running().rtt(a=20, b=30)
    for number in range(12):
        slow = Outcome(
            A,
            took_s=0.12 if number < 8 else 0.92,
            call=Call("openai", "POST", "", "", model="m", route=Route.INFERENCE),
        )
        running.selector.record(slow, float(number))
    assert running.selector.status(12.0)[0].why == "798 ms slower than usual; believed for 42.0 s more"


def test_after_a_fork_what_was_measured_stays() -> None:
    running = Running().rtt(a=95, b=20, c=50)
    assert running.selector._lock.acquire(blocking=False)
    running.selector.after_fork()
    assert running.order(1) == ("bca", "")


# -- probes that are due


def test_all_are_due_at_first_and_once() -> None:
    running = Running()
    assert running.due(0.0) == [A, B, C]
    assert running.due(1.0) == []


def test_a_silent_one_is_due_after_five_minutes() -> None:
    running = Running()
    running.due(0.0)
    for now in range(0, 700, 10):
        running.rtt(now, a=20)  # traffic measures this one
        if now < 240:
            assert running.due(now) == []
        if now == 360:
            assert set(running.due(now)) == {B, C}


def test_far_ones_are_due_less_often() -> None:
    endpoints = [Endpoint(str(n), f"https://{n}.example.com") for n in range(6)]
    running = Running(*endpoints)
    running.due(0.0)
    running.rtt(0.0, **{str(n): 10.0 * (n + 1) for n in range(6)})
    assert [e.name for e in running.due(361)] == ["0", "1", "2", "3"]
    assert {"4", "5"} <= {e.name for e in running.due(2161)}
    assert not {"4", "5"} & {e.name for e in running.due(2162)}


def test_an_only_endpoint_is_not_probed_for_its_silence() -> None:
    assert Running(A).due(0.0) == []


def test_an_unreachable_one_is_due_when_its_penalty_is_over_and_once() -> None:
    for running in (Running(A), Running(A, B).rtt(1, b=20)):
        running.fail(A, Failure.REFUSED, 1)
        assert running.due(2.0) == []
        assert running.due(7.0) == [A]
        assert running.due(8.0) == []
        running.selector.probed(A, [0.02], 9.0, 0.1)
        assert running.order(10, A) == ("a", "")


def test_one_that_answers_badly_is_not_probed() -> None:
    running = Running(A, B).rtt(0, a=20, b=30).fail(A, Failure.NOT_AN_ANSWER, 1)
    assert running.due(10.0) == []


def test_nothing_is_due_without_probing() -> None:
    assert Running(probing=False).due(0.0) == []


# -- whatever happens

EVENTS = st.one_of(
    st.tuples(st.just("fail"), st.sampled_from(ALL), st.sampled_from(list(Failure)), st.floats(0, 90)),
    st.tuples(st.just("ok"), st.sampled_from(ALL), st.floats(0.001, 0.3), st.floats(0, 90)),
    st.tuples(st.just("probe"), st.sampled_from(ALL), st.lists(st.floats(0.001, 0.3), max_size=3), st.floats(0, 5)),
    st.tuples(st.just("plan"), st.sets(st.sampled_from(ALL), min_size=1), st.booleans(), st.none()),
    st.tuples(st.just("due"), st.none(), st.none(), st.none()),
)


@given(events=st.lists(st.tuples(st.floats(0, 400), EVENTS), max_size=40), probing=st.booleans())
def test_no_candidate_is_lost_or_doubled(events: list, probing: bool) -> None:  # type: ignore[type-arg]
    running, now = Running(probing=probing), 0.0
    selector = running.selector
    for later, (what, endpoints, detail, took_s) in events:
        now += later
        if what == "fail":
            selector.record(Outcome(endpoints, detail, took_s=took_s), now)
        elif what == "ok":
            selector.record(Outcome(endpoints, rtt_s=detail, took_s=took_s), now)
        elif what == "probe":
            selector.probed(endpoints, detail, now, took_s)
        elif what == "due":
            due = selector.due(now)
            selector.probing(due, now)
            assert len(set(due)) == len(due) and (probing or not due)
            assert selector.due(now) == []
        else:
            good, rest = selector.plan(list(endpoints), now, again=detail)
            assert Counter(e.name for e in (*good, *rest)) == Counter(e.name for e in endpoints)
            states = {status.name: status.state for status in selector.status(now)}
            assert not any(states[e.name] == "ejected" for e in good)
            assert detail or not any(states[e.name] == "ready" for e in rest)


@given(rtts_ms=st.lists(st.floats(1, 300), min_size=2, max_size=8, unique=True))
def test_without_failures_the_first_is_at_most_the_hysteresis_from_the_nearest(rtts_ms: list[float]) -> None:
    endpoints = [Endpoint(str(n), "https://x") for n in range(len(rtts_ms))]
    running = Running(*endpoints)
    for n, rtt_ms in enumerate(rtts_ms):  # planned after each: the current one changes as they become known
        running.rtt(n, **{str(n): rtt_ms})
        running.order(n)
    good, _ = running.selector.plan(endpoints, 100)
    first = rtts_ms[int(good[0].name)]
    assert first - min(rtts_ms) <= max(5.0, 0.1 * first) + 1e-6
    others = [rtts_ms[int(e.name)] for e in good[1:]]
    assert others == sorted(others)


# -- what is known from before: priors


def _expecting(running: Running, **priors_ms: float) -> Running:
    running.selector.expect({name: prior_ms / 1e3 for name, prior_ms in priors_ms.items()})
    return running


def test_priors_order_what_has_no_sample() -> None:
    assert _expecting(Running(), a=95, b=20, c=50).order(0) == ("bca", "")


def test_a_prior_comes_before_none_and_behind_a_sample() -> None:
    running = _expecting(Running(), c=20)
    assert running.order(0) == ("cab", "")
    assert running.rtt(1, b=200).order(2) == ("bca", "")


def test_the_first_sample_replaces_a_prior() -> None:
    running = _expecting(Running(A, B), a=10, b=20)
    assert running.order(0) == ("ab", "")
    for endpoint, rtt_s in ((A, 0.2), (B, 0.1)):
        running.selector.record(Outcome(endpoint, rtt_s=rtt_s), 1)
    assert running.order(2) == ("ba", "")
    assert [status.rtt_ms for status in running.selector.status(2)] == [200, 100]


def test_a_prior_is_no_sample() -> None:
    running = _expecting(Running(), a=10, b=20, c=30)
    assert running.selector.known() == {}
    assert {status.rtt_ms for status in running.selector.status(0)} == {None}
    assert running.due(0.0) == [A, B, C]


def test_a_prior_moves_nobody_who_was_measured() -> None:
    running = _expecting(Running(A, B).rtt(a=10, b=20), a=500, b=1)
    assert running.order(1) == ("ab", "")
    assert running.selector.known() == {"a": (0.01, ""), "b": (0.02, "")}


def test_a_prior_excuses_no_failure() -> None:
    running = _expecting(Running(), a=10, b=20, c=30).fail(A, Failure.REFUSED, 0)
    running.fail(B, Failure.THROTTLED, 0)
    assert running.order(1) == ("cb", "a")


def test_a_prior_for_an_order_that_is_kept_changes_it() -> None:
    running = Running()
    assert running.order(0) == ("abc", "")
    assert _expecting(running, c=10).order(0.5) == ("cab", "")


@pytest.mark.parametrize("absurd_s", [-1.0, 0.0, float("nan"), float("inf"), 1e6])
def test_absurd_and_unknown_priors_are_ignored(absurd_s: float) -> None:
    running = Running()
    running.selector.expect({"c": absurd_s, "x": 0.001, "b": 0.1})
    assert running.order(0) == ("bac", "")


def test_what_is_known_has_the_smallest_sample_and_the_site() -> None:
    running = Running().rtt(a=30).rtt(1, a=20)
    running.selector.record(Outcome(ORIGIN, rtt_s=0.1), 1)
    running.selector.answered_at(A, Pop("FRA"), Call("openai", "POST", "", ""), 1)
    assert running.selector.known() == {"a": (0.02, "FRA")}


# -- after a sleep


def test_after_a_sleep_samples_are_priors() -> None:
    running = _expecting(Running().rtt(a=95, b=20), a=1, c=50)
    running.order(1)
    running.selector.woke()
    assert running.order(2) == ("bca", "")
    assert running.selector.known() == {}
    assert running.rtt(3, a=200).order(4) == ("abc", "")


def test_after_two_sleeps_the_priors_are_still_there() -> None:
    running = Running().rtt(a=95, b=20, c=50)
    running.selector.woke()
    running.selector.woke()
    assert running.order(2) == ("bca", "")


def test_after_a_sleep_all_are_due_at_once_and_once() -> None:
    running = Running()
    running.due(0.0)
    running.rtt(0, a=95, b=20, c=50)
    assert running.due(1.0) == []
    running.selector.woke()
    assert {e.name for e in running.due(1.1)} == {"a", "b", "c"}
    assert running.due(1.2) == []


def test_after_a_sleep_no_connection_is_warm() -> None:
    running = Running(A, B).rtt(a=40)
    running.selector.probed(B, [0.06], 0, 0.1)
    assert running.order(1)[0] == "ab"
    running.selector.woke()
    for endpoint, rtt_s in ((A, 0.04), (B, 0.034)):
        running.selector.probed(endpoint, [rtt_s], 2, 0.1)
    assert running.order(3)[0] == "ba"  # 6 ms nearer; were A's connection warm, it would be kept


# -- by what it costs beyond the path


def _answers(
    running: Running, endpoint: Endpoint, took_s: float, times: int, start: float, rtt_s: float = 0.01
) -> None:
    for n in range(times):
        call = Call("openai", "POST", "", "/chat/completions", model="m")
        running.selector.record(Outcome(endpoint, rtt_s=rtt_s, took_s=took_s, call=call), start + n)


def test_one_that_has_become_slow_is_left_and_taken_again() -> None:
    running = Running(A, B).rtt(a=10, b=30)
    assert running.order(1)[0] == "ab"
    _answers(running, A, 0.1, 20, 2.0)
    assert running.order(22)[0] == "ab"
    _answers(running, A, 0.9, 3, 23.0)
    assert running.order(26)[0] == "ab"  # a central model's tail might do that
    _answers(running, A, 0.9, 1, 26.0)
    assert running.order(27)[0] == "ba"
    assert running.order(73)[0] == "ab"


def test_one_slow_answer_does_not_lock_an_endpoint_out() -> None:
    running = Running(A, B).rtt(a=10, b=30)
    _answers(running, A, 30.0, 1, 2.0)
    assert running.order(3)[0] == "ab"
    _answers(running, A, 0.1, 20, 4.0)
    _answers(running, A, 30.0, 1, 30.0)
    assert running.order(32)[0] == "ab"


def test_a_move_to_a_cold_connection_has_to_pay_for_it() -> None:
    running = Running(A, B).rtt(a=40, b=60)
    assert running.order(1)[0] == "ab"
    running.rtt(100, a=40).selector.probed(B, [0.034, 0.034, 0.034], 100, 0.1)
    assert running.order(101)[0] == "ab"  # 6 ms nearer, which is less than 5 ms and a quarter of 34 ms
    running.selector.probed(B, [0.02], 102, 0.1)
    assert running.order(103)[0] == "ba"


def test_after_a_failure_the_nearest_is_first_again_without_a_margin() -> None:
    running = Running(A, B).rtt(a=10, b=12)
    assert running.order(1)[0] == "ab"
    running.fail(A, Failure.STATUS, 2).fail(A, Failure.STATUS, 3)
    assert running.order(4) == ("b", "a")
    running.selector.record(Outcome(A, rtt_s=0.01), 20)
    assert running.order(21)[0] == "ab"


@pytest.mark.parametrize("absurd", [-1.0, 0.0, float("nan"), float("inf"), 1e6])
def test_absurd_round_trips_are_ignored(absurd: float) -> None:
    running = Running(A, B).rtt(a=10, b=30)
    for endpoint in (A, B):
        for _ in range(3):
            running.selector.record(Outcome(endpoint, rtt_s=absurd), 2)
    assert [status.rtt_ms for status in running.selector.status(3)] == [10.0, 30.0]
    assert running.order(3)[0] == "ab"


def test_an_upload_does_not_lengthen_the_path() -> None:
    running = Running(A, B).rtt(a=10, b=30)
    for n in range(5):
        running.selector.record(Outcome(A, rtt_s=0.5, sent_bytes=2**20), 2.0 + n)
    assert running.order(8)[0] == "ab"


def test_an_order_is_kept_until_something_changes() -> None:
    running = Running(A, B).rtt(a=10, b=30)
    first = running.selector.plan(running.endpoints, 1.0)
    running.rtt(2, a=10.4)
    assert running.selector.plan(running.endpoints, 3.0) == first
    running.rtt(4, a=60)
    assert running.order(5)[0] == "ba"


def test_a_busy_model_at_the_pop_shares_its_load_and_a_central_one_does_not() -> None:
    def went(route: Route) -> Counter[str]:
        running = Running(A, B, C).rtt(a=10, b=12, c=14)
        for endpoint in ALL:
            _answers(running, endpoint, 0.1, 20, 2.0)
        _answers(running, A, 0.4, 2, 29.0)
        call = Call("openai", "POST", "", "/chat/completions", model="m", route=route)
        return Counter(running.selector.plan(ALL, 31.0, call=call)[0][0].name for _ in range(50))

    assert set(went(Route.INFERENCE)) == {"b", "c"}
    assert set(went(Route.GATEWAY)) == {"a"}


class Unprobed(Running):
    """Calls on a network where the endpoints are so far away, and where connections that are not waited for do not come."""

    def __init__(self, **rtts_ms: float) -> None:
        super().__init__(probing=False)
        self.rtt_s = {name: rtt_ms / 1e3 for name, rtt_ms in rtts_ms.items()}

    def call(self, now: float, *, again: bool = False, call: Call | None = None) -> str:
        """The endpoints that a call tries, in their order."""
        tried = ""
        for endpoint in self.selector.plan(self.endpoints, now, again=again, call=call)[0]:
            rtt_s, patience_s = self.rtt_s[endpoint.name], self.selector.patience_s(endpoint, 1.0)
            tried += endpoint.name
            failure = Failure.CONNECT_TIMEOUT if rtt_s > patience_s else None
            self.selector.record(Outcome(endpoint, failure, rtt_s=None if failure else rtt_s), now)
            if failure is None:
                break
        return tried


def test_without_probes_calls_find_out_where_the_others_are_one_by_one() -> None:
    running = Unprobed(a=50, b=80, c=10)
    assert [running.call(float(n)) for n in range(5)] == ["a", "ba", "c", "c", "c"]


def test_a_call_that_looks_elsewhere_waits_one_round_trip_to_the_first_and_blames_nobody() -> None:
    running = Unprobed(a=50, b=80, c=90)
    running.call(0)
    assert running.order(1) == ("bac", "")
    assert running.selector.patience_s(B, 1.0) == pytest.approx(0.05)
    running.fail(B, Failure.CONNECT_TIMEOUT, 1)
    b = running.selector.status(1)[1]
    assert (b.state, b.failures, b.rtt_ms) == ("ready", 0, None)
    assert running.selector.patience_s(B, 1.0) == 1.0, "when it is needed it is waited for"


def test_where_the_others_are_not_is_remembered_until_the_first_is_that_far_itself() -> None:
    running = Unprobed(a=50, b=80, c=90)
    assert [running.call(float(n)) for n in range(4)] == ["a", "ba", "ca", "a"]
    running.rtt_s["a"] = 0.1
    assert [running.call(200.0 + n) for n in range(4)] == ["a", "a", "a", "a"], "it was looked for not long ago"
    assert [running.call(400.0 + n) for n in range(4)] == ["b", "cb", "b", "b"]


def test_a_tenth_call_looks_at_the_endpoint_that_was_left_after_a_minute_two_four_and_eight() -> None:
    running = Unprobed(a=50, b=20, c=90)
    assert [running.call(float(n)) for n in range(4)] == ["a", "b", "cb", "b"]
    looked = [now for now in range(4, 1700) if running.call(float(now)) == "ab"]
    assert looked == [61, 191, 441, 931]


def test_of_fifty_calls_one_looks_where_nobody_has_been_for_half_an_hour_if_that_is_not_far() -> None:
    running = Unprobed(a=50, b=80, c=200)
    assert [running.call(float(n)) for n in range(3)] == ["a", "ba", "ca"]
    running.rtt(3, c=200)
    running.rtt_s["b"] = 0.03
    tried = [(now, said) for now in range(10, 2500) if (said := running.call(float(now))) != "a"]
    assert tried[0][1] == "b" and 1801 < tried[0][0] <= 1851
    assert "c" not in "".join(said for _, said in tried)


def test_a_retry_a_conversation_and_a_trial_look_nowhere_else() -> None:
    running = Unprobed(a=50, b=80, c=90)
    running.call(0)
    assert running.call(1, again=True) == "a"
    talk = Call("openai", "POST", "", "/chat/completions", model="m", size=8000, opening=b"You are")
    running.selector.answered_at(C, None, talk, 1)
    running.rtt(1, c=60)
    assert running.call(2, call=talk) == "c"
    assert running.call(2) == "ba"
    running.fail(A, Failure.STATUS, 3).fail(A, Failure.STATUS, 4)
    running.selector._tracks["b"].tried_at = float("-inf")
    assert running.call(11) == "a", "a is on trial, and b would be worth a look"


def test_a_kept_order_counts_what_its_first_costs_beyond_the_path() -> None:
    running = Running(A, B).rtt(a=10, b=100)
    assert running.order(1)[0] == "ab"
    _answers(running, A, 0.1, 20, 2.0)
    _answers(running, A, 0.15, 12, 23.0)  # slow by 50 ms: together still nearer than the other
    assert running.selector._tracks["a"].server.cost_at(36.0) > 0.02
    assert running.order(36)[0] == "ab"
    cost_ms = running.selector._tracks["a"].server.cost_at(37.0) * 1e3
    running.rtt(37, a=115 - cost_ms)
    assert running.order(38)[0] == "ba"


def test_of_two_that_are_equally_near_the_heavier_one_is_preferred() -> None:
    heavy = Endpoint("heavy", "https://heavy.example.com/v1", weight=2.0)
    assert Running(A, heavy).rtt(a=20, heavy=23).order(1)[0] == "heavya"
    assert Running(A, heavy).rtt(a=20, heavy=26).order(1)[0] == "aheavy"
    running = Running(A, heavy).rtt(heavy=40, a=20)
    assert running.order(1)[0] == "aheavy"
    assert running.rtt(2, heavy=22).order(3)[0] == "heavya", "the current one yields to a heavier one that is as near"
    assert running.rtt(4, a=19).order(5)[0] == "heavya"
    assert Running(A, heavy).fail(heavy, Failure.REFUSED, 0).order(1) == ("a", "heavy")


def test_the_wait_for_a_connection_is_some_round_trips_and_longer_when_that_was_not_enough() -> None:
    running = Running(A, B).rtt(a=20, b=250)
    patience = running.selector.patience_s
    assert patience(A, 2.0) == 0.5 and patience(B, 2.0) == pytest.approx(0.85) and patience(B, 0.6) == 0.6
    assert patience(C, 2.0) == 2.0, "of one that is not measured nothing is known"
    running.fail(A, Failure.CONNECT_TIMEOUT, 1).fail(A, Failure.REFUSED, 2)
    assert patience(A, 2.0) == 1.0
    running.fail(A, Failure.CONNECT_TIMEOUT, 30).fail(A, Failure.CONNECT_TIMEOUT, 60)
    assert patience(A, 9.0) == 4.0 and patience(A, 2.0) == 2.0
    running.selector.record(Outcome(A), 61)
    assert patience(A, 9.0) == 4.0, "an old connection says nothing"
    running.selector.record(Outcome(A, cold=True), 62)
    assert patience(A, 9.0) == 0.5


def test_one_that_was_left_for_a_nearer_one_is_looked_at_again_soon() -> None:
    running = Running(A, B, C).rtt(a=20, b=40, c=400)
    running.order(0)
    running.rtt(10, a=100)
    assert running.order(10)[0][0] == "b"
    looked = []
    for now in range(10, 1600):
        running.rtt(now, b=40)
        looked += [now for e in running.due(float(now)) if e is A]
    gaps = [later - now for now, later in zip([10, *looked], looked, strict=False)]
    assert 48 <= gaps[0] <= 73 and 96 <= gaps[1] <= 145 and 192 <= gaps[2] <= 289
    assert all(240 <= gap <= 361 for gap in gaps[3:]) and len(gaps) >= 5


def test_with_an_earlier_figure_nobody_is_lost() -> None:
    running = Running(A, B)
    assert running.selector.lost((A, B)) and not running.selector.lost((A,))
    running.selector.expect({"b": 0.02})
    assert not running.selector.lost((A, B))
