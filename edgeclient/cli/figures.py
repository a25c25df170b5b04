"""What was measured of each call, and the figures made of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .questions import Ask

CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question and how it went. Seconds; `began_s` counts from the start of the run."""

    ask: Ask
    began_s: float
    took_s: float  # to the whole answer
    first_s: float | None = None  # of a stream: to its first words
    by: str = ""  # who answered: an endpoint's name, or "cache"; "" for a plain client
    attempts: int = 1
    cut: int = 0  # streams that broke half-way and were asked again by the application
    tokens: int = 0
    error: str = ""  # why there is no answer


@dataclass(frozen=True, slots=True)
class Side:
    """The figures of one side of the comparison. Times in milliseconds; None where nothing was measured."""

    calls: int
    failed: int
    cut: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    first_p50_ms: float | None
    first_p95_ms: float | None
    model_p50_ms: float | None
    hit_p50_ms: float | None
    hits: int
    at_origin: int  # requests that the model was asked for

    @property
    def hit_share(self) -> float:
        return self.hits / self.calls if self.calls else 0.0

    @property
    def asked_per_100(self) -> float:
        """Requests that reached the origin for each 100 calls."""
        return 100 * self.at_origin / self.calls if self.calls else 0.0


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None of nothing."""
    ranked = sorted(values)
    return ranked[max(0, -int(-share * len(ranked) // 1) - 1)] if ranked else None


def side(answers: Sequence[Answer], at_origin: int) -> Side:
    """The figures of a run; failed calls are counted and not timed."""
    good = [a for a in answers if not a.error]
    whole = [a.took_s * 1e3 for a in good]
    first = [a.first_s * 1e3 for a in good if a.first_s is not None]
    hits = [a.took_s * 1e3 for a in good if a.by == CACHE]
    return Side(
        calls=len(answers),
        failed=len(answers) - len(good),
        cut=sum(a.cut for a in answers),
        mean_ms=sum(whole) / len(whole) if whole else None,
        p50_ms=percentile(whole, 0.50),
        p95_ms=percentile(whole, 0.95),
        first_p50_ms=percentile(first, 0.50),
        first_p95_ms=percentile(first, 0.95),
        model_p50_ms=percentile([a.took_s * 1e3 for a in good if a.by != CACHE], 0.50),
        hit_p50_ms=percentile(hits, 0.50),
        hits=len(hits),
        at_origin=at_origin,
    )


def answered_by(answers: Iterable[Answer]) -> dict[str, int]:
    """Who answered how many calls, most first; the cache comes first."""
    counted = Counter(a.by for a in answers if not a.error)
    return dict(sorted(counted.items(), key=lambda item: (item[0] != CACHE, -item[1], item[0])))


def comparison(plain: Side, edge: Side) -> list[tuple[str, str, str]]:
    """The rows of the final table: what, the plain SDK's figure, edgeclient's figure."""
    rows: list[tuple[str, str, str]] = [
        ("calls", str(plain.calls), str(edge.calls)),
        ("failed calls", str(plain.failed), str(edge.failed)),
        ("whole answer, mean", _ms(plain.mean_ms), _ms(edge.mean_ms)),
        ("whole answer, p50", _ms(plain.p50_ms), _ms(edge.p50_ms)),
        ("whole answer, p95", _ms(plain.p95_ms), _ms(edge.p95_ms)),
        ("  by the model, p50", _ms(plain.model_p50_ms), _ms(edge.model_p50_ms)),
        ("  by the cache, p50", _ms(plain.hit_p50_ms), _ms(edge.hit_p50_ms)),
        ("stream's first words, p50", _ms(plain.first_p50_ms), _ms(edge.first_p50_ms)),
        ("stream's first words, p95", _ms(plain.first_p95_ms), _ms(edge.first_p95_ms)),
        ("answered by the cache", f"{plain.hit_share:.0%}", f"{edge.hit_share:.0%}"),
        ("requests that reached the origin", str(plain.at_origin), str(edge.at_origin)),
        ("  for each 100 calls", f"{plain.asked_per_100:.0f}", f"{edge.asked_per_100:.0f}"),
    ]
    if plain.cut or edge.cut:
        rows.insert(2, ("  streams cut half-way, asked again", str(plain.cut), str(edge.cut)))
    return rows


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"
