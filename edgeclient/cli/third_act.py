"""The demonstration's third act: the semantic cache on paraphrased questions, with its budget of errors and its mistakes.

Asks an emulated model on loopback (topics.py). Which answer is right is known, so that every mistake is shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import openai

from edgeclient.edge import Edge
from edgeclient.noting import notes
from edgeclient.settings import Cache, Endpoint

from . import topics

MAX_WRONG = 0.01
_MODEL = "gpt-6-luna"
_WAYS = {
    "model": "asked the model",
    "exact": "the same text again",
    "equal": "equal but for case, courtesy, punctuation",
    "semantic": "alike, within the budget",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many questions were answered how; `wrong`: (question, answer) that were answered wrongly by the cache."""

    asked: int
    by: Counter[str]  # all of model | exact | equal | semantic
    examples: tuple[str, ...]  # questions that were answered by likeness, and rightly
    wrong: tuple[tuple[str, str], ...]


def run(count: int, seed: int) -> Outcome:
    """Ask so many questions, one after the other, of an edge that serves from the first one on."""
    asks = topics.draw(count, seed=seed)
    by = Counter(dict.fromkeys(_WAYS, 0))
    right, wrong = [], []
    with topics.model(asks) as (url, _):
        endpoint = Endpoint(url, name="model", key="passthrough")
        cache = Cache("semantic", semantic="serve", max_wrong_rate=MAX_WRONG)
        edge = Edge(endpoints=[endpoint], cache=cache, origins=[url], probe=False, remember=False)
        http_client = openai.DefaultHttpxClient(trust_env=False)
        with edge, edge.OpenAI(base_url=url, api_key="demo-key", http_client=http_client) as client:
            for ask in asks:
                answer: Any = client.chat.completions.create(
                    model=_MODEL, messages=[{"role": "user", "content": ask.text}]
                )
                said, text = notes(answer), answer.choices[0].message.content
                match = said.match if said is not None else None
                how = match.tier if match is not None else "exact" if said and said.cache == "hit" else "model"
                by[how] += 1
                if text != ask.answer:
                    wrong.append((ask.text, text))
                elif how == "semantic":
                    right.append(ask.text)
    return Outcome(len(asks), by, tuple(dict.fromkeys(right)), tuple(wrong))


def lines(found: Outcome) -> list[str]:
    """The table, and every mistake."""
    rows = [f"{what:42} {found.by[how]:5d}   {found.by[how] / found.asked:4.0%}" for how, what in _WAYS.items()]
    rows += [f"  alike, and right: {question}" for question in found.examples[:3]]
    share = len(found.wrong) / found.asked
    rows.append(f"answered wrongly: {len(found.wrong)} of {found.asked} ({share:.2%}; the budget was {MAX_WRONG:.1%})")
    return rows + [f"  wrong: {question} -> {answer}" for question, answer in found.wrong]
