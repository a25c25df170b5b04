"""`edgeclient probe`: where the endpoints are, measured now, and which PoP answers. Opens connections, starts threads.

It sends no key and no paid call: connects, and one GET to each endpoint's `probe` path.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..errors import SettingsError
from ..http import sockets
from ..pops.identity import Pop
from ..pops.prober import Prober, RttSource
from ..routing import presets
from ..settings import load
from ..values import Endpoint


@dataclass
class Measured:
    """The samples of one endpoint, in milliseconds."""

    endpoint: Endpoint
    rtts_ms: list[float] = field(default_factory=list)
    pop: Pop | None = None

    def as_dict(self) -> dict[str, object]:
        """Plain values; times are None when it could not be reached."""
        reached = bool(self.rtts_ms)
        return {
            "name": self.endpoint.name,
            "url": self.endpoint.shown(),
            "rtt_ms": round(min(self.rtts_ms), 3) if reached else None,
            "median_ms": round(statistics.median(self.rtts_ms), 3) if reached else None,
            "samples": len(self.rtts_ms),
            "pop": self.pop.code if self.pop is not None else "",
            "city": self.pop.city if self.pop is not None else "",
        }


def run(urls: Sequence[str], rounds: int, *, as_json: bool) -> int:
    """Measure and print, nearest first; the exit status: 1 when nothing could be reached. Raises SettingsError."""
    endpoints, source = _asked_for(urls)
    found = {endpoint.name: Measured(endpoint) for endpoint in endpoints}
    prober = Prober(source, sockets.kernel_rtt)
    for _ in range(rounds):
        prober.run(endpoints, lambda endpoint, rtts_s, _: found[endpoint.name].rtts_ms.extend(s * 1e3 for s in rtts_s))
    with ThreadPoolExecutor(len(endpoints)) as pool:
        for one, pop in zip(found.values(), pool.map(prober.identify, endpoints), strict=True):
            one.pop = pop
    rows = sorted((one.as_dict() for one in found.values()), key=lambda row: (row["rtt_ms"] is None, row["rtt_ms"]))
    print(json.dumps({"rtt_source": source, "endpoints": rows}, indent=1) if as_json else _table(rows))
    return 0 if any(row["samples"] for row in rows) else 1


def _asked_for(urls: Sequence[str]) -> tuple[tuple[Endpoint, ...], RttSource]:
    """The given URLs, or the endpoints of the settings, and how the settings measure."""
    given = {"endpoints": list(dict.fromkeys(urls)), "key": "none", "allow_regions": []} if urls else {}
    settings, endpoints = load(given, presets.expand)
    if not endpoints:
        raise SettingsError(
            "no endpoints are set; give their URLs (edgeclient probe https://fra.example.com/v1 ...), or set them in "
            "EDGECLIENT_ENDPOINTS or edgeclient.toml"
        )
    return endpoints, settings.rtt_source


def _table(rows: Sequence[dict[str, object]]) -> str:
    width = max(8, *(len(str(row["name"])) for row in rows))
    lines = [f"{'endpoint':{width}}  {'RTT ms':>9}  {'median ms':>9}  samples  PoP"]
    for row in rows:
        if row["rtt_ms"] is None:
            lines.append(f"{row['name']:{width}}  could not be reached")
        else:
            times = f"{row['rtt_ms']:9.2f}  {row['median_ms']:9.2f}  {row['samples']:7}"
            lines.append(f"{row['name']:{width}}  {times}  {row['pop'] or '-'} {row['city']}".rstrip())
    return "\n".join(lines)
