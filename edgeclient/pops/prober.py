"""Opens sockets and starts short-lived threads: measures endpoints that traffic does not, without a paid call.

A probe is a TCP connect (its round-trip time read from the kernel where it tells, else timed), or one unpaid GET without
any credential. A round runs beside the request that finds it due; nothing waits for it, and nothing runs between rounds.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import urlsplit

from ..values import Endpoint
from .identity import Pop, pop_of
from .ip_versions import IPV4, IPV6, IpVersions
from .rtt import of_kernel

RttSource = Literal["auto", "kernel", "connect", "http"]
KernelRtt = Callable[[socket.socket], "tuple[float, float] | None"]

_TRIES = 3  # the minimum of three: the first one may meet a cold cache or a busy core
_AGAIN = 1  # to renew what is known: it joins the last samples
_TRIES_EACH = 2  # of each IP version
_TIMEOUT_S = 2.0
_HEADERS = {"user-agent": "edgeclient-probe"}


class Prober:
    """Probes endpoints in the background, at most one round at a time."""

    def __init__(self, source: RttSource, kernel_rtt: KernelRtt, versions: IpVersions | None = None) -> None:
        self._source, self._kernel_rtt, self._versions = source, kernel_rtt, versions
        self._running = threading.Lock()
        self._known: set[str] = set()  # endpoints that a probe has reached

    def start(self, due: Sequence[Endpoint], learn: Callable[[Endpoint, list[float], float], None]) -> bool:
        """Probe `due` now and tell `learn(endpoint, rtts_s, took_s)` each result; False when a round is running already."""
        if not due or not self._running.acquire(blocking=False):
            return False
        try:
            threading.Thread(target=self._round, args=(due, learn), name="edgeclient-probe", daemon=True).start()
        except RuntimeError:  # no thread to be had: at interpreter exit, or at the limit
            self._running.release()
            return False
        return True

    def after_fork(self) -> None:
        """In a forked child the thread of a round is gone."""
        self._running = threading.Lock()

    def run(
        self,
        endpoints: Sequence[Endpoint],
        learn: Callable[[Endpoint, list[float], float], None],
        *,
        thorough: bool = True,
    ) -> None:
        """Probe all of these at once, and wait for it: two seconds for each try at the most.

        Unless it is `thorough`, what a probe has reached before is only renewed, by one sample.
        """
        threads = [threading.Thread(target=self._one, args=(e, learn, thorough), daemon=True) for e in endpoints]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _round(self, due: Sequence[Endpoint], learn: Callable[[Endpoint, list[float], float], None]) -> None:
        try:
            self.run(due, learn, thorough=False)
        finally:
            self._running.release()

    def _one(self, endpoint: Endpoint, learn: Callable[[Endpoint, list[float], float], None], thorough: bool) -> None:
        began = time.monotonic()
        rtts_s = self.measure(endpoint, _AGAIN)
        learn(endpoint, rtts_s, time.monotonic() - began)  # at once: somebody may wait for the first of all
        if rtts_s and (thorough or endpoint.name not in self._known):
            more_s = self.measure(endpoint, _TRIES - _AGAIN)
            if more_s:
                learn(endpoint, more_s, time.monotonic() - began)
        if rtts_s:
            self._known.add(endpoint.name)
            if self._versions is not None and self._source != "http":
                self._compare(endpoint, self._versions)

    def _compare(self, endpoint: Endpoint, versions: IpVersions) -> None:
        """Measure the endpoint's host by both IP versions, where it has both and its turn has come."""
        parts = urlsplit(endpoint.address())
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if not versions.take_turn(host, time.monotonic()):
            return
        try:
            found = [info[0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, ValueError):
            return
        if socket.AF_INET in found and socket.AF_INET6 in found:
            ipv4_s, ipv6_s = (self._by(family, host, port) for family in (socket.AF_INET, socket.AF_INET6))
            versions.learn(host, IPV6 if found[0] == socket.AF_INET6 else IPV4, ipv4_s, ipv6_s)

    def _by(self, family: socket.AddressFamily, host: str, port: int) -> list[float]:
        found: list[float] = []
        try:
            while len(found) < _TRIES_EACH:
                found.append(self._connect(host, port, family))
        except (OSError, ValueError):
            pass
        return found

    def measure(self, endpoint: Endpoint, tries: int = _TRIES) -> list[float]:
        """Round-trip times of one endpoint in seconds, now; empty when it cannot be reached. Blocks."""
        parts = urlsplit(endpoint.address())
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            if self._source == "http":
                return _by_http(parts.scheme, parts.hostname or "", port, endpoint.probe, tries)
            return [self._connect(parts.hostname or "", port) for _ in range(tries)]
        except (OSError, http.client.HTTPException, ValueError):  # ValueError: a host that is no name
            return []

    def identify(self, endpoint: Endpoint) -> Pop | None:
        """The PoP that answers at an endpoint, by one unpaid GET without a key; None when it does not say. Blocks."""
        parts = urlsplit(endpoint.address())
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            connection = _connection(parts.scheme, parts.hostname or "", port)
            try:
                connection.request("GET", endpoint.probe, headers=_HEADERS)
                response = connection.getresponse()
                return pop_of([(n.encode("latin-1"), v.encode("latin-1")) for n, v in response.getheaders()])
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def _connect(self, host: str, port: int, version: int = socket.AF_UNSPEC) -> float:
        """The RTT of the first address that answers."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [info for info in found if version in (socket.AF_UNSPEC, info[0])]
        for number, (family, kind, protocol, _, address) in enumerate(addresses, 1):
            with socket.socket(family, kind, protocol) as sock:
                sock.settimeout(_TIMEOUT_S)
                began = time.perf_counter()
                try:
                    sock.connect(address)
                except OSError:
                    if number == len(addresses):
                        raise
                    continue
                took = time.perf_counter() - began
                measured = None if self._source == "connect" else self._kernel_rtt(sock)
            if measured is None and self._source == "kernel":
                raise OSError("the kernel does not tell the round-trip time of this connection")
            return took if measured is None else of_kernel(*measured)
        raise OSError(f"{host} has no address")


def _connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


def _by_http(scheme: str, host: str, port: int, path: str, tries: int) -> list[float]:
    """Times GETs on one connection; any status is an answer."""
    connection = _connection(scheme, host, port)
    found = []
    try:
        connection.connect()
        for _ in range(tries):
            began = time.perf_counter()
            connection.request("GET", path, headers=_HEADERS)
            connection.getresponse().read()
            found.append(time.perf_counter() - began)
    finally:
        connection.close()
    return found
