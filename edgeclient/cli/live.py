"""The demonstration with the user's own settings and keys: an estimate, a question, then a few real calls.

Makes calls that cost money, after a yes. Nothing is killed and nothing compared.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeclient.edge import Edge
from edgeclient.errors import SettingsError

from .asking import MOST_TOKENS, Round, arguments
from .figures import answered_by, side
from .picture import Picture, draw_svg
from .questions import Ask, draw, questions
from .show import Show, View

_PER_S = 4.0
_WORKERS = 2
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_USUAL_TOKENS = 40  # of an answer in one or two short sentences


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said about live calls."""

    models: dict[str, str]
    questions: int = 20
    seed: int = 1
    out: Path = Path("edgeclient-demo.svg")
    yes: bool = False
    price_per_mtok: float | None = None

    @classmethod
    def read(cls, said: argparse.Namespace) -> Options:
        """The options out of the parsed command line."""
        models = {"openai": said.openai_model, "anthropic": said.anthropic_model}
        return cls(models, said.questions or 20, said.seed, said.out, said.yes, said.price_per_mtok)


def run(options: Options, show: Show) -> int:
    """Ask with the user's settings; 0 when no call failed, else 1. Raises SettingsError when there is nothing to ask with."""
    began = time.monotonic()
    with Edge() as edge:
        sdks = _usable(edge)
        asks = draw(questions(), options.questions, seed=options.seed, per_s=_PER_S, sdks=sdks)
        print("\n".join(estimate(asks, options)), file=sys.stderr, flush=True)
        if not options.yes and not _agreed():
            print("nothing was sent", file=sys.stderr)
            return 0
        with show:
            return _ask(edge, asks, options, show, began)


def _ask(edge: Edge, asks: Sequence[Ask], options: Options, show: Show, began: float) -> int:
    names = ", ".join(e.name for e in edge.status().endpoints) or "none"
    show.say(f"Real: everything. Endpoints: {names}; cache: {edge.settings.cache.mode}.")
    with Round(asks, _maker(edge), options.models, workers=_WORKERS) as asking:
        while True:
            done = asking.wait(0.1)
            show.update(View("edgeclient", len(asks), asking.answers(), edge.status(), ""))
            if done:
                break
    answers, status = asking.answers(), edge.status()
    figures = side(answers, status.counts.get("attempts", 0))
    failed = "no call failed" if not figures.failed else f"{figures.failed} failed"
    title = f"{figures.calls} live calls: {failed}"
    options.out.write_text(draw_svg(Picture(title, "With the user's own settings and keys.", edge=answers)), "utf-8")
    hits = f"{figures.hits} of {figures.calls} answered by the cache"
    facts = {
        "mode": "live",
        "seed": options.seed,
        "edge": figures,
        "answered_by": answered_by(answers),
        "failovers": status.counts.get("failovers", 0),
        "tokens": sum(a.tokens for a in answers if a.by != "cache"),
        "picture": str(options.out),
        "errors": sorted({a.error for a in answers if a.error}),
        "took_s": round(time.monotonic() - began, 1),
    }
    show.end((), status, facts, f"{title}; {hits}; {facts['tokens']} tokens were used, as the providers' answers say.")
    return 1 if figures.failed else 0


def _usable(edge: Edge) -> tuple[str, ...]:
    """The SDKs that a key is there for. Raises SettingsError without settings, and without keys."""
    if not edge.active:
        raise SettingsError(
            "--live uses your settings, and there are none: set EDGECLIENT_ENDPOINTS (and EDGECLIENT_KEY, "
            "EDGECLIENT_CACHE) or write an edgeclient.toml; without --live the demo needs none"
        )
    found = tuple(sdk for sdk, variable in _KEYS.items() if os.environ.get(variable))
    if not found:
        raise SettingsError("--live uses your keys, and there are none: set OPENAI_API_KEY, ANTHROPIC_API_KEY, or both")
    return found


def estimate(asks: Sequence[Ask], options: Options) -> list[str]:
    """What the calls will need, in words; a cost only out of the user's own price."""
    models = sorted({options.models[ask.sdk] for ask in asks})
    fresh = sum(not ask.repeated for ask in asks)
    asked = sum(_tokens(ask, options) for ask in asks)
    usual, most = asked + _USUAL_TOKENS * len(asks), asked + MOST_TOKENS * len(asks)
    lines = [
        (
            f"This sends up to {len(asks)} real calls to {' and '.join(models)} ({fresh} different questions), about {usual} "
            f"tokens in all, and {most} at most if no answer comes from the cache and none has to be asked again."
        )
    ]
    if options.price_per_mtok is None:
        lines.append("What that costs depends on your prices, which edgeclient does not know (--price-per-mtok).")
    else:
        cost, dear = (tokens * options.price_per_mtok / 1e6 for tokens in (usual, most))
        lines.append(
            f"At your price of {options.price_per_mtok:g} a million tokens: about {cost:.4f}, at most {dear:.4f}."
        )
    return lines


def _tokens(ask: Ask, options: Options) -> int:
    """The tokens of a question, near enough: a token for every three and a half characters of text."""
    said = arguments(ask, options.models[ask.sdk])
    text = str(said.get("system", "")) + "".join(str(message["content"]) for message in said["messages"])
    return math.ceil(len(text) / 3.5) + 8


def _agreed() -> bool:
    """Asks on the terminal. Raises SettingsError where nobody can answer."""
    if not sys.stdin.isatty():
        raise SettingsError("--live asks before it spends, and nobody can answer here; say --yes to go ahead")
    print("Go ahead? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _maker(edge: Edge) -> Callable[[str], Any]:
    def make(name: str) -> Any:
        return getattr(edge, name)()

    return make
