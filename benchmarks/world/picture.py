"""The ratios as a picture: for each kind of traffic a bar a rule, shortest first. Plain SVG."""

from __future__ import annotations

from html import escape

_ROW, _WIDTH, _LEFT, _MOST = 20, 860, 190, 4.0


def draw(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """`found`: kind -> rule -> figures. A bar is the mean's ratio to the oracle, its thin end the p99's; both end at 4."""
    parts: list[str] = []
    y = 30
    for kind, table in found.items():
        parts.append(
            f'<text x="10" y="{y}" font-weight="bold">{escape(kind)}: ratio to the oracle (mean, thin: p99)</text>'
        )
        for rule, row in sorted(table.items(), key=lambda item: item[1]["mean"]):
            y += _ROW
            parts += _bar(rule, row["mean"], row["p99"], y)
        y += 2 * _ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


def _bar(rule: str, mean: float, p99: float, y: int) -> list[str]:
    colour = "#d9480f" if rule.startswith("edgeclient") else "#868e96"
    return [
        f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{escape(rule)}</text>',
        f'<rect x="{_LEFT}" y="{y - 6}" width="{_long(p99)}" height="2" fill="{colour}"/>',
        f'<rect x="{_LEFT}" y="{y - 10}" width="{_long(mean)}" height="10" fill="{colour}"/>',
        f'<text x="{_LEFT + _long(max(mean, p99)) + 6}" y="{y}">{mean:.2f} / {p99:.2f}</text>',
    ]


def _long(ratio: float) -> int:
    return round(min(ratio, _MOST) / _MOST * (_WIDTH - _LEFT - 110))
