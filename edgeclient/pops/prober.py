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
from .rtt import of_kernel

RttSource = Literal["auto", "kernel", "connect", "http"]
KernelRtt = Callable[[socket.socket], "tuple[float, float] | None"]

_TRIES = 3  # the minimum of three: the first one may meet a cold cache or a busy core
_AGAIN = 1  # to renew what is known: it joins the last samples
_TIMEOUT_S = 2.0
_HEADERS = {"user-agent": "edgeclient-probe"}


class Prober:
    """Probes endpoints in the background, at most one round at a time."""

    def __init__(self, source: RttSource, kernel_rtt: KernelRtt) -> None:
        self._source, self._kernel_rtt = source, kernel_rtt
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

    def _connect(self, host: str, port: int) -> float:
        """The RTT of the first address that answers."""
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
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
