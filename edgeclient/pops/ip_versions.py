"""IPv4 and IPv6 as two paths to one host: how far each is, and which one new connections had better take. Pure.

The system orders a host's addresses by rules (RFC 6724), not by what they are worth: IPv6 usually comes first. It stays first
unless the other is nearer by the margin that keeps an endpoint current, or does not answer at all.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from .rtt import margin

IPV4, IPV6 = "IPv4", "IPv6"
_EVERY_S = 3 * 3600.0  # between two comparisons of a host: rankings move within weeks, machines within hours
_WILDCARDS = {IPV4: "0.0.0.0", IPV6: "::"}


@dataclass(frozen=True, slots=True)
class Compared:
    """Round-trip times of one host in seconds; None: it did not answer there."""

    ipv4_s: float | None
    ipv6_s: float | None
    better: str = ""  # the version to prefer; "": as the system orders them


class IpVersions:
    """What is known of the hosts that have addresses of both versions. Thread-safe."""

    def __init__(self) -> None:
        self._hosts: dict[str, Compared] = {}
        self._due_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        """In a forked child: a new lock."""
        self._lock = threading.Lock()

    def take_turn(self, host: str, now: float) -> bool:
        """True when a host is to be compared now: then it is this caller's turn."""
        with self._lock:
            if now < self._due_at.get(host, now):
                return False
            self._due_at[host] = now + _EVERY_S
            return True

    def learn(self, host: str, first: str, ipv4_s: Sequence[float], ipv6_s: Sequence[float]) -> None:
        """Take the samples of a comparison. `first`: the version that the system puts first."""
        nearest = {IPV4: min(ipv4_s, default=None), IPV6: min(ipv6_s, default=None)}
        other = IPV4 if first == IPV6 else IPV6
        first_s, other_s = nearest[first], nearest[other]
        gains = other_s is not None and (first_s is None or first_s - other_s > margin(first_s))
        with self._lock:
            self._hosts[host] = Compared(nearest[IPV4], nearest[IPV6], other if gains else "")

    def of(self, host: str) -> Compared | None:
        """What is known of a host; None before it was compared, and where it has one version only."""
        return self._hosts.get(host)

    def local_address(self, host: str) -> str | None:
        """The wildcard address that binds a connection to the better version; None: as the system orders them."""
        compared = self._hosts.get(host)
        return _WILDCARDS.get(compared.better) if compared is not None else None

    def failed(self, host: str) -> None:
        """The better version did not connect: the system's order counts again, until the next comparison."""
        with self._lock:
            known = self._hosts.get(host)
            if known is not None:
                self._hosts[host] = Compared(known.ipv4_s, known.ipv6_s)
