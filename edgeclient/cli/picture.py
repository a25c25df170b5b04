"""From measurements to one SVG picture: who answered when and how fast, and the distribution, plain against edge. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from .figures import CACHE, Answer, answered_by, percentile

_WIDTH, _HEIGHT = 1200, 800
_LEFT, _RIGHT = 84.0, 1168.0
_DOTS = (150.0, 470.0)  # top and bottom of the upper panel
_CURVES = (566.0, 716.0)
_TICKS_MS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
_CACHE_COLOUR, _ORIGIN_COLOUR, _FAILED_COLOUR = "#2ca05a", "#8a93a0", "#e5484d"
_COLOURS = ("#3b82f6", "#f08c2e", "#9b6bdf", "#14a3a8", "#d9569c", "#b59a1d")
# The card brings its own ground, so that it can be read on any page; on dark screens it turns dark.
_STYLE = """
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:14px}
.card{fill:#ffffff;stroke:#d5dae1}.ink{fill:#1b2430}.soft{fill:#5c6875}.grid{stroke:#e6e9ee}.axis{stroke:#aab3be}
.plain{stroke:#8a93a0;fill:none;stroke-width:2.5}.edge{stroke:#3b82f6;fill:none;stroke-width:2.5}
.title{font-size:24px;font-weight:600}.head{font-size:15px;font-weight:600}
@media (prefers-color-scheme:dark){.card{fill:#12181f;stroke:#303944}.ink{fill:#e8edf3}.soft{fill:#9ca8b5}
.grid{stroke:#262e38}.axis{stroke:#55606d}}
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn. Without `plain` there is one curve, without `killed_at_s` no mark."""

    title: str
    subtitle: str
    edge: Sequence[Answer]
    plain: Sequence[Answer] = ()
    killed: str = ""
    killed_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Scale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw_svg(picture: Picture) -> str:
    """The picture as the text of an SVG file; it has a ground of its own and needs no fonts or scripts."""
    every = [*picture.edge, *picture.plain]
    low, high = _span_ms([a.took_s * 1e3 for a in every])
    colours = _colours(picture.edge)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" role="img">'
        ),
        f"<title>{escape(picture.title)}</title><style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="14"/>',
        _text(32, 48, picture.title, "ink title"),
        _text(32, 74, picture.subtitle, "soft"),
        *_legend(picture.edge, colours),
        *_timeline(picture, colours, low, high),
        *_distribution(picture, low, high),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _colours(answers: Iterable[Answer]) -> dict[str, str]:
    """A colour for each who answered: the cache's and the origin's own, the others in the order of their share."""
    names = list(answered_by(answers))
    others = [name for name in names if name not in (CACHE, "origin")]
    found = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(others)}
    return {CACHE: _CACHE_COLOUR, "origin": _ORIGIN_COLOUR, **found}


def _span_ms(times: Sequence[float]) -> tuple[float, float]:
    """The ends of the axis of times, in log10 of ms: round values around all of them."""
    low, high = max(0.1, min(times, default=1.0)), max(times, default=1000.0)
    below = [tick for tick in _TICKS_MS if tick <= low] or [_TICKS_MS[0]]
    above = [tick for tick in _TICKS_MS if tick >= high * 1.05] or [high * 2]
    return math.log10(below[-1]), math.log10(max(above[0], below[-1] * 10))


def _log_ms(answer: Answer) -> float:
    return math.log10(max(0.1, answer.took_s * 1e3))


def _legend(answers: Sequence[Answer], colours: dict[str, str]) -> list[str]:
    """A row of who answered how many; its text is laid out by the length of its words."""
    items = [(name or "unknown", f"{n}", colours.get(name, _ORIGIN_COLOUR)) for name, n in answered_by(answers).items()]
    out, x = [_text(32, 118, "Answered by", "ink head")], 158.0
    for name, count, colour in items:
        out.append(f'<circle cx="{x:.0f}" cy="113" r="6" fill="{colour}"/>')
        out.append(_text(x + 12, 118, f"{name} {count}", "ink"))
        x += 36 + 8.5 * len(f"{name} {count}")
    moved = sum(_moved(a) for a in answers)
    if moved:
        out.append(f'<circle cx="{x:.0f}" cy="113" r="6" fill="none" stroke="{_FAILED_COLOUR}" stroke-width="2"/>')
        out.append(_text(x + 12, 118, f"moved on to the next PoP {moved}", "ink"))
        x += 36 + 8.5 * len(f"moved on to the next PoP {moved}")
    failed = sum(bool(a.error) for a in answers)
    if failed:
        out.append(_cross(x, 113))
        out.append(_text(x + 12, 118, f"failed {failed}", "ink"))
    return out


def _timeline(picture: Picture, colours: dict[str, str], low: float, high: float) -> list[str]:
    """The upper panel: a dot for each call, when it was asked and how long its whole answer took."""
    top, bottom = _DOTS
    longest = max((a.began_s for a in picture.edge), default=1.0)
    across = _Scale(0.0, max(1.0, longest * 1.02), _LEFT, _RIGHT)
    down = _Scale(low, high, bottom, top)
    out = []
    for tick in _ticks(low, high):
        y = down(math.log10(tick))
        out.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>')
        out.append(_text(_LEFT - 10, y + 5, _ms(tick), "soft", "end"))
    step = next((s for s in (1, 2, 5, 10, 20, 60, 300) if across.high / s <= 16), 1800)
    for second in range(0, int(across.high) + 1, step):
        out.append(_text(across(second), bottom + 22, f"{second} s", "soft", "middle"))
    out.append(f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{_RIGHT}" y2="{bottom}"/>')
    if picture.killed_at_s is not None:
        out += _kill(across(min(picture.killed_at_s, across.high)), picture.killed, picture.killed_at_s)
    out += [_dot(a, across(a.began_s), down(_log_ms(a)), colours) for a in picture.edge]
    out.append(_text(_LEFT, bottom + 44, "when it was asked, and how long the whole answer took (logarithmic)", "soft"))
    return out


def _dot(answer: Answer, x: float, y: float, colours: dict[str, str]) -> str:
    if answer.error:
        return _cross(x, y)
    colour = colours.get(answer.by, _ORIGIN_COLOUR)
    ring = f' stroke="{_FAILED_COLOUR}" stroke-width="2"' if _moved(answer) else ' fill-opacity="0.8"'
    radius = 6 if _moved(answer) else 4.5
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"{ring}/>'


def _moved(answer: Answer) -> bool:
    """True when more than one endpoint was asked: after a failed attempt, or after a stream that was cut."""
    return answer.attempts > 1 or answer.cut > 0


def _cross(x: float, y: float) -> str:
    mark = f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10"
    return f'<path d="{mark}" stroke="{_FAILED_COLOUR}" stroke-width="2.5" fill="none"/>'


def _kill(x: float, name: str, at_s: float) -> list[str]:
    """The moment of the kill; its label stands above the panel, where no dot can be."""
    top, bottom = _DOTS
    side = "end" if x > (_LEFT + _RIGHT) / 2 + 200 else "start"
    shift = -8 if side == "end" else 8
    return [
        (
            f'<line x1="{x:.1f}" y1="{top - 14}" x2="{x:.1f}" y2="{bottom}" stroke="{_FAILED_COLOUR}" stroke-width="2" '
            'stroke-dasharray="6 4"/>'
        ),
        (
            f'<text x="{x + shift:.1f}" y="{top - 5}" text-anchor="{side}" fill="{_FAILED_COLOUR}" '
            f'font-weight="600">{escape(name)} killed at {at_s:.1f} s</text>'
        ),
    ]


def _distribution(picture: Picture, low: float, high: float) -> list[str]:
    """The lower panel: the share of calls that were answered within a time."""
    top, bottom = _CURVES
    across, down = _Scale(low, high, _LEFT, _RIGHT), _Scale(0.0, 1.0, bottom, top)
    out = []
    for share in (0.0, 0.5, 1.0):
        y = down(share)
        out.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>')
        out.append(_text(_LEFT - 10, y + 5, f"{share:.0%}", "soft", "end"))
    for tick in _ticks(low, high):
        x = across(math.log10(tick))
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
        out.append(_text(x, bottom + 22, _ms(tick), "soft", "middle"))
    curves = [("plain", "plain SDK, far origin", picture.plain), ("edge", "edgeclient", picture.edge)]
    x = _LEFT
    for kind, name, answers in curves:
        times = sorted(a.took_s * 1e3 for a in answers if not a.error)
        if not times:
            continue
        p50, p95 = (_ms(percentile(times, share)) for share in (0.50, 0.95))
        label = f"{name}: mean {_ms(sum(times) / len(times))}, p50 {p50}, p95 {p95}"
        out.append(f'<line class="{kind}" x1="{x}" y1="{top - 21}" x2="{x + 28}" y2="{top - 21}"/>')
        out.append(_text(x + 38, top - 16, label, "ink head"))
        x += 90 + 8.6 * len(label)
        out.append(f'<path class="{kind}" d="{_steps(times, across, down)}"/>')
    out.append(_text(_LEFT, bottom + 44, "share of calls whose whole answer had come within this time", "soft"))
    return out


def _steps(times: Sequence[float], across: _Scale, down: _Scale) -> str:
    """An empirical distribution as a path of steps, from the left edge to the right."""
    path = [f"M{across.start:.1f} {down(0.0):.1f}"]
    for number, took in enumerate(times, 1):
        path.append(f"H{across(math.log10(max(0.1, took))):.1f}V{down(number / len(times)):.1f}")
    return "".join(path) + f"H{across.end:.1f}"


def _ticks(low: float, high: float) -> list[float]:
    return [tick for tick in _TICKS_MS if low - 1e-9 <= math.log10(tick) <= high + 1e-9]


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value / 1000:.3g} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
