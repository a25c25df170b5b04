"""gRPC's retries (A6) and outlier detection (A50): their published cases by description, where ours have a counterpart.

Sources: grpc/proposal `A6-client-retries.md` and `A50-xds-outlier-detection.md`; grpc-go
`internal/xds/balancer/outlierdetection/balancer_test.go` and `test/retry_test.go`. Two rules of A50 have none: the
statistical outlier among many hosts, and sweeps at an interval. Ours judges an endpoint by its own failures, at once.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.rules import MapEnvoy
from world.running import Setting

from edgeclient.attempts import Budget, Trace, send
from edgeclient.pops.health import Health, State
from edgeclient.pops.hedging import Hedging
from edgeclient.pops.retry_budget import RetryBudget
from edgeclient.pops.selector import Selector
from edgeclient.runtime.virtual import Lost, VirtualRuntime, World
from edgeclient.values import UNSENT, Call, Endpoint, Failure, Outcome, Reply, Route

ENDPOINTS = A, B, C = tuple(Endpoint(name, f"https://{name}.example.com/v1") for name in "abc")
DIALECT: Any = type("Dialect", (), {"name": "grpc", "closing": b""})()
CALL = Call("openai", "POST", "", "/chat/completions", model="m", dialect=DIALECT, idempotent=True)
JSON = (b"content-type", b"application/json")


def known(**rtts_ms: float) -> Selector:
    """A selector to which these paths are known, at time 0."""
    endpoints = [e for e in ENDPOINTS if e.name in rtts_ms]
    selector = Selector(endpoints, random.Random(1))
    selector.probing(endpoints, 0.0)
    for endpoint in endpoints:
        selector.probed(endpoint, [rtts_ms[endpoint.name] / 1e3] * 3, 0.0, 0.0)
    return selector


class Channel:
    """Sends calls over three endpoints that answer as they are told, each after 10 ms."""

    def __init__(self, *, attempts: int = 3, **answers: int | Failure) -> None:
        self.answers, self.attempts = answers, attempts
        self.retries, self.selector = RetryBudget(), known(a=10, b=20, c=30)
        self.world, self.asked = World(), list[str]()
        self.rt = VirtualRuntime(self.world, self)

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        self.asked.append(endpoint.name)
        said = self.answers[endpoint.name]
        return 0.01, said if isinstance(said, Failure) else Reply(said, [JSON], b"{}")

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        return 0.01

    def call(self, call: Call = CALL) -> str:
        """Which endpoints one call asked, in their order."""
        self.asked = []
        self.world.at(self.world.now, self._call(call))
        self.world.run()
        return "".join(self.asked)

    async def _call(self, call: Call) -> None:
        budget = Budget(self.attempts, math.inf, 1.0, retries=self.retries)
        try:
            await send(call, ENDPOINTS, self.selector, budget, self.rt, Trace())
        except Lost:
            pass


# -- A6: throttling of retries


def test_failures_empty_the_tokens_and_then_calls_get_one_attempt_each() -> None:
    """A6, throttling: when failures have used the tokens up, failed calls are not retried but first attempts go on."""
    channel = Channel(a=503, b=503, c=503)
    asked = [channel.call() for _ in range(40)]
    assert asked[:17] == ["abc"] * 17 and asked[17] == "ab" and set(asked[18:]) == {"a"}
    assert channel.retries.tokens == 10


def test_with_us_the_last_token_is_spent_and_not_only_the_upper_half() -> None:
    """A6: retries stop once no more than half of the tokens are left. On purpose otherwise."""
    channel = Channel(a=503, b=503, c=503)
    channel.retries.tokens = 14
    assert channel.call() == "ab" and channel.retries.tokens == 0


def test_answers_bring_tokens_back_a_fraction_of_an_attempt_each() -> None:
    """A6: each success adds the token ratio; with us that is one of the 14 that an attempt costs."""
    channel = Channel(a=200, b=503, c=503)
    channel.retries.tokens = 0
    for _ in range(14):
        assert channel.call() == "a"
    channel.answers["a"] = 503
    assert channel.call() == "ab" and channel.call() == "a"


def test_a_retry_that_is_answered_costs_nothing_in_the_end_with_us() -> None:
    """A6 keeps a token of the first failure; the AWS SDKs give back what the answered attempt had cost."""
    channel = Channel(a=503, b=200, c=200)
    assert channel.call() == "ab" and channel.retries.tokens == 500
    channel.retries.tokens = 100
    assert channel.call() == "ab" and channel.retries.tokens == 100


def test_tokens_never_exceed_the_maximum() -> None:
    """A6: between 0 and the maximum, always."""
    channel = Channel(a=200, b=200, c=200)
    assert channel.call() == "a" and channel.retries.tokens == 500


def test_with_us_a_failure_that_is_not_tried_again_costs_no_token() -> None:
    """A6 counts each failed attempt; the AWS SDKs, whose figures we have, count the further ones."""
    channel = Channel(attempts=1, a=503, b=200, c=200)
    assert channel.call() == "a" and channel.retries.tokens == 500


def test_no_retry_of_an_answer_that_says_what_is_wrong() -> None:
    """A6: only the statuses that are listed as retryable; a status that is not leaves the tokens as they were."""
    for status in (400, 401, 404, 422):
        channel = Channel(a=status, b=200, c=200)
        channel.retries.tokens = 100
        assert channel.call() == "a" and channel.retries.tokens == 101


@pytest.mark.parametrize(("attempts", "asked"), [(1, "a"), (2, "ab"), (3, "abc"), (5, "abc")])
def test_no_more_than_the_maximum_of_attempts(attempts: int, asked: str) -> None:
    """retry_test.go: maxAttempts, the original one included."""
    assert Channel(attempts=attempts, a=503, b=503, c=503).call() == asked


@pytest.mark.parametrize("failure", [failure for failure in Failure if failure in UNSENT])
def test_what_never_left_is_tried_elsewhere_for_nothing(failure: Failure) -> None:
    """A6, transparent retries: they count neither as attempts nor for the throttle."""
    channel = Channel(attempts=1, a=failure, b=failure, c=200)
    channel.retries.tokens = 0
    assert channel.call() == "abc" and channel.retries.tokens == 1


def test_a_call_is_committed_once_an_answer_has_begun() -> None:
    """A6: with the answer's head a call is committed; of a broken one only an idempotent call may be sent again."""
    assert Channel(a=200, b=200, c=200).call() == "a"
    for idempotent, asked in ((True, "ab"), (False, "a")):
        channel = Channel(a=Failure.TERMINATED, b=200, c=200)
        assert channel.call(replace(CALL, idempotent=idempotent)) == asked


@pytest.mark.parametrize("pause_s", [0.5, 7.0, 60.0])
def test_a_push_back_is_heeded_with_us_by_asking_others_meanwhile(pause_s: float) -> None:
    """A6, pushback: the server names the delay before it may be asked again."""
    selector = known(a=10, b=20)
    selector.record(Outcome(A, Failure.THROTTLED, 429, retry_after_s=pause_s), 1.0)
    assert selector.plan((A, B), 1.0 + pause_s - 0.01)[0] == (B, A)
    assert selector.plan((A, B), 1.0 + pause_s + 0.01)[0] == (A, B)
    assert selector.plan((A, B), 1.0 + pause_s + 0.01, again=True) == ((A, B), ()), "to be busy is no failure"


def test_no_hedge_goes_to_one_that_pushed_back_or_is_out() -> None:
    """A6, hedging: pushback stops the hedges of a call; with us they do not even begin."""
    call = replace(CALL, route=Route.INFERENCE)
    for failure in (Failure.THROTTLED, Failure.REFUSED, None):
        selector = known(a=10, b=20)
        for _ in range(30):
            selector.record(Outcome(A, None, 200, rtt_s=0.01, took_s=0.1, call=call), 1.0)
        selector.record(Outcome(B, failure), 2.0)
        assert (selector.hedge_after_s(A, B, call, 2.1) is None) is (failure is not None)


def test_hedges_are_throttled_by_the_share_of_calls() -> None:
    """A6: hedges need tokens as retries do; ours have their own, ten at the most."""
    hedging, call = Hedging(0.5), replace(CALL, route=Route.INFERENCE)
    for _ in range(1000):
        hedging.fits(call)
    assert [hedging.take(call, 0.0) for _ in range(11)] == [True] * 10 + [False]


# -- A50: outlier detection


def test_no_address_is_ejected_while_all_answer() -> None:
    """balancer_test.go, first step of each scenario: successes alone eject nobody, however many."""
    selector = known(a=10, b=20, c=30)
    for n in range(100):
        for endpoint in ENDPOINTS:
            selector.record(Outcome(endpoint, rtt_s=0.01 * (1 + int(endpoint is not A))), n / 10)
    assert selector.plan(ENDPOINTS, 11.0)[1] == ()


@pytest.mark.parametrize("failure", [Failure.STATUS, Failure.TERMINATED, Failure.PROTOCOL, Failure.READ_TIMEOUT])
@pytest.mark.parametrize("answers_before", [0, 1, 100])
def test_a_single_error_ejects_nothing(failure: Failure, answers_before: int) -> None:
    """A50, request volume: too little is known to tell. Exceptions of ours are errors that prove it: no connection."""
    selector = known(a=10, b=20, c=30)
    for n in range(answers_before):
        selector.record(Outcome(A, rtt_s=0.01), n / 100)
    selector.record(Outcome(A, failure), 2.0)
    assert selector.plan(ENDPOINTS, 2.1) == (ENDPOINTS, ())


def test_five_failures_eject_one_of_three_and_its_calls_go_to_the_others() -> None:
    """balancer_test.go: two addresses with five successes each, the third with five failures."""
    selector = known(a=10, b=20, c=30)
    for n in range(5):
        for endpoint in (A, B):
            selector.record(Outcome(endpoint, rtt_s=0.01 if endpoint is A else 0.02), n / 10)
        selector.record(Outcome(C, Failure.STATUS), n / 10)
    assert selector.plan(ENDPOINTS, 1.0) == ((A, B), (C,))
    assert [status.state for status in selector.status(1.0)] == ["ready", "ready", "ejected"]


def test_it_is_used_again_when_its_time_is_over() -> None:
    """balancer_test.go, third step: past the maximum of the ejection time the address is un-ejected, here by a call."""
    selector = known(a=10, b=20, c=30)
    for now in (1.0, 1.1):
        selector.record(Outcome(A, Failure.STATUS), now)
    assert selector.plan(ENDPOINTS, 1.2) == ((B, C), (A,))
    assert selector.plan(ENDPOINTS, 1.1 + 30 * 1.25) == (ENDPOINTS, ())
    selector.record(Outcome(A, rtt_s=0.01), 40.0)
    assert [selector.plan(ENDPOINTS, 41.0 + n) for n in range(3)] == [(ENDPOINTS, ())] * 3


def ejections(health: Health, times: int, chance: random.Random) -> list[float]:
    """How long each of so many ejections is, when every trial after them fails."""
    now, found = 0.0, []
    for _ in range(times):
        health.failed(Failure.CONNECT, now, now, chance)
        found.append(health.ejected_until - now)
        assert health.state(health.ejected_until - 0.001) is State.EJECTED
        now = health.ejected_until
        assert health.state(now) is State.PROBATION
    return found


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_ejection_time_is_multiplied_with_each_one_and_capped(seed: int, times: int) -> None:
    """A50: base time x multiplier, at most the maximum. Ours doubles, from 4 s to 30 s, a quarter more or less."""
    found = ejections(Health(), times, random.Random(seed))
    for number, seconds in enumerate(found):
        assert 0.75 <= seconds / min(4.0 * 2**number, 30.0) <= 1.25


@pytest.mark.parametrize("times", [2, 5, 20])
def test_the_multiplier_comes_down_with_us_by_one_good_answer_to_nothing(times: int) -> None:
    """A50: it comes down by one in each sweep in which the address is not ejected."""
    health, chance = Health(), random.Random(1)
    ejections(health, times, chance)
    health.succeeded(1000.0, 1000.0)
    health.failed(Failure.CONNECT, 1001.0, 1001.0, chance)
    assert 3.0 <= health.ejected_until - 1001.0 <= 5.0


@pytest.mark.parametrize("failure", list(Failure))
def test_errors_of_attempts_from_before_the_ejection_are_ignored(failure: Failure) -> None:
    """A50: what an ejected address still reports does not eject it again: the counters start anew with each sweep."""
    health, chance = Health(), random.Random(1)
    health.failed(Failure.REFUSED, 10.0, 10.0, chance)
    until = health.ejected_until
    for now in (10.1, 11.0, until + 1, until + 100):
        health.failed(failure, 9.9, now, chance)
    assert health.ejected_until == until and health.state(until) is State.PROBATION


def test_a_hundred_calls_that_were_under_way_when_it_went_count_once() -> None:
    """The same seen from the choice: only the time at which each began tells them from new failures."""
    selector = known(a=10, b=20, c=30)
    for n in range(100):
        selector.record(Outcome(A, Failure.REFUSED, took_s=3.0), 10.0 + n / 50)
    assert [status.state for status in selector.status(15.01)] == ["probation", "ready", "ready"]


def test_answers_of_attempts_from_before_the_ejection_prove_nothing_either() -> None:
    """The same for what was on its way when the address went."""
    health = Health()
    health.failed(Failure.REFUSED, 10.0, 10.0, random.Random(1))
    health.succeeded(9.9, 10.1)
    assert health.state(10.2) is State.EJECTED
    health.succeeded(10.1, 10.3)
    assert health.state(10.3) is State.READY


EVENTS = st.lists(
    st.tuples(st.sampled_from(ENDPOINTS), st.sampled_from(list(Failure)), st.floats(0, 40)), min_size=1, max_size=40
)


@given(EVENTS)
def test_at_least_one_address_can_always_be_asked(events: list[tuple[Endpoint, Failure, float]]) -> None:
    """A50, max_ejection_percent. Ours has no limit: when all are out, the one that failed longest ago is asked first."""
    selector, now, ejected = known(a=10, b=20, c=30), 0.0, dict[str, float]()
    for endpoint, failure, later in events:
        now += later
        before = selector._tracks[endpoint.name].health.failed_at
        selector.record(Outcome(endpoint, failure), now)
        if selector._tracks[endpoint.name].health.failed_at != before:
            ejected[endpoint.name] = now
        good, rest = selector.plan(ENDPOINTS, now)
        assert {*good, *rest} == {*ENDPOINTS} and len(good) + len(rest) == 3
        states = {status.name: status.state for status in selector.status(now)}
        out = [ejected[e.name] for e in rest if states[e.name] == "ejected"]
        assert out == sorted(out)


def test_when_all_are_out_each_call_still_goes_somewhere() -> None:
    """A50 with a child policy that panics: an address that is ejected is better than none."""
    channel = Channel(a=503, b=503, c=503)
    for _ in range(2):
        channel.call()
    good, rest = channel.selector.plan(ENDPOINTS, channel.world.now)
    assert good == () and rest == ENDPOINTS
    channel.answers.update(b=200)
    assert channel.call() == "ab"


def test_the_only_address_is_never_without_use() -> None:
    """A50, at least one may be ejected: with one address alone ours ejects it and asks it all the same."""
    selector = known(a=10)
    selector.record(Outcome(A, Failure.REFUSED), 1.0)
    assert selector.plan((A,), 2.0) == ((), (A,))


# -- the baseline with Envoy's figures, which are A50's


def envoy() -> MapEnvoy:
    nothing: Any = None

    paths: Any = SimpleNamespace(km=[[1.0, 2.0, 3.0]])
    endpoints = tuple(Endpoint(str(n)) for n in range(3))
    return MapEnvoy(Setting(endpoints, random.Random(1), 0, paths, nothing))


def test_the_baseline_multiplies_30_s_by_the_times_ejected_up_to_300_s() -> None:
    """A50's defaults: base_ejection_time and max_ejection_time."""
    rule, now, found = envoy(), 0.0, []
    first = rule.endpoints[0]
    for _ in range(14):
        for _ in range(5):
            assert rule.plan(rule.endpoints, now)[0][0] is first
            rule.record(Outcome(first, Failure.STATUS), now)
        found.append(rule.until["0"] - now)
        assert rule.plan(rule.endpoints, rule.until["0"] - 0.1)[0][-1] is first
        now = rule.until["0"]
    assert found == pytest.approx([min(300.0, 30.0 * n) for n in range(1, 15)])


def test_the_baseline_wants_five_in_a_row_and_never_leaves_one_out() -> None:
    """Envoy's consecutive 5xx, which A50 leaves to others; an answer in between starts the count anew."""
    rule = envoy()
    first = rule.endpoints[0]
    for _ in range(4):
        rule.record(Outcome(first, Failure.STATUS), 0.0)
    rule.record(Outcome(first), 0.0)
    for _ in range(4):
        rule.record(Outcome(first, Failure.STATUS), 0.0)
    assert rule.plan(rule.endpoints, 0.1)[0][0] is first
    for endpoint in rule.endpoints:
        for _ in range(5):
            rule.record(Outcome(endpoint, Failure.STATUS), 0.0)
    assert rule.plan(rule.endpoints, 0.1)[0] == [*rule.endpoints]
