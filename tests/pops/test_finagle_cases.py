"""Finagle's backup requests, retry budget, failure accrual and peak EWMA: their published cases by description.

Sources: twitter/finagle, below finagle-core/src/test/scala/com/twitter/finagle: `client/BackupRequestFilterTest.scala`,
`service/RetryBudgetTest.scala`, `liveness/FailureAccrualPolicyTest.scala`, `loadbalancer/p2c/P2CPeakEwmaTest.scala`.
Peak EWMA is a baseline of the benchmarks; the others are tried on our own classes. Where ours differ, a name says so.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from itertools import count
from typing import Any

import anyio
import pytest
from world.rules import Finagle, Linkerd, PeakEwma
from world.running import Setting

from edgeclient.attempts import Budget, Trace, send
from edgeclient.pops.health import Health, State
from edgeclient.pops.hedging import Hedging
from edgeclient.pops.retry_budget import RetryBudget
from edgeclient.pops.selector import Selector
from edgeclient.runtime.tasks import TaskRuntime
from edgeclient.runtime.virtual import Lost, VirtualRuntime, World
from edgeclient.values import Call, Endpoint, Failure, Outcome, Reply, Route

A, B, C = (Endpoint(name, f"https://{name}.example.com/v1") for name in "abc")
DIALECT: Any = type("Dialect", (), {"name": "finagle", "closing": b""})()
CALL = Call(
    "openai", "POST", "", "/chat/completions", model="m", route=Route.INFERENCE, dialect=DIALECT, idempotent=True
)
RTT_S, USUAL_S = 0.01, 0.1


def ok() -> Reply:
    return Reply(200, [(b"content-type", b"application/json")], b"{}", rtt_s=RTT_S)


def bad() -> Reply:
    return Reply(503, [(b"content-type", b"application/json")], b"{}")


# -- BackupRequestFilterTest


class Closing(VirtualRuntime):
    """Writes down which replies were closed."""

    def __init__(self, world: World, network: Service) -> None:
        super().__init__(world, network)
        self.closed: list[Reply] = []

    async def close(self, reply: Reply) -> None:
        self.closed.append(reply)


class Service:
    """Two endpoints with scripted answers, warmed up by a hundred ordinary answers of the first one."""

    def __init__(self, *, share: float = 0.2, saved: int = 100, **script: tuple[float, Any]) -> None:
        self.script = script
        self.asked: list[tuple[str, float]] = []
        self.world, self.trace = World(), Trace()
        self.rt = Closing(self.world, self)
        self.selector = Selector((A, B), random.Random(1))
        chance = random.Random(2)
        for endpoint, rtt_s in ((A, RTT_S), (B, 2 * RTT_S)):
            self.selector.probing([endpoint], 0.0)
            self.selector.probed(endpoint, [rtt_s] * 3, 0.0, 0.0)
        for _ in range(100):
            took_s = RTT_S + USUAL_S * chance.lognormvariate(0, 0.1)
            self.selector.record(Outcome(A, None, 200, rtt_s=RTT_S, took_s=took_s, call=CALL), 0.0)
        self.hedging, self.retries = Hedging(share), RetryBudget()
        for _ in range(saved):
            self.hedging.fits(CALL)
        after_s = self.selector.hedge_after_s(A, B, CALL, 0.0)
        assert after_s is not None
        self.after_s = after_s
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self.ended = math.nan

    def answer(self, call: Call, endpoint: Endpoint, now: float) -> tuple[float, Reply | Failure]:
        self.asked.append((endpoint.name, now))
        return self.script[endpoint.name]

    def rtt_s(self, endpoint: Endpoint, now: float) -> float | None:
        return RTT_S

    def call(self, attempts: int = 2, call: Call = CALL) -> Service:
        budget = Budget(attempts, math.inf, 1.0, retries=self.retries, hedging=self.hedging)
        before = {e.name: (e.calls, e.failures) for e in self.selector.status(0.0)}
        self.world.at(0.0, self._call(budget, call))
        self.world.run()
        after = {e.name: (e.calls, e.failures) for e in self.selector.status(self.world.now)}
        self.learned = {n: (after[n][0] - before[n][0], after[n][1] - before[n][1]) for n in before}
        return self

    async def _call(self, budget: Budget, call: Call) -> None:
        try:
            self.reply = await send(call, (A, B), self.selector, budget, self.rt, self.trace)
        except Lost as error:
            self.error = error
        self.ended = self.rt.now()

    @property
    def sent(self) -> list[str]:
        return [name for name, _ in self.asked]

    @property
    def tried(self) -> list[tuple[str, str]]:
        return [(attempt.endpoint, attempt.outcome) for attempt in self.trace.tried]


def test_an_original_that_answers_before_the_quantile_has_no_backup() -> None:
    """'Original request completes successfully before timer fires'."""
    service = Service(a=(0.11, ok()), b=(9.0, ok())).call()
    assert service.sent == ["a"] and service.ended == pytest.approx(0.11) and service.tried == [("a", "ok")]
    assert sum(service.hedging.take(CALL, 0.0) for _ in range(20)) == 10, "nothing was taken from the allowance"


def test_an_original_that_fails_before_the_quantile_has_no_backup_but_with_us_a_second_attempt_at_once() -> None:
    """'Original request completes unsuccessfully before timer fires': the failure is not held back until the timer."""
    service = Service(a=(0.05, bad()), b=(0.1, ok())).call()
    assert service.asked == [("a", 0.0), ("b", 0.05)] and service.tried == [("a", "status"), ("b", "ok")]
    assert sum(service.hedging.take(CALL, 0.0) for _ in range(20)) == 10


def test_a_backup_goes_out_when_the_quantile_is_reached_and_not_before() -> None:
    """The steps that the tests with two requests share: nothing at half the time, the second request at the whole."""
    service = Service(a=(1.0, ok()), b=(0.1, ok())).call()
    assert service.asked == [("a", 0.0), ("b", pytest.approx(service.after_s))]
    assert Service(a=(service.after_s - 0.001, ok()), b=(0.1, ok())).call().sent == ["a"]
    assert Service(a=(service.after_s + 0.001, ok()), b=(0.1, ok())).call().sent == ["a", "b"]


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.6])
def test_the_quantile_is_the_endpoints_own_ninety_fifth_whatever_the_allowance(spread: float) -> None:
    """'adds latency', 'stat for send_backup_after'. Finagle takes the quantile that its extra load leaves; we take p95."""
    selector, chance = Selector((A, B), random.Random(1)), random.Random(3)
    for endpoint in (A, B):
        selector.probed(endpoint, [RTT_S] * 3, 0.0, 0.0)
    over = 0
    for number in range(2000):
        took_s = RTT_S + USUAL_S * chance.lognormvariate(0, spread)
        after_s = selector.hedge_after_s(A, B, CALL, float(number))
        over += after_s is not None and took_s > after_s
        selector.record(Outcome(A, None, 200, rtt_s=RTT_S, took_s=took_s, call=CALL), float(number))
    assert 0.02 <= over / 1980 <= 0.09


def test_the_backup_answers_first_and_the_loser_is_not_counted() -> None:
    """'Backup request completes successfully first'. Finagle counts the loser's time too; we learn nothing of it."""
    late, answer = ok(), ok()
    service = Service(a=(5.0, late), b=(0.1, answer)).call()
    assert service.rt.closed == [late] and service.rt.closed[0] is late, "what comes too late is not kept open"
    assert service.reply is answer and service.ended == pytest.approx(service.after_s + 0.1)
    assert service.tried == [("a", "outrun"), ("b", "ok")] and service.trace.endpoint is B
    assert service.learned == {"a": (0, 0), "b": (1, 0)}
    assert service.selector.hedge_after_s(A, B, CALL, 5.0) == service.after_s, "the quantile does not learn from hedges"


def test_a_loser_that_fails_after_the_race_is_no_failure_of_its_endpoint() -> None:
    """The same: an interrupted original ends with an error that is marked to be ignored."""
    service = Service(a=(5.0, Failure.TERMINATED), b=(0.1, ok())).call()
    assert service.error is None and service.learned == {"a": (0, 0), "b": (1, 0)}


def test_the_original_answers_first_after_all_and_the_backup_is_not_counted() -> None:
    """'Original request completes successfully first'."""
    answer = ok()
    service = Service(a=(0.3, answer), b=(5.0, ok())).call()
    assert service.reply is answer and service.ended == pytest.approx(0.3)
    assert service.tried == [("a", "ok"), ("b", "outrun")] and service.learned == {"a": (1, 0), "b": (0, 0)}
    assert service.selector.hedge_after_s(A, B, CALL, 0.3) == service.after_s


@pytest.mark.parametrize("failure", [bad(), Failure.TERMINATED, Failure.UNACKNOWLEDGED, Failure.READ_TIMEOUT])
def test_an_original_that_fails_while_the_backup_is_out_waits_for_it(failure: Any) -> None:
    """'Original request completes unsuccessfully first': its failure is not the result."""
    answer = ok()
    service = Service(a=(0.3, failure), b=(0.4, answer)).call()
    assert service.reply is answer and service.ended == pytest.approx(service.after_s + 0.4)
    assert service.learned == {"a": (0, 1), "b": (1, 0)}


@pytest.mark.parametrize("failure", [bad(), Failure.TERMINATED, Failure.REFUSED])
def test_a_backup_that_fails_first_waits_for_the_original(failure: Any) -> None:
    """'Backup request completes unsuccessfully first'."""
    answer = ok()
    service = Service(a=(0.6, answer), b=(0.02, failure)).call()
    assert service.reply is answer and service.ended == pytest.approx(0.6)
    assert service.learned == {"a": (1, 0), "b": (0, 1)}


def test_when_both_fail_the_later_failure_is_the_result() -> None:
    """Of the two tests before this one together."""
    last = bad()
    service = Service(a=(0.3, bad()), b=(0.4, last)).call()
    assert service.reply is last and service.learned == {"a": (0, 1), "b": (0, 1)}
    assert Service(a=(0.3, bad()), b=(0.4, bad())).call(attempts=3).sent == ["a", "b"], "the backup is not tried again"


def test_nothing_is_sent_twice_when_the_allowance_is_empty() -> None:
    """'Don't send backup when backup timer fires if cannot withdraw', from the budget of backups."""
    service = Service(a=(5.0, ok()), b=(0.1, ok()), share=0.05, saved=0).call()
    assert service.sent == ["a"] and service.ended == pytest.approx(5.0)


def test_our_hedges_have_an_allowance_of_their_own_and_go_out_without_the_budget_of_further_attempts() -> None:
    """The same test with the client's budget: Finagle asks both, we ask one."""
    service = Service(a=(5.0, ok()), b=(0.1, ok()))
    service.retries.tokens = 0
    assert service.call().sent == ["a", "b"]


def test_calls_fill_the_allowance_and_leave_the_budget_of_further_attempts_alone() -> None:
    """'Deposits into local RetryBudget only': a hundred requests at one per cent make one backup."""
    hedging = Hedging(0.0101)
    for _ in range(98):
        assert hedging.fits(CALL) and not hedging.take(CALL, 0.0)
    for _ in range(2):
        hedging.fits(CALL)
    assert hedging.take(CALL, 0.0) and not hedging.take(CALL, 0.0)
    service = Service(a=(0.05, ok()), b=(0.1, ok()))
    service.retries.tokens = 100
    assert service.call().retries.tokens == 101


def test_without_a_share_nothing_is_ever_sent_twice() -> None:
    """'RetryBudget is empty if maxExtraLoad is changed to 0.0'."""
    hedging = Hedging(0.0)
    assert not any(hedging.fits(CALL) and hedging.take(CALL, 0.0) for _ in range(10_000))


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1, 0.25])
def test_the_extra_load_is_the_share_of_requests_however_slow_they_are(share: float) -> None:
    """RetryBudgetTest, 'apply minRetriesPerSec=0': ten thousand requests that all want a second one."""
    hedging, backups = Hedging(share), 0
    for _ in range(10_000):
        hedging.fits(CALL)
        backups += hedging.take(CALL, 0.0)
    assert backups == pytest.approx(10_000 * share, abs=1)


@pytest.mark.anyio
async def test_the_loser_is_interrupted() -> None:
    """'Backup request completes successfully first, sendInterrupts=true'; an async client can interrupt, others cannot."""
    ends: list[str] = []

    async def forever(name: str) -> bool:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            ends.append(name)
            raise
        return False

    async def good() -> bool:
        return True

    runtime = object.__new__(TaskRuntime)
    with anyio.fail_after(20):
        await runtime.first(forever("original"), good, 0.0)
        await runtime.first(good(), lambda: forever("backup"), 3600.0)
    assert ends == ["original"]


# -- RetryBudgetTest, of the budget of further attempts


@pytest.mark.parametrize("left", [0, 4])
def test_an_empty_budget_gives_nothing_and_never_goes_below_zero(left: int) -> None:
    """'Empty'. Ours is filled by answers all the same: an empty one is only empty for now."""
    budget = RetryBudget()
    budget.tokens = left
    assert not budget.pay(Failure.STATUS) and not budget.pay(Failure.THROTTLED) and budget.tokens == left
    budget.answered(0)
    assert budget.tokens == left + 1


@pytest.mark.parametrize("requests", [100, 1000, 10_000])
def test_a_reserve_and_a_share_of_the_requests_can_be_sent_again(requests: int) -> None:
    """'apply with minRetries and maxPercentOver': every request would like a second attempt, which fails too."""
    budget, again = RetryBudget(), 0
    for _ in range(requests):
        budget.answered(0)
        if budget.pay(Failure.STATUS):
            again += 1
        else:
            assert budget.tokens < 14
    assert again == pytest.approx(min(requests, (500 + requests) / 14), abs=1)


def test_a_long_quiet_time_saves_no_more_than_the_reserve() -> None:
    """Finagle's deposits expire after a minute; ours are cut at the capacity."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.answered(0)
    assert sum(budget.pay(Failure.STATUS) > 0 for _ in range(1000)) == 35


# -- FailureAccrualPolicyTest, of our health


class Host:
    """The health of one endpoint and a clock."""

    def __init__(self, seed: int = 1) -> None:
        self.health, self.chance, self.now = Health(), random.Random(seed), 0.0

    def fail(self, failure: Failure = Failure.STATUS) -> State:
        self.now += 0.1
        self.health.failed(failure, self.now, self.now, self.chance)
        return self.health.state(self.now)

    def succeed(self) -> None:
        self.now += 0.1
        self.health.succeeded(self.now, self.now)

    def out_s(self) -> float:
        """For how long it is out from now on; afterwards it may be tried."""
        seconds = self.health.ejected_until - self.now
        assert self.health.state(self.now) is State.EJECTED
        self.now = self.health.ejected_until
        assert self.health.state(self.now) is State.PROBATION
        return seconds


def usual(seconds: float, found: float) -> bool:
    return 0.75 * seconds <= found <= 1.25 * seconds


def test_consecutive_failures_eject_with_us_at_the_second_bad_answer() -> None:
    """'fail on nth attempt': Finagle's default n is five."""
    host = Host()
    assert host.fail() is State.READY and host.fail() is State.EJECTED
    assert usual(4.0, host.out_s())


def test_with_us_one_that_cannot_be_reached_is_out_at_the_first_failure() -> None:
    """Finagle counts a refused connection as one failure of five; for us it is proof."""
    assert Host().fail(Failure.REFUSED) is State.EJECTED


@pytest.mark.parametrize("failure", [Failure.STATUS, Failure.TERMINATED, Failure.PROTOCOL])
def test_a_success_resets_the_count(failure: Failure) -> None:
    """'failures reset to zero on success'."""
    host = Host()
    for _ in range(20):
        assert host.fail(failure) is State.READY
        host.succeed()
    assert host.fail(failure) is State.READY and host.fail(failure) is State.EJECTED


def test_a_revival_resets_the_count_and_the_penalty() -> None:
    """'failures reset to zero on revived()', 'markDeadFor resets on revived()'."""
    host = Host()
    host.fail()
    host.fail()
    found = [host.out_s()]
    for _ in range(4):
        assert host.fail() is State.EJECTED, "in probation one failure is enough"
        found.append(host.out_s())
    assert all(usual(u, f) for u, f in zip([4, 8, 16, 32, 45], found, strict=True))
    host.succeed()
    assert host.health.state(host.now) is State.READY
    assert host.fail() is State.READY and host.fail() is State.EJECTED
    assert usual(4.0, host.out_s())


@pytest.mark.parametrize("seed", range(5))
def test_the_penalty_grows_with_each_failed_probe_and_is_capped_with_us_at_half_a_minute(seed: int) -> None:
    """'markDeadOnFailure() iterates over markDeadFor', and what holds when the list runs out (300 s in Finagle)."""
    host, found = Host(seed), []
    host.fail(Failure.REFUSED)
    for _ in range(40):
        found.append(host.out_s())
        host.fail(Failure.REFUSED)
    assert all(usual(u, f) for u, f in zip([4, 8, 16], found, strict=False))
    assert all(usual(30.0, f) for f in found[3:]) and len({round(f, 3) for f in found[3:]}) > 30


def test_one_probe_request_decides() -> None:
    """FailureAccrualFactory: after the penalty the next request is a probe, all others see a dead host meanwhile."""
    selector = Selector((A, B), random.Random(1))
    for endpoint, rtt_s in ((A, 0.01), (B, 0.05)):
        selector.probed(endpoint, [rtt_s] * 3, 0.0, 0.0)
    for now in (1.0, 2.0):
        selector.record(Outcome(A, Failure.STATUS), now)
    assert selector.plan((A, B), 2.5) == ((B,), (A,))
    assert [selector.plan((A, B), 8.0)[0][0] for _ in range(3)] == [A, B, B]
    selector.record(Outcome(A, Failure.STATUS, took_s=0.5), 8.5)
    assert selector.plan((A, B), 14.0) == ((B,), (A,)), "the probe failed: out for twice as long"
    assert [selector.plan((A, B), 19.0)[0][0] for _ in range(3)] == [A, B, B]
    selector.record(Outcome(A, took_s=0.5), 19.5)
    assert [selector.plan((A, B), 20.0)[0][0] for _ in range(3)] == [A, A, A]


def test_what_says_nothing_of_the_endpoint_is_no_failure_with_us() -> None:
    """Finagle leaves that to a response classifier; ours is fixed: slow models, our own limits, a rate limit."""
    host = Host()
    for failure in (Failure.READ_TIMEOUT, Failure.POOL, Failure.THROTTLED, Failure.NO_KEY, Failure.REGION) * 20:
        assert host.fail(failure) is State.READY
    assert host.fail() is State.READY and host.fail() is State.EJECTED
    host.out_s()
    assert host.fail(Failure.READ_TIMEOUT) is State.PROBATION, "nor is a slow probe"


def test_a_success_rate_below_the_required_one_does_not_eject_with_us_while_no_two_failures_meet() -> None:
    """'uses windowed success rate as well': half of the answers bad, in turn, is dead for Finagle's hybrid policy."""
    host = Host()
    for _ in range(15):
        assert host.fail() is State.READY
        host.succeed()


# -- the baseline's failure accrual


def finagle(*endpoints: Endpoint, make: type[Finagle] = Finagle, seed: int = 1) -> Finagle:
    nothing: Any = None
    return make(Setting(endpoints or (A, B, C), random.Random(seed), 0, nothing, nothing))


def test_the_baseline_ejects_at_the_fifth_failure_in_a_row() -> None:
    """'fail on nth attempt', 'failures reset to zero on success'."""
    rule = finagle()
    for now in range(4):
        rule.record(Outcome(A, Failure.STATUS), float(now))
    rule.record(Outcome(A), 4.0)
    for now in range(5, 9):
        rule.record(Outcome(A, Failure.STATUS), float(now))
    assert rule.dead_until["a"] == 0.0
    rule.record(Outcome(A, Failure.STATUS), 9.0)
    assert all(rule.plan((A, B, C), 9.0 + n / 100)[0][-1] is A for n in range(50))


def test_the_baselines_penalty_is_half_certain_doubles_and_ends_at_five_minutes() -> None:
    """'markDeadOnFailure() iterates over markDeadFor' with the equal jitter of the default: 5 s to 300 s."""
    rule, now, found = finagle(), 100.0, []
    for _ in range(4):
        rule.record(Outcome(A, Failure.STATUS), now)
    for _ in range(10):
        rule.record(Outcome(A, Failure.STATUS), now)
        found.append(rule.dead_until["a"] - now)
        now = rule.dead_until["a"]
    most = [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    assert all(m / 2 <= f <= m for m, f in zip(most, found, strict=True))
    assert len({f / m for m, f in zip(most, found, strict=True)}) == 10
    rule.record(Outcome(A), now)
    for n in range(5):
        assert rule.dead_until["a"] <= now
        rule.record(Outcome(A, Failure.STATUS), now + n / 100)
    assert 2.5 <= rule.dead_until["a"] - now <= 5.1, "an answer starts the penalties anew"


def test_when_all_are_dead_the_baseline_goes_on_as_if_none_were() -> None:
    """Panic mode of the balancers: a majority unhealthy is ignored."""
    rule = finagle()
    for endpoint in (A, B, C):
        for _ in range(5):
            rule.record(Outcome(endpoint, Failure.STATUS), 0.0)
    assert {rule.plan((A, B, C), 0.1)[0][0] for _ in range(50)} == {A, B, C}


# -- P2CPeakEwmaTest, of the baseline


def test_a_peak_replaces_the_average_at_once_and_a_lower_sample_only_by_its_weight() -> None:
    """PeakEwma.scala: sensitive to peaks, cautious on the way down."""
    peak = PeakEwma()
    peak.add(0.1, 0.0)
    assert peak.now(0.0) == 0.1
    peak.add(3.0, 0.001)
    assert peak.now(0.001) == 3.0
    peak.add(0.1, 10.001)
    kept = math.exp(-1)
    assert peak.now(10.001) == pytest.approx(3.0 * kept + 0.1 * (1 - kept))
    peak.add(0.1, 10.001)
    assert peak.now(10.001) == pytest.approx(3.0 * kept + 0.1 * (1 - kept)), "no time has passed: no weight"


def test_it_decays_towards_nothing_while_idle() -> None:
    """'verifies that we are actually decaying based on time when we don't receive load': a third after 10 s."""
    peak = PeakEwma()
    peak.add(2.0, 100.0)
    assert [peak.now(100.0 + s) for s in (0, 10, 20, 100)] == pytest.approx([2 * math.exp(-n) for n in (0, 1, 2, 10)])


def test_calls_under_way_multiply_the_load() -> None:
    """PeakEwma.scala: cost x (pending + 1)."""
    rule = finagle(A, B)
    rule.peak["a"].add(0.1, 0.0)
    rule.peak["b"].add(0.25, 0.0)
    for under_way, first in ((0, A), (1, A), (2, B), (3, B)):
        rule.pending["a"] = under_way
        assert rule.load("a", 0.0) == pytest.approx(0.1 * (under_way + 1))
        assert rule.plan((A, B), 0.0)[0][0] is first


def test_an_unknown_host_is_free_until_it_has_a_call_under_way_and_then_costs_most() -> None:
    """'Probe a node without latency history at most once'."""
    rule = finagle(A, B)
    rule.peak["a"].add(60.0, 0.0)
    assert rule.plan((A, B), 0.0)[0][0] is B
    rule.starting(B)
    assert all(rule.plan((A, B), 0.0)[0][0] is A for _ in range(20))
    rule.pending["a"] = 1000
    assert rule.plan((A, B), 0.0)[0][0] is A, "not even a thousand calls of a minute each outweigh it"
    rule.starting(B)
    assert rule.load("b", 0.0) == rule.load("b", 9.0) == 1e6 + 2
    for _ in range(2):
        rule.ended(B)
    rule.record(Outcome(B, took_s=0.01), 1.0)
    assert rule.plan((A, B), 1.0)[0][0] is B


def balanced(*latencies: float, requests: int = 6000, seed: int = 3) -> Counter[str]:
    """How many requests each of so many hosts got, one request a step. Decay and latencies are in the same unit."""
    endpoints = tuple(Endpoint(str(n)) for n in range(len(latencies)))
    rule = finagle(*endpoints, seed=seed)
    went: Counter[str] = Counter()
    under_way: list[tuple[float, int, Endpoint, float]] = []
    numbers, step_s = count(), 0.1
    for step in range(requests):
        now = step * step_s
        while under_way and under_way[0][0] <= now:
            ended, _, endpoint, took_s = heapq.heappop(under_way)
            rule.ended(endpoint)
            rule.record(Outcome(endpoint, took_s=took_s), ended)
        first = rule.plan(endpoints, now)[0][0]
        rule.starting(first)
        went[first.name] += 1
        took_s = latencies[int(first.name)]
        heapq.heappush(under_way, (now + took_s, next(numbers), first, took_s))
    return went


def test_identical_hosts_get_the_same() -> None:
    """'Balances evenly across identical nodes'."""
    went = balanced(*[0.5] * 10)
    assert max(went.values()) - min(went.values()) < 0.15 * 600


def test_a_host_without_history_that_never_answers_is_asked_once() -> None:
    """'Probe a node without latency history at most once'."""
    went = balanced(*[0.1] * 10, 1e9)
    assert went["10"] == 1 and max(went.values()) < 1.25 * 600


def test_a_host_that_takes_twice_as_long_gets_clearly_less() -> None:
    """'Balances proportionally across nodes with varying latencies'."""
    went = balanced(*[0.5] * 10, 1.0)
    others = deque(went[str(n)] for n in range(10))
    assert 0.02 * others[0] < went["10"] < 0.75 * min(others)


def test_linkerds_starts_from_30_ms_and_a_quick_failure_counts_as_five_seconds() -> None:
    """linkerd2-proxy, load-biaser: failing fast must not attract calls. In Finagle's own rule it does."""
    for make, first in ((Linkerd, B), (Finagle, A)):
        rule = finagle(A, B, make=make)
        for now in range(3):
            rule.record(Outcome(A, Failure.STATUS, took_s=0.001), float(now))
            rule.record(Outcome(B, took_s=0.2), float(now))
        assert all(rule.plan((A, B), 3.0)[0][0] is first for _ in range(20))
    fresh = finagle(A, B, make=Linkerd)
    fresh.pending["a"] = 1
    assert fresh.load("a", 0.0) == pytest.approx(0.06)
