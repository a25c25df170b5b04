"""The demonstration's second act: the same questions to a small model at the PoP, through the PoP, and to the far origin.

Starts a lab of its own: one PoP that runs a small model, a foundation model far away. Nothing leaves the machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import openai

from edgeclient.edge import Edge
from edgeclient.lab import AtPops, Lab
from edgeclient.noting import notes
from edgeclient.settings import Endpoint

POP_MS, ORIGIN_MS = 20.0, 300.0
SMALL, FOUNDATION = "llama-3.2-3b-instruct", "gpt-6-luna"
_MODEL: dict[str, Any] = {"first_token_ms": (200.0, 400.0), "tokens_per_s": 800.0}
_WIDTH, _ROW, _LEFT = 760, 44, 330


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask, and the median time of a whole answer."""

    name: str
    what: str
    ms: float


def run(mode: str, questions: Sequence[str]) -> list[Way]:
    """Ask them all in each way, one after the other. Raises LabError when the lab cannot be built."""
    here = AtPops([SMALL], first_token_ms=(80.0, 120.0))
    with Lab({"fra": POP_MS}, origin_ms=ORIGIN_MS, at_pops=here, mode=mode, **_MODEL) as lab:
        endpoint = Endpoint(lab.urls["fra"], name="fra", key="passthrough", probe="/cdn-cgi/trace")
        edge = Edge(endpoints=[endpoint], cache="exact", origins=[lab.origin_url], remember=False)
        with _client(lab, openai, None) as plain, _client(lab, edge, edge) as client:
            direct = _ask(plain, FOUNDATION, questions)
            inference = _ask(client, SMALL, questions)
            miss = _ask(client, FOUNDATION, questions)
            hit = _ask(client, FOUNDATION, questions)
    return [
        Way("edge inference", f"a small model at the PoP, {POP_MS:g} ms away", inference),
        Way("edge routing, miss", f"a foundation model {ORIGIN_MS:g} ms away, through the PoP", miss),
        Way("edge routing, hit", "the same question again, from the client's cache", hit),
        Way("direct", "a foundation model by the plain SDK, no edge", direct),
    ]


def lines(ways: Sequence[Way]) -> list[str]:
    """The table."""
    return [f"{way.name:20} {way.ms:8.1f} ms   {way.what}" for way in ways]


def draw(ways: Sequence[Way]) -> str:
    """The same as a picture: the text of an SVG file."""
    slowest, height = max(way.ms for way in ways), 70 + _ROW * len(ways)
    rows = []
    for number, way in enumerate(ways):
        y, length = 62 + number * _ROW, max(2.0, (_WIDTH - _LEFT - 110) * way.ms / slowest)
        rows.append(
            f'<text x="20" y="{y}" class="ink">{escape(way.name)}</text>'
            f'<text x="20" y="{y + 16}" class="soft">{escape(way.what)}</text>'
            f'<rect x="{_LEFT}" y="{y - 13}" width="{length:.1f}" height="20" rx="3" class="bar"/>'
            f'<text x="{_LEFT + length + 8:.1f}" y="{y + 2}" class="ink">{way.ms:.1f} ms</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">'
        f'<style>{_STYLE}</style><rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>'
        '<text x="20" y="32" class="head">Median time of a whole answer (emulated network and models)</text>'
        f"{''.join(rows)}</svg>\n"
    )


_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:14px}.card{fill:#fff;stroke:#d5dae1}.ink{fill:#1b2430}"
    ".soft{fill:#5c6875;font-size:11px}.head{fill:#1b2430;font-size:16px;font-weight:600}.bar{fill:#3b82f6}"
    "@media (prefers-color-scheme:dark){.card{fill:#12181f;stroke:#303944}.ink,.head{fill:#e8edf3}.soft{fill:#9ca8b5}}"
)


def _ask(client: Any, model: str, questions: Sequence[str]) -> float:
    """The median in milliseconds, the first question apart: it opens the connection."""
    times = []
    for question in questions:
        began = time.perf_counter()
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}], max_tokens=40
        )
        times.append((time.perf_counter() - began) * 1e3)
        said = notes(answer)
        assert said is None or said.cache in ("hit", "miss")
    return statistics.median(times[1:])


def _client(lab: Lab, owner: Any, edge: Edge | None) -> Any:
    http_client = openai.DefaultHttpxClient(verify=lab.ssl_context() or False, trust_env=False)
    if edge is not None:
        edge.keep_alive(http_client)
    return owner.OpenAI(base_url=lab.origin_url, api_key="demo-key", http_client=http_client)
