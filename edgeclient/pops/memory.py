"""What an edge remembers of paths between processes: a small document, kept per network, merged, aged, bounded. Pure.

A remembered round-trip time is a prior: it orders endpoints that have no sample of their own, and never counts as one.
Whatever stands in a document may be wrong, old or somebody else's: an entry that cannot be believed is passed over.
"""

from __future__ import annotations

import hashlib
import heapq
import ipaddress
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..values import Endpoint
from .rtt import is_possible

VERSION = 1
MOST_BYTES = 2**20  # a full document with the longest names has less: what is longer is none of ours
_NETWORKS, _PLACES = 8, 1000  # home, office, telephone, ...; and places in all of them together
KEPT_S = 7 * 86_400.0  # rankings of PoPs changed in 0.5 % of city-weeks
_FUTURE_S = 86_400.0  # a wall clock may have been set back by less than this
_RENEWED_S = 86_400.0  # what has not changed is written again after a day, so that it does not age
_NOTICEABLE = 0.10
_LONGEST_NAME = 260  # bytes: a host name has at most 253, a port at most 5
_LONGEST_CODE = 32
_MOST_TIMES = 10**9


@dataclass(frozen=True, slots=True)
class Path:
    """What was measured of the way to one place."""

    rtt_s: float
    at: float  # wall-clock seconds
    pop: str = ""  # the site that answered there
    times: int = 1  # how often it was written down


Paths = Mapping[str, Path]  # by place: "fra.example.com:443"
Networks = Mapping[str, Paths]  # by the network's fingerprint
Measured = Mapping[str, "tuple[float, str]"]  # round-trip time in seconds, and the PoP's code


class Newer(ValueError):
    """The document is one of a later release: it is not for this one to read, nor to replace."""


class Memory(Protocol):
    """Keeps paths between processes. Thread-safe; never raises, and no call waits for a write."""

    next_at: float  # when to visit next; before the first plan, and then rarely

    def visit(self, now: float, *, slept: bool) -> None:
        """Recall, at first and after a sleep; else write down what is new, beside the call."""


class Shelf(Protocol):
    """Where documents lie between processes. Blocking, from several threads; raises whatever its library raises."""

    far: bool  # True for a server that machines share, which nobody's call waits for

    def read(self, name: str, most: int) -> bytes | None:
        """The document of that name, at most so many bytes of it; None when there is none."""

    def write(self, name: str, document: bytes, keep_s: float) -> None:
        """Put it into the place of the one before, at once; nobody misses it after so many seconds."""


def place_of(endpoint: Endpoint) -> str:
    """What a path leads to: host and port, no path and no credential. "" on this machine, where nothing is far."""
    parts = urlsplit(endpoint.address())
    host = (parts.hostname or "").rstrip(".")
    if not host or _is_here(host):
        return ""
    place = f"{f'[{host}]' if ':' in host else host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    return place if _is_place(place) else ""


def is_worthwhile(remember: bool | str | None, endpoints: Sequence[Endpoint], *, in_function: bool) -> bool:
    """True when something is to be kept: there is a choice between places, and the process may leave something behind."""
    if remember is False or (remember is None and in_function):
        return False
    return len({place_of(endpoint) for endpoint in endpoints} - {""}) > 1


def fingerprint(source: str) -> str:
    """What a network is known by: a digest of the address that this machine has there; "" stands for no network.

    Of an IPv6 address only the network's half counts: machines change the other one daily.
    """
    return _digest(_network_of(source))


def fingerprint_of_fleet(source: str, region: str) -> str:
    """What machines side by side know their network by: a digest of the part of their addresses that they have in common.

    Of a private IPv4 address that is the first 16 bits (a cluster, a cloud network), of a public one the first 24. Many
    networks use the same private addresses: `region`, where the platform says one, tells them apart.
    """
    if "." in source and ":" not in source:
        address = ipaddress.IPv4Address(source)
        source = str(ipaddress.IPv4Network((source, 24 if address.is_global else 16), strict=False))
    return _digest(f"fleet {_network_of(source)} {region}")


def read(text: bytes) -> Networks:
    """The networks of a document, without odd entries. Raises ValueError when it is none of ours, `Newer` when later."""
    if len(text) > MOST_BYTES:
        raise ValueError("too long to be a document of edgeclient")
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("no document of edgeclient: nested too deep") from None
    version = _table(document).get("edgeclient_paths")
    if type(version) is int and version > VERSION:
        raise Newer(f"a document of version {version}; this release knows {VERSION} and leaves it alone")
    if version != VERSION:
        raise ValueError("no document of edgeclient")
    return {
        network: {place: path for place, said in _table(paths).items() if (path := _path(place, said)) is not None}
        for network, paths in _table(document.get("networks")).items()
        if len(network) <= _LONGEST_CODE
    }


def write(networks: Networks) -> bytes:
    """The document of these networks."""
    table = {
        network: {
            place: {"rtt_ms": round(path.rtt_s * 1e3, 3), "at": round(path.at), "pop": path.pop, "times": path.times}
            for place, path in paths.items()
        }
        for network, paths in networks.items()
    }
    return json.dumps({"edgeclient_paths": VERSION, "networks": table}, ensure_ascii=False).encode()


def merge(networks: Networks, network: str, measured: Measured, wall: float) -> Networks:
    """The document with what was measured in a network now. Old entries go, and the oldest ones beyond the bounds."""
    before = networks.get(network, {})
    now = {
        place: _renewed(before.get(place), rtt_s, pop, wall)
        for place, (rtt_s, pop) in measured.items()
        if is_possible(rtt_s)
    }
    return _bounded({**networks, network: {**before, **now}}, wall)


def fresh(networks: Networks, network: str, wall: float) -> Paths:
    """What may still be believed of a network."""
    return {place: path for place, path in networks.get(network, {}).items() if _is_fresh(path, wall)}


def is_news(before: Paths, measured: Measured, wall: float) -> bool:
    """True when a place is new, its round-trip time changed noticeably, or what was written of it is a day old."""
    return any(_is_new(before.get(place), rtt_s, wall) for place, (rtt_s, _) in measured.items())


def _network_of(source: str) -> str:
    if ":" not in source:
        return source
    return str(ipaddress.IPv6Network((source.partition("%")[0], 64), strict=False))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8, person=b"edgeclient").hexdigest()


def _is_new(before: Path | None, rtt_s: float, wall: float) -> bool:
    if before is None or abs(wall - before.at) > _RENEWED_S:
        return True
    return abs(rtt_s - before.rtt_s) > _NOTICEABLE * before.rtt_s


def _renewed(before: Path | None, rtt_s: float, pop: str, wall: float) -> Path:
    if before is None:
        return Path(rtt_s, wall, pop)
    return Path(rtt_s, wall, pop or before.pop, min(before.times + 1, _MOST_TIMES))


def _bounded(networks: Networks, wall: float) -> Networks:
    """The newest places of the networks that were in use last."""
    believed = {name: fresh(networks, name, wall) for name in networks}
    latest = heapq.nlargest(
        _NETWORKS, ((max(p.at for p in paths.values()), n) for n, paths in believed.items() if paths)
    )
    places = ((path.at, name, place) for _, name in latest for place, path in believed[name].items())
    kept: dict[str, dict[str, Path]] = {}
    for _, name, place in heapq.nlargest(_PLACES, places):
        kept.setdefault(name, {})[place] = believed[name][place]
    return kept


def _is_fresh(path: Path, wall: float) -> bool:
    return -_FUTURE_S <= wall - path.at <= KEPT_S


def _path(place: str, said: Any) -> Path | None:
    """One entry, checked; None when it cannot be believed."""
    entry = _table(said)
    rtt_s, at = _number(entry.get("rtt_ms")) / 1e3, _number(entry.get("at"))
    if not (_is_place(place) and is_possible(rtt_s) and math.isfinite(at)):
        return None
    pop, times = entry.get("pop"), entry.get("times")
    good_pop = pop if isinstance(pop, str) and len(pop) <= _LONGEST_CODE and pop.isprintable() else ""
    return Path(rtt_s, at, good_pop, times if isinstance(times, int) and 0 < times <= _MOST_TIMES else 1)


def _table(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {}


def _number(said: Any) -> float:
    """A sensible number as it is; NaN for all else."""
    is_number = isinstance(said, (int, float)) and not isinstance(said, bool)
    return float(said) if is_number and abs(said) < 1e15 else math.nan


def _is_place(text: str) -> bool:
    return text.isprintable() and len(text.encode()) <= _LONGEST_NAME


def _is_here(host: str) -> bool:
    """True for this machine: a loopback address, or the names that RFC 6761 keeps for it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
