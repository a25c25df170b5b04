"""When a model's name ends at a provider, and what its provider recommends instead. Pure; the day is an argument.

The dates are data (`lifecycle` in `data/families.json`, each with its sources). An end is news for a reader: no name is
ever swapped here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache
from typing import Any

from . import families
from .catalogue import bare

SOON_DAYS = 30  # an end that is at most so far away is worth a warning
_EPOCH = date(1970, 1, 1).toordinal()


class Stage(Enum):
    """Where in its life a name is."""

    LIVE = "live"
    ENDING = "ending"  # an end is announced and not reached
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class End:
    """The announced end of a name at one provider. From this day on the name is retired."""

    provider: str
    day: date
    replacement: str | None  # what the provider, or the source, recommends
    sources: tuple[str, ...]
    shared: bool = False  # others serve the same name: counts only where the provider is known


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The state of a name on a day. `end` is None exactly when no end is known."""

    stage: Stage
    end: End | None = None
    days_left: int | None = None  # until the end; 0 or less when it is over
    is_news: bool = False  # worth telling: it is over, or will be in 30 days at most

    @property
    def soon(self) -> bool:
        """True when it is still served, but for 30 days at most."""
        return self.stage is Stage.ENDING and self.is_news


LIVE = Lifecycle(Stage.LIVE)


def state_of(model: str, provider: str, today: date) -> Lifecycle:
    """The state of a name at a provider. `provider` "": wherever it is served, so the latest of the known ends counts."""
    return at(ends_of(model, provider), today)


def ends_of(model: str, provider: str = "") -> tuple[End, ...]:
    """The known ends of a name, the earliest first: of one provider, or of all of which the name alone tells the provider."""
    known = _ends()
    whole = model.strip().lower()
    found = known.get(whole) or known.get(bare(whole), ())
    return tuple(end for end in found if (end.provider == provider if provider else not end.shared))


def at(ends: Iterable[End], today: date) -> Lifecycle:
    """What these ends of one name, at several providers perhaps, mean on a day: the latest counts."""
    last = max(ends, key=lambda end: end.day, default=None)
    if last is None:
        return LIVE
    left = (last.day - today).days
    return Lifecycle(Stage.ENDING if left > 0 else Stage.RETIRED, last, left, left <= SOON_DAYS)


def day_of(wall_s: float) -> date:
    """The day, in UTC, of a time in seconds since 1970."""
    return date.fromordinal(_EPOCH + int(wall_s // 86400))


def told_by(answer: bytes, provider: str) -> dict[str, End]:
    """The ends that an answer of OpenAI's `GET /models` or `GET /models/{id}` tells (`shutdown_date`). Never raises.

    It tells no replacements: those that are known for the same name stay.
    """
    if b'"shutdown_date"' not in answer:
        return {}
    try:
        said: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    listed = said.get("data", [said]) if isinstance(said, dict) else []
    models = listed if isinstance(listed, list) else []
    named = [m for m in models if isinstance(m, dict) and isinstance(m.get("id"), str)]
    return {m["id"]: _told(m["id"], provider, day) for m in named if (day := _day(m)) is not None}


def _told(model: str, provider: str, day: date) -> End:
    known = ends_of(model, provider)
    return End(provider, day, known[-1].replacement if known else None, (f"GET /models of {provider}",))


def _day(model: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(model["shutdown_date"][:10])
    except (KeyError, TypeError, ValueError):  # not announced, or in a form that is not known
        return None


@cache
def _ends() -> Mapping[str, tuple[End, ...]]:
    """By the lower-case name (where prefixes do not matter: whole and bare); of one name the earliest end first."""
    found: dict[str, set[End]] = {}
    for entry in families.read()["lifecycle"]:
        day, sources = date.fromisoformat(entry["date"]), tuple(entry["sources"])
        end = End(entry["provider"], day, entry["replacement"], sources, entry.get("shared", False))
        for name in map(str.lower, entry["models"]):
            for spelling in (name, bare(name)) if entry.get("prefixed") else (name,):
                found.setdefault(spelling, set()).add(end)
    return {name: tuple(sorted(ends, key=lambda end: end.day)) for name, ends in found.items()}
