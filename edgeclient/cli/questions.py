"""The customers' questions that ship with the library, and the seeded draw of what is asked, when and how.

Pure, but for reading one file of the package.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

SDKS = ("openai", "anthropic")
_ZIPF = 0.45  # among 250 questions, 300 draws by this law hold a little less than one half repeats
_STREAMED = 0.4


@dataclass(frozen=True, slots=True)
class Ask:
    """One question as it will be asked: when, through which SDK, streamed or whole."""

    number: int
    at_s: float  # after the start of the run
    sdk: str
    text: str
    streamed: bool
    repeated: bool  # the same question was put to the same model before


def questions() -> list[str]:
    """The questions of BANKING77 (PolyAI, CC BY 4.0) that ship with the library."""
    found = json.loads((files(__package__) / "data" / "questions.json").read_text("utf-8"))["questions"]
    return [str(text) for text in found]


def draw(texts: Sequence[str], count: int, *, seed: int, per_s: float, sdks: Sequence[str] = SDKS) -> tuple[Ask, ...]:
    """`count` questions, some far more often than others (Zipf), `per_s` of them a second. Same seed, same questions."""
    rng = random.Random(seed)
    order = rng.sample(list(texts), len(texts))
    weights = [1 / (place + 1) ** _ZIPF for place in range(len(order))]
    asks: list[Ask] = []
    seen: set[int] = set()
    for number, place in enumerate(rng.choices(range(len(order)), weights, k=count)):
        at_s = (number + rng.random()) / per_s
        sdk = sdks[place % len(sdks)]
        asks.append(Ask(number, at_s, sdk, order[place], rng.random() < _STREAMED, place in seen))
        seen.add(place)
    return tuple(asks)
