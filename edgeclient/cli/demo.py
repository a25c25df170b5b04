"""The demonstration: customers' questions through both SDKs over an emulated edge, whose nearest PoP dies half-way.

Starts the lab's processes, makes calls to it, and writes one picture. Nothing leaves the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai

from edgeclient.edge import Edge, Status
from edgeclient.lab import Lab, LabError, best_mode
from edgeclient.settings import Endpoint

from . import second_act, third_act
from .asking import WORKERS, Round
from .figures import Answer, Side, answered_by, comparison, side
from .picture import Picture, draw_svg
from .questions import Ask, draw, questions
from .show import Show, View

POPS = {
    "syd": 250.0,
    "bom": 130.0,
    "iad": 90.0,
    "fra": 8.0,
}  # ms; the nearest stands last, so that only measuring finds it
ORIGIN_MS = 150.0
FIRST_TOKEN_MS = (60.0, 120.0)  # median, 99th percentile
TOKENS_PER_S = 1500.0
MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-sonnet-4-6"}
SECOND_ACT = 6  # questions
THIRD_ACT = 400
PER_S = 26.0  # questions asked each second, of either side
_KEY = "demo-key"  # the lab takes any
_CREDIT = "Questions: BANKING77, PolyAI, CC BY 4.0."
_REMARK = (
    "Both sides were asked the same questions at the same pace by as many threads and tasks, one side after the other; "
    "both began without a connection. Nothing was killed for the plain SDKs. An answer by the model comes from the same "
    "far origin on both sides: there the edge saves connection set-up, not the distance."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said about the demonstration."""

    mode: str = "auto"
    questions: int = 300
    seed: int = 1
    out: Path = Path("edgeclient-demo.svg")


@dataclass(slots=True)
class Story:
    """What happened on the way, for the display and the picture."""

    killed: str = ""
    killed_at_s: float | None = None
    successor: str = ""
    news: str = ""


def run(options: Options, show: Show) -> int:
    """The whole demonstration; 0 when no call failed, else 1. Raises LabError when the lab cannot be built."""
    mode = best_mode()[0] if options.mode == "auto" else options.mode
    began = time.monotonic()
    lab = Lab(
        POPS,
        origin_ms=ORIGIN_MS,
        mode=mode,
        first_token_ms=FIRST_TOKEN_MS,
        tokens_per_s=TOKENS_PER_S,
        seed=options.seed,
    )
    with show, lab:
        asks = draw(questions(), options.questions, seed=options.seed, per_s=PER_S)
        _introduce(lab, asks, show)
        plain_answers, plain = _plain(lab, asks, show)
        edge_answers, edge, status, story = _edge(lab, asks, show)
        picture = Picture(
            title=_title(edge, story),
            subtitle=f"Emulated PoPs, delays and answers ({mode} mode); real SDKs, connections and kill. {_CREDIT}",
            plain=plain_answers,
            edge=edge_answers,
            killed=story.killed,
            killed_at_s=story.killed_at_s,
        )
        options.out.write_text(draw_svg(picture), "utf-8")
        ways = _second_act(mode, asks, options.out, show)
        alike = _third_act(options.seed, show)
        facts = {
            "mode": mode,
            "emulated": lab.describe(),
            "seed": options.seed,
            "plain": plain,
            "edge": edge,
            "answered_by": answered_by(edge_answers),
            "failovers": status.counts.get("failovers", 0),
            "killed": story.killed,
            "killed_at_s": story.killed_at_s,
            "second_act": {way.name: round(way.ms, 1) for way in ways},
            "third_act": {"asked": alike.asked, **alike.by, "wrong": [list(pair) for pair in alike.wrong]},
            "picture": str(options.out),
            "errors": sorted({a.error for a in (*plain_answers, *edge_answers) if a.error}),
            "took_s": round(time.monotonic() - began, 1),
        }
        show.end(comparison(plain, edge), status, facts, _REMARK)
    return 1 if plain.failed or edge.failed else 0


def _introduce(lab: Lab, asks: Sequence[Ask], show: Show) -> None:
    """Says what is emulated and what is real, and what will be asked."""
    show.say(f"Emulated: the network and the model's answers. {lab.describe()}")
    kernel = ", TLS, the kernel's measured round trips." if lab.mode == "tun" else "."
    show.say(f"Real: the openai and anthropic SDKs, HTTP and its connections, the cache, the kill of a process{kernel}")
    again = sum(ask.repeated for ask in asks) / len(asks)
    show.say(
        f"{len(asks)} questions that customers asked a bank, {again:.0%} of them asked before, by {WORKERS} threads and "
        f"{WORKERS} asyncio tasks at once, {PER_S:g} a second, through {' and '.join(MODELS)}, plain and streamed. {_CREDIT}"
    )


def _plain(lab: Lab, asks: Sequence[Ask], show: Show) -> tuple[tuple[Answer, ...], Side]:
    """The same questions by plain SDK clients, straight to the far origin."""
    before = lab.requests()["origin"]
    with Round(asks, _maker(lab, {"openai": openai, "anthropic": anthropic}, None), MODELS) as plain:
        while True:
            done = plain.wait(0.1)
            show.update(View("plain SDKs, far origin", len(asks), plain.answers(), None, "for comparison: no edge yet"))
            if done:
                break
    return plain.answers(), side(plain.answers(), lab.requests()["origin"] - before)


def _edge(lab: Lab, asks: Sequence[Ask], show: Show) -> tuple[tuple[Answer, ...], Side, Status, Story]:
    """All questions by clients of one edge; half-way the nearest PoP is killed."""
    before, story = lab.requests()["origin"], Story()
    with _edge_of(lab) as edge:
        measured = edge.probe()
        rtts_ms = {e.name: e.rtt_ms for e in measured if e.rtt_ms is not None}
        if not rtts_ms:
            raise LabError("no PoP of the lab could be reached; is a firewall in the way? Try --mode loopback")
        nearest = min(rtts_ms, key=rtts_ms.__getitem__)
        story.news = f"measured: {nearest} is the nearest, {rtts_ms[nearest]:.1f} ms"
        show.say("Measured before the first call: " + ", ".join(f"{n} {ms:.1f} ms" for n, ms in rtts_ms.items()))
        with Round(asks, _maker(lab, {"openai": edge, "anthropic": edge}, edge), MODELS) as asking:
            while True:
                done = asking.wait(0.1)
                answers = asking.answers()
                _kill_half_way(lab, nearest, asking, answers, story, show)
                show.update(View("edgeclient", len(asks), answers, edge.status(), story.news))
                if done:
                    break
        status = edge.status()
    answers = asking.answers()
    return answers, side(answers, lab.requests()["origin"] - before), status, story


def _second_act(mode: str, asks: Sequence[Ask], out: Path, show: Show) -> list[second_act.Way]:
    """Edge inference beside edge routing: a table, and a picture beside the first one."""
    show.say("-- and the idea behind it: the same questions in four ways, the median of whole answers")
    ways = second_act.run(mode, list(dict.fromkeys(ask.text for ask in asks))[:SECOND_ACT])
    for line in second_act.lines(ways):
        show.say(line)
    picture = out.with_name(f"{out.stem}-routes.svg")
    picture.write_text(second_act.draw(ways), "utf-8")
    show.say(f"drawn in {picture}")
    return ways


def _third_act(seed: int, show: Show) -> third_act.Outcome:
    """The semantic cache: how many of the questions it answered, and every mistake."""
    show.say(
        f"-- and the semantic cache: {THIRD_ACT} questions in many wordings, some of which differ in one word that matters; "
        "an emulated model that knows the answers"
    )
    found = third_act.run(THIRD_ACT, seed)
    for line in third_act.lines(found):
        show.say(line)
    return found


def _kill_half_way(
    lab: Lab, nearest: str, asking: Round, answers: tuple[Answer, ...], story: Story, show: Show
) -> None:
    if not story.killed and len(answers) >= len(asking.asks) / 2:
        story.killed = nearest
        lab.kill(nearest)
        story.killed_at_s = asking.now()
        story.news = f"killed {nearest} (SIGKILL), {story.killed_at_s:.1f} s after the first question"
        show.say(f"-- {story.news}")
    elif story.killed and not story.successor:
        later = [
            a
            for a in answers
            if a.began_s + a.took_s > (story.killed_at_s or 0.0) and a.by not in ("cache", nearest, "")
        ]
        if later:
            story.successor = later[0].by
            story.news = f"{nearest} is dead; {story.successor} answers in its place"
            show.say(f"-- {story.news}")


def _edge_of(lab: Lab) -> Edge:
    """One edge over the lab's PoPs; the lab's far origin is the clients' own origin, and the last resort."""
    endpoints = [
        Endpoint(url, name=name, anthropic=lab.anthropic_urls[name], key="passthrough", probe="/cdn-cgi/trace")
        for name, url in lab.urls.items()
    ]
    return Edge(
        endpoints=endpoints,
        cache="exact",
        origin="last",
        origins=[lab.origin_url, lab.origin_anthropic_url],
        remember=False,  # what it shows begins with nothing known
        # on loopback the delay is in the answer, not in the packets: the kernel sees none of it
        rtt_source="auto" if lab.mode == "tun" else "http",
    )


def _maker(lab: Lab, classes: dict[str, Any], edge: Edge | None) -> Callable[[str], Any]:
    """Makes clients that are on the lab's origin and trust its CA; `edge` keeps their connections alive."""
    context = lab.ssl_context()
    where = {"openai": (openai, lab.origin_url), "anthropic": (anthropic, lab.origin_anthropic_url)}

    def make(name: str) -> Any:
        sdk = "openai" if name.endswith("OpenAI") else "anthropic"
        module: Any
        module, url = where[sdk]
        kind = module.DefaultAsyncHttpxClient if name.startswith("Async") else module.DefaultHttpxClient
        http_client = kind(verify=context or False, trust_env=False)  # the family that this SDK runs on
        if edge is not None:
            edge.keep_alive(http_client)
        return getattr(classes[sdk], name)(base_url=url, api_key=_KEY, http_client=http_client)

    return make


def _title(edge: Side, story: Story) -> str:
    failed = "no call failed" if not edge.failed else f"{edge.failed} calls failed"
    return f"{edge.calls} calls, the nearest PoP ({story.killed}) killed half-way: {failed}"
