"""The lab itself: starts the sites' processes on a network, and is the handle with which a test controls them.

Starts processes and makes a temporary directory for certificates; `stop` ends all of it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import socket
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType

from edgeclient.lab.faults import LabError, parse_fault
from edgeclient.lab.model import AtPops
from edgeclient.lab.network import CLIENT, MOST_POPS, Network, best_mode, raise_loopback
from edgeclient.lab.process import Process
from edgeclient.lab.sites import CA_FILE, KEY_FILE, remove_scratch, share_port

ORIGIN = "origin"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_COUNTED = ("requests", "probes", "connections", "abandoned")
_INNER_PORT = 8080


class Lab:
    """PoPs with round-trip times and one origin that speaks the OpenAI and the Anthropic API, on this machine.

    Each PoP and the origin are processes of their own.  They end with `stop`, with the `with` block, with this
    process, and also when this process is killed.  Methods may be called from any thread.
    """

    def __init__(
        self,
        pops: Mapping[str, float],
        *,
        origin_ms: float = 120.0,
        backbone_ms: float | Mapping[str, float] | None = None,
        mode: str = "auto",
        tls: bool | None = None,
        first_token_ms: tuple[float, float] = (40.0, 80.0),
        tokens_per_s: float = 400.0,
        at_pops: AtPops | None = None,
        seed: int = 1,
        record: bool = False,
    ) -> None:
        """Checks the settings; `start` (or `with`) builds the lab.

        `pops`: name -> round trip to the client in ms.  `origin_ms`: round trip from the client straight to the origin.
        `backbone_ms`: round trip from the PoPs to the origin, for all or by name (default: `origin_ms` less 0.8 of the
        PoP's own round trip, at least 1).  `tls`: by a throw-away CA; default on in tun mode, off in loopback.
        `first_token_ms`: median and 99th percentile of the model's time to first token.  `at_pops`: the models that
        the PoPs run themselves.  `record`: keep all requests.
        """
        _check_pops(pops)
        if mode not in ("auto", "tun", "loopback"):
            raise LabError(f"mode must be 'auto', 'tun' or 'loopback', not {mode!r}")
        if not 0 <= first_token_ms[0] <= first_token_ms[1]:
            raise LabError(f"first_token_ms must be (median, 99th percentile), not {first_token_ms!r}")
        if tokens_per_s <= 0:
            raise LabError(f"tokens_per_s must be more than 0, not {tokens_per_s!r}")
        self.mode = best_mode()[0] if mode == "auto" else mode
        self._tls = self.mode == "tun" if tls is None else tls
        self._rtt_ms = {**{name: float(ms) for name, ms in pops.items()}, ORIGIN: float(origin_ms)}
        self._backbone_ms = {name: _backbone(name, ms, float(origin_ms), backbone_ms) for name, ms in pops.items()}
        self._model = {"first_token_ms": [float(ms) for ms in first_token_ms], "tokens_per_s": float(tokens_per_s)}
        self._here = None if at_pops is None else asdict(at_pops)
        self._seed, self._record = seed, record
        self.urls: dict[str, str] = {}
        self.anthropic_urls: dict[str, str] = {}
        self.origin_url = self.origin_anthropic_url = ""
        self.ca_file: str | None = None
        self._owner = 0
        self._reset()

    def _reset(self) -> None:
        self._processes: dict[str, Process] = {}
        self._network: Network | None = None
        self._ports: dict[str, int] = {}
        self._held: list[socket.socket] = []
        self._scratch: Path | None = None
        self._counted = {site: dict.fromkeys(_COUNTED, 0) for site in self._rtt_ms}
        self._known = {site: dict.fromkeys(_COUNTED, 0) for site in self._rtt_ms}
        self._recorded: dict[str, list[dict[str, object]]] = {site: [] for site in self._rtt_ms}

    # -- life

    def start(self) -> Lab:
        """Builds the network and starts all processes; raises LabError and leaves nothing behind when it cannot."""
        if self._owner:
            raise LabError("this lab runs already")
        self._reset()
        self._owner = os.getpid()
        atexit.register(self.stop)
        try:
            self._place()
            if self._tls:
                self._certify()
            self._launch(list(self._rtt_ms))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends every process and removes all that was made; counters stay readable.  May be called twice."""
        if self._owner != os.getpid():  # never started, stopped, or a fork of the owner
            return
        for site in self._processes:
            self._count(site)
        for process in self._processes.values():
            process.end()
        if self._network is not None:
            self._network.close()
        for sock in self._held:
            sock.close()
        if self._scratch is not None:
            remove_scratch(self._scratch)
        self._processes, self._network, self._scratch, self.ca_file = {}, None, None, None
        self._owner = 0
        atexit.unregister(self.stop)

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- what it is

    def describe(self) -> str:
        """One sentence: what is emulated, and how honest it is."""
        *pops, origin = (f"{site} {ms:g} ms" for site, ms in self._rtt_ms.items())
        what = f"{len(pops)} PoP{'s' * (len(pops) != 1)} ({', '.join(pops)}) and an {origin} away"
        cipher = "TLS by a throw-away CA" if self._tls else "plain HTTP"
        if self.mode == "tun":
            return (
                f"tun: {what}, each a process in its own network namespace, {cipher}; a router process delays every "
                "IP packet, so connects and the kernel's RTT show these round trips."
            )
        return (
            f"loopback: {what}, each a process on 127.0.0.1, {cipher}; the round trip is waited for before each "
            "answer, so response times are right, but the kernel's RTT is not honest: connects take about 0 ms."
        )

    def ssl_context(self) -> ssl.SSLContext | None:
        """A client context that trusts the lab's CA and nothing else, or None without TLS."""
        return ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None

    # -- what happens to it

    def kill(self, site: str) -> None:
        """SIGKILL for the site's process: connections end, new ones are refused.  Does nothing when it is dead."""
        process = self._processes[self._site(site)]
        if process.alive:
            self._count(site)
            if self._record:
                with contextlib.suppress(LabError):
                    self._recorded[site] += self._ask_recorded(site)
        process.kill()
        self._counted[site] = dict(self._known[site])

    def restart(self, site: str) -> None:
        """Starts the site again on the same address, without its faults (kills it first if it runs)."""
        self.kill(site)
        if self._network is not None:
            self._network.set_hole(site, False)
        self._launch([site])

    def rtt(self, site: str, ms: float) -> None:
        """Changes the round trip between client and site, from the next packet (tun) or answer (loopback) on."""
        self._rtt_ms[self._site(site)] = float(ms)
        if self._network is not None:
            self._network.set_rtts([(CLIENT, site, float(ms))])
        elif self._processes[site].alive:
            self._processes[site].ask("delay", ms=float(ms))

    def fault(self, site: str, name: str, **options: object) -> None:
        """Gives the site a fault (see `FAULTS` for names and options) in place of the one it has."""
        fault = parse_fault(name, options)
        process = self._processes[self._site(site)]
        if not process.alive:
            raise LabError(f"{site} does not run: call restart({site!r}) first")
        if name == "tls" and not self._tls:
            raise LabError("fault 'tls' needs a lab with TLS: Lab(..., tls=True)")
        swallow = name == "swallow" and self._network is not None
        process.ask("fault", fault=None if swallow else fault.as_json())
        if self._network is not None:
            self._network.set_hole(site, swallow)

    def clear(self, site: str) -> None:
        """Removes the site's fault."""
        process = self._processes[self._site(site)]
        if process.alive:
            process.ask("fault", fault=None)
        if self._network is not None:
            self._network.set_hole(site, False)

    # -- what it saw

    def requests(self) -> dict[str, int]:
        """Model requests (POSTs: what a provider bills) seen per site since the start, also before a `kill`."""
        return self._column("requests")

    def probes(self) -> dict[str, int]:
        """All other requests seen per site: /cdn-cgi/trace, /v1/models, any GET or HEAD."""
        return self._column("probes")

    def connections(self) -> dict[str, int]:
        """Accepted connections per site."""
        return self._column("connections")

    def abandoned(self) -> dict[str, int]:
        """Answers per site whose receiver went away before their end."""
        return self._column("abandoned")

    def recorded(self, site: str) -> list[dict[str, object]]:
        """The site's requests in order: `{method, path, headers: [[name, value], ...], body}`.  Needs `record=True`."""
        if not self._record:
            raise LabError("nothing is recorded: make the lab with Lab(..., record=True)")
        live = self._ask_recorded(site) if self._processes[self._site(site)].alive else []
        return self._recorded[site] + live

    # -- inside

    def _site(self, site: str) -> str:
        if site not in self._rtt_ms:
            raise LabError(f"there is no site {site!r}; known: {', '.join(self._rtt_ms)}")
        if not self._owner:
            raise LabError("this lab does not run: call start() or use it in a with block")
        return site

    def _place(self) -> None:
        """Gives every site its address, and the path its round trip."""
        if self.mode == "tun":
            self._network = Network(list(self._rtt_ms))
            backbone = [(name, ORIGIN, ms) for name, ms in self._backbone_ms.items()]
            self._network.set_rtts([*((CLIENT, site, ms) for site, ms in self._rtt_ms.items()), *backbone])
            self._ports = {**dict.fromkeys(self._rtt_ms, 443 if self._tls else 80), "": _INNER_PORT}
        else:
            raise_loopback()
            for name in (*self._rtt_ms, ""):
                sock = _hold_port()
                self._held.append(sock)
                self._ports[name] = sock.getsockname()[1]
        scheme = "https" if self._tls else "http"
        bases = {site: f"{scheme}://{self._host(site)}:{self._ports[site]}" for site in self._rtt_ms}
        self.origin_anthropic_url = bases.pop(ORIGIN)
        self.origin_url = f"{self.origin_anthropic_url}/v1"
        self.anthropic_urls = bases
        self.urls = {site: f"{base}/v1" for site, base in bases.items()}

    def _host(self, site: str) -> str:
        return self._network.addresses[site] if self._network is not None else "127.0.0.1"

    def _certify(self) -> None:
        try:
            import trustme
        except ImportError as error:
            raise LabError(
                'TLS in the lab needs the package trustme; pip install "edgeclient[lab]", or say Lab(..., tls=False)'
            ) from error
        self._scratch = Path(tempfile.mkdtemp(prefix="edgelab-"))
        authority = trustme.CA()
        leaf = authority.issue_cert(*sorted({self._host(site) for site in self._rtt_ms}))
        authority.cert_pem.write_to_path(str(self._scratch / CA_FILE))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(self._scratch / KEY_FILE))
        self.ca_file = str(self._scratch / CA_FILE)

    def _launch(self, sites: list[str]) -> None:
        for site in sites:
            enter = partial(self._network.run_at, site) if self._network is not None else None
            self._processes[site] = Process(ORIGIN if site == ORIGIN else "pop", enter=enter)
            self._processes[site].post_start(**self._config(site))
        for site in sites:
            self._processes[site].await_start()

    def _config(self, site: str) -> dict[str, object]:
        waits = self._network is None
        common = {
            "name": site,
            "host": self._host(site),
            "port": self._ports[site],
            "delay_ms": self._rtt_ms[site] if waits else 0.0,
            "scratch": str(self._scratch) if self._scratch else None,
            "seed": self._seed,
            "record": self._record,
        }
        if site == ORIGIN:
            return {**common, **self._model, "inner_port": self._ports[""]}
        backbone_ms = self._backbone_ms[site] if waits else 0.0
        origin = {"origin_host": self._host(ORIGIN), "origin_port": self._ports[""]}
        return {**common, "backbone_ms": backbone_ms, **origin, "here": self._here}

    def _column(self, counter: str) -> dict[str, int]:
        for site in self._processes:
            self._count(site)
        return {site: counts[counter] for site, counts in self._known.items()}

    def _count(self, site: str) -> None:
        """Reads the site's counters; when it is dead or silent, what was known last stays."""
        if not self._processes[site].alive:
            return
        with contextlib.suppress(LabError):
            counters = self._processes[site].ask("stat")["counters"]
            assert isinstance(counters, dict)
            self._known[site] = {name: self._counted[site][name] + int(counters[name]) for name in _COUNTED}

    def _ask_recorded(self, site: str) -> list[dict[str, object]]:
        recorded = self._processes[site].ask("recorded")["recorded"]
        assert isinstance(recorded, list)
        return recorded


def _check_pops(pops: Mapping[str, float]) -> None:
    if not 1 <= len(pops) <= MOST_POPS:
        raise LabError(f"a lab has 1 to {MOST_POPS} PoPs, not {len(pops)}")
    for name, ms in pops.items():
        if not _NAME.fullmatch(name) or name == ORIGIN:
            raise LabError(f"a PoP's name is lower-case letters, digits and '-', and not 'origin': {name!r} is not")
        if ms < 0:
            raise LabError(f"the round trip of {name} must be at least 0 ms, not {ms!r}")


def _backbone(name: str, rtt_ms: float, origin_ms: float, backbone_ms: float | Mapping[str, float] | None) -> float:
    if isinstance(backbone_ms, Mapping):
        backbone_ms = backbone_ms.get(name)
    return max(1.0, origin_ms - 0.8 * rtt_ms) if backbone_ms is None else float(backbone_ms)


def _hold_port() -> socket.socket:
    """A port on 127.0.0.1 that stays the lab's: bound here, never listening, so the site can open and reopen it."""
    sock = socket.socket()
    share_port(sock)
    sock.bind(("127.0.0.1", 0))
    return sock
