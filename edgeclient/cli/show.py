"""Shows a run: live with rich, as plain lines, or as one JSON object. Writes to standard output; rich only when asked for."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeclient.edge import Status

from .figures import CACHE, Answer, answered_by, percentile

Rows = Sequence[tuple[str, str, str]]
POP_COLUMNS = ("answered by", "measured RTT", "state", "answers", "share")
COLUMNS = ("", "plain SDK, far origin", "edgeclient")


@dataclass(frozen=True, slots=True)
class View:
    """A moment of a run. `status` is None while plain clients ask."""

    what: str
    total: int
    answers: tuple[Answer, ...]
    status: Status | None
    news: str


class Show(Protocol):
    """What a run asks of its display. Nothing here is ever called from two threads."""

    def __enter__(self) -> Show: ...

    def __exit__(self, *error: object) -> None: ...

    def say(self, text: str) -> None:
        """One line that stays."""

    def update(self, view: View) -> None:
        """The present moment; called about ten times a second."""

    def end(self, rows: Rows, status: Status | None, facts: Mapping[str, Any], remark: str) -> None:
        """The result. `facts` is what `--json` prints."""


class PlainShow:
    """A line about every second, no control characters."""

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s, self._last, self._what = every_s, time.monotonic(), ""

    def __enter__(self) -> PlainShow:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def say(self, text: str) -> None:
        print(text, flush=True)

    def update(self, view: View) -> None:
        moment, done = time.monotonic(), len(view.answers) == view.total
        if moment - self._last < self._every_s and not (done and self._what == view.what):
            return
        self._what, self._last = ("" if done else view.what), moment
        print(line(view), flush=True)

    def end(self, rows: Rows, status: Status | None, facts: Mapping[str, Any], remark: str) -> None:
        print()
        if status is not None:
            print("\n".join(pops_table(status, facts.get("answered_by", {}))), end="\n\n")
        if rows:
            print("\n".join(columns([COLUMNS, *rows])), end="\n\n")
        print("\n".join(closing(facts, remark)), flush=True)


class JsonShow:
    """Nothing, and at the end one JSON object."""

    def __enter__(self) -> JsonShow:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def say(self, text: str) -> None:
        return None

    def update(self, view: View) -> None:
        return None

    def end(self, rows: Rows, status: Status | None, facts: Mapping[str, Any], remark: str) -> None:
        told = {name: _plain(value) for name, value in facts.items()}
        told["endpoints"] = [dataclasses.asdict(e) for e in status.endpoints] if status is not None else []
        print(json.dumps({**told, "remark": remark}, indent=1, ensure_ascii=False), flush=True)


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


# -- text, for every display


def line(view: View) -> str:
    """One moment in one line."""
    p50, p95, hits, failed = now(view.answers)
    words = [f"{view.what}: {len(view.answers):>3}/{view.total} answered", f"p50 {p50}", f"p95 {p95}"]
    if view.status is not None:
        words += [f"{hits} hits", f"{view.status.counts.get('failovers', 0)} failovers"]
        words.append(" ".join(f"{name} {n}" for name, n in answered_by(view.answers).items() if name != CACHE))
    words.append(f"{failed} failed")
    return ", ".join(word for word in words if word)


def now(answers: Sequence[Answer]) -> tuple[str, str, int, int]:
    """p50, p95, hits and failed calls so far."""
    times = [a.took_s * 1e3 for a in answers if not a.error]
    p50, p95 = (percentile(times, share) for share in (0.5, 0.95))
    shown = tuple("-" if p is None else f"{p:.0f} ms" for p in (p50, p95))
    return shown[0], shown[1], sum(a.by == CACHE for a in answers), sum(bool(a.error) for a in answers)


def pop_rows(status: Status, by: Mapping[str, int]) -> list[tuple[str, ...]]:
    """PoP, measured round trip, state, answers given, share of all answers."""
    total = sum(by.values()) or 1
    rows = [
        (
            e.name,
            "-" if e.rtt_ms is None else f"{e.rtt_ms:.1f} ms",
            e.state,
            str(by.get(e.name, 0)),
            by.get(e.name, 0) / total,
        )
        for e in status.endpoints
    ]
    known = {e.name for e in status.endpoints}
    rows += [(name, "", "", str(n), n / total) for name, n in by.items() if name and name not in known]
    return [(*row[:4], f"{row[4]:.0%}") for row in rows]


def pops_table(status: Status, by: Mapping[str, int]) -> list[str]:
    return columns([POP_COLUMNS, *pop_rows(status, by)])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, the first to the left and the others to the right, the head underlined."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]]


def closing(facts: Mapping[str, Any], remark: str) -> list[str]:
    """The last lines: remarks, errors, where the picture is."""
    lines = [remark] if remark else []
    lines += [f"error: {error}" for error in facts.get("errors", [])]
    lines.append(f"picture: {facts['picture']}   ({facts['took_s']:.0f} s in all)")
    return lines
