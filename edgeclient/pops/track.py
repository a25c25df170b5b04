"""What is known of one endpoint, and how it is shown. Pure: time comes in as an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..values import Endpoint, Failure
from .cold import Cold
from .health import Health, State
from .identity import Pop
from .ip_versions import Compared
from .rtt import RttWindow, margin
from .server_time import ServerTime

_HOUR_S, _RE_ROLLS_AN_HOUR = 3600.0, 3
SILENT_S, SILENT_FAR_S = 300.0, 1800.0  # after which an endpoint is looked at again: a near one, and any
_UNCHANGED_S, _UNCHANGED = 0.001, 0.02  # an estimate that moves by less does not disturb the order


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """What is known of one endpoint. Times are in the unit of their name; None means not known."""

    name: str
    url: str
    state: str  # ready | deprioritised | ejected | probation
    rtt_ms: float | None  # the estimate: the smallest of the last samples
    pop: str  # the code of the site that last answered
    calls: int  # answers it gave
    failures: int
    share: float  # of all answers, 0..1
    server_ms: float | None = None  # the last answer's time beside the path
    rtt_now_ms: float | None = None  # the last sample
    why: str = ""  # why it is in this state, or costs more than its path
    in_state_s: float | None = None  # since it went out, or came back; None when it was always ready
    last_failure: str = ""  # in the words of `Attempt.outcome`
    last_failure_s: float | None = None  # how long ago
    city: str = ""  # of the PoP, where the code is known
    ipv4_ms: float | None = None  # of a host that has both versions, when they were last compared
    ipv6_ms: float | None = None
    ip: str = ""  # "IPv4" or "IPv6", where new connections had better take it against the system's order

    def by(self, compared: Compared) -> EndpointStatus:
        """The same with what a comparison of the IP versions said."""
        return replace(self, ipv4_ms=_ms(compared.ipv4_s), ipv6_ms=_ms(compared.ipv6_s), ip=compared.better)


class Track:
    """What is known of one endpoint, while it runs."""

    __slots__ = (
        "answered_at",
        "calls",
        "cold",
        "failures",
        "health",
        "impatient",
        "jitter",
        "last_failure",
        "last_failure_at",
        "leads",
        "leaves_above",
        "look_s",
        "moves_below",
        "pop",
        "prior_s",
        "probe_at",
        "ranked_s",
        "re_rolled_at",
        "refuses",
        "rtt",
        "server",
        "throttled_until",
        "trial_s",
        "tried_at",
        "upload_bytes_s",
        "version",
    )

    def __init__(self) -> None:
        self.rtt = RttWindow()
        self.prior_s: float | None = None  # from before a sleep or from another process; counts until the first sample
        self.health = Health()
        self.server = ServerTime()
        self.cold = Cold()
        self.throttled_until = 0.0
        self.probe_at = self.answered_at = self.last_failure_at = float("-inf")
        self.jitter = 1.0  # of the silence before the next probe
        self.tried_at = float("-inf")  # by a call, where nobody probes
        self.trial_s: float | None = None  # how long that call waits for a connection
        self.look_s = float("inf")  # a shorter silence, while it may be the nearest again soon
        self.version = -1  # of the kept orders that the next four speak of
        self.ranked_s: float | None = None  # the estimate they rest on
        self.leads = False  # it is the first in one of them
        self.leaves_above, self.moves_below = float("inf"), 0.0  # estimates at which a first place changes hands
        self.calls = self.failures = 0
        self.impatient = 0  # connections in a row that were not waited for long enough, or that lead nowhere
        self.last_failure: Failure | None = None
        self.pop: Pop | None = None
        self.re_rolled_at: tuple[float, ...] = ()  # when connections were given up because they led to another site
        self.upload_bytes_s: float | None = None  # of the last long request
        self.refuses: dict[
            str, float
        ] = {}  # models that it does not have, or may not serve from where it is, and until when that is believed

    def answers_from(self, pop: Pop, rtt_s: float | None, now: float) -> bool:
        """Another site answers, `rtt_s` away: True when it is so much farther that a new connection is worth a try.

        Anycast leads each connection to a site by itself. What was learned of a nearer site must not linger, or the endpoint
        would be preferred for a path that is no more; a nearer one is the smallest sample anyway.
        """
        before_s, self.pop = self.rtt.estimate_s, pop
        if rtt_s is None or before_s is None or rtt_s - before_s <= margin(before_s):
            return False
        self.rtt.restart(rtt_s)
        self.re_rolled_at = tuple(at for at in self.re_rolled_at if now - at < _HOUR_S)
        if len(self.re_rolled_at) >= _RE_ROLLS_AN_HOUR:
            return False
        self.re_rolled_at += (now,)
        return True

    def moved(self) -> bool:
        """True when the estimate is not what the kept orders rest on any more."""
        now_s, then_s = self.rtt.estimate_s, self.ranked_s
        if now_s is None or then_s is None:
            return now_s is not then_s
        if now_s >= self.leaves_above or now_s <= self.moves_below:
            return True
        return not self.leads and abs(now_s - then_s) > _UNCHANGED_S + _UNCHANGED * then_s

    def cost(self, now: float) -> float:
        """What a call costs here in seconds: the path, and what the endpoint is slower than usual."""
        return (self.rtt.estimate_s or 0.0) + self.server.cost_at(now)

    def status(self, endpoint: Endpoint, total: int, now: float) -> EndpointStatus:
        """All this as plain values. `total`: the answers of all endpoints."""
        state, why = self._state(now)
        pop, failure = self.pop, self.last_failure
        since = self.health.since
        return EndpointStatus(
            name=endpoint.name,
            url=endpoint.shown(),
            state=state,
            rtt_ms=_ms(self.rtt.estimate_s),
            pop=pop.code if pop is not None else "",
            calls=self.calls,
            failures=self.failures,
            share=self.calls / total,
            server_ms=_ms(self.server.last_s),
            rtt_now_ms=_ms(self.rtt.last_s),
            why=why,
            in_state_s=None if since is None else now - since,
            last_failure=failure.value if failure is not None else "",
            last_failure_s=None if failure is None else now - self.last_failure_at,
            city=pop.city if pop is not None else "",
        )

    def _state(self, now: float) -> tuple[str, str]:
        state = self.health.state(now)
        if state is State.EJECTED:
            return state.value, f"{self._failed(now)}; out for {self.health.ejected_until - now:.1f} s more"
        if state is State.PROBATION:
            return state.value, f"{self._failed(now)}; a {'probe' if self.health.unreachable else 'call'} tries it next"
        if now < self.throttled_until:
            return "deprioritised", f"no requests left, or refused; for {self.throttled_until - now:.1f} s more"
        slower_s = self.server.cost_at(now)
        refused = [model for model, until in self.refuses.items() if now < until]
        if refused:
            return state.value, f"not asked for {', '.join(refused)}: not there, or refused where this PoP is"
        if slower_s:
            return (
                state.value,
                f"{slower_s * 1e3:.0f} ms slower than usual; believed for {self.server.until - now:.1f} s more",
            )
        return state.value, "" if self.rtt.estimate_s is not None else "not measured yet"

    def _failed(self, now: float) -> str:
        if self.last_failure is None:
            return "a probe failed"
        return f"{self.last_failure.value} {now - self.last_failure_at:.1f} s ago"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
