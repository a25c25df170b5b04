"""Right hits against wrong answers of several rules, the wrong ones on a log scale, as one SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 900, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 90.0, 860.0, 96.0, 490.0
_TICKS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_STYLE = """
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:14px}
.card{fill:#ffffff;stroke:#d5dae1}.ink{fill:#1b2430}.soft{fill:#5c6875}.grid{stroke:#e6e9ee}
.ours{fill:#2ca05a}.other{fill:#8a93a0}.title{font-size:22px;font-weight:600}
@media (prefers-color-scheme:dark){.card{fill:#12181f;stroke:#303944}.ink{fill:#e8edf3}.soft{fill:#9ca8b5}
.grid{stroke:#262e38}}
"""


def draw(points: Mapping[str, tuple[float, float]], subtitle: str) -> str:
    """`points`: the rule's name -> (right of possible, wrong of lookups), in shares. A rule that was never wrong stands at
    the lower edge."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>Right hits against wrong answers</title><style>{_STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="14"/>',
        _text(32, 42, "Right hits against wrong answers", "ink title"),
        _text(32, 66, f"{subtitle}. Best is to the right and low.", "soft"),
        *_grid(),
        *_dots(points),
        _text((_LEFT + _RIGHT) / 2, _HEIGHT - 22, "right hits of possible", "soft", "middle"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(right: float) -> float:
    return _LEFT + right * (_RIGHT - _LEFT)


def _y(wrong: float) -> float:
    low, high = math.log10(_TICKS[0]), math.log10(_TICKS[-1])
    share = (math.log10(min(max(wrong, _TICKS[0]), _TICKS[-1])) - low) / (high - low)
    return _BOTTOM - share * (_BOTTOM - _TOP)


def _grid() -> list[str]:
    found = [_text(32, _TOP - 12, "wrong answers of lookups", "soft")]
    for tick in _TICKS:
        found.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(tick):.1f}" y2="{_y(tick):.1f}"/>')
        found.append(_text(_LEFT - 10, _y(tick) + 5, f"{tick * 100:g} %", "soft", "end"))
    for tenth in range(0, 11, 2):
        found.append(_text(_x(tenth / 10), _BOTTOM + 22, f"{tenth * 10} %", "soft", "middle"))
    return found


def _dots(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Dots with their names beside them, moved down where another name is. Rules that do the same share a dot."""
    found, taken = [], list[tuple[float, float]]()
    names: dict[tuple[float, float], str] = {}
    for name, point in points.items():
        names[point] = f"{names[point]}, {name}" if point in names else name
    for (right, wrong), name in sorted(names.items()):
        x, y = _x(right), _y(wrong)
        found.append(
            f'<circle class="{"ours" if name.startswith("ours") else "other"}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
        )
        end = x > 0.62 * _RIGHT
        at = y + 5
        while any(abs(at - other) < 15 and abs(x - beside) < 330 for beside, other in taken):
            at += 15
        taken.append((x, at))
        found.append(_text(x - 12 if end else x + 12, at, name, "ink", "end" if end else "start"))
    return found


def _text(x: float, y: float, said: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
