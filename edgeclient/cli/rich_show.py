"""Shows a run live on a terminal, with rich. Imported only when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from edgeclient.edge import Status

from .figures import answered_by
from .show import COLUMNS, POP_COLUMNS, Rows, View, closing, now, pop_rows

_STATES = {"ready": "green", "ejected": "bold red", "probation": "yellow"}


class RichShow:
    """A live display: progress, PoPs, figures, and what just happened; the result stays on the screen."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._earlier: dict[str, View] = {}

    def __enter__(self) -> RichShow:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(Text(text, style="bold red" if text.startswith("-- killed") else ""))

    def update(self, view: View) -> None:
        self._earlier[view.what] = view
        self._live.update(Group(*self._moment(view)))

    def end(self, rows: Rows, status: Status | None, facts: Mapping[str, Any], remark: str) -> None:
        self._live.stop()
        if status is not None:
            self._console.print(_pops(status, facts.get("answered_by", {})))
        if rows:
            self._console.print(_side_by_side(rows))
        for text in closing(facts, remark):
            self._console.print(Text(text))

    def _moment(self, view: View) -> list[RenderableType]:
        parts: list[RenderableType] = [Rule(style="dim")]
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            Text(view.what, style="bold"),
            ProgressBar(total=view.total, completed=len(view.answers), width=40),
            f"{len(view.answers)}/{view.total}",
        )
        parts.append(bar)
        if view.status is not None:
            parts.append(_pops(view.status, answered_by(view.answers)))
        parts += [self._figures(), Text(view.news, style="bold cyan")]
        return parts

    def _figures(self) -> Table:
        """The figures of each side so far: what is over stays in sight."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("")
        for name in ("p50", "p95", "cache hits", "failovers", "failed"):
            table.add_column(name, justify="right")
        for what, view in self._earlier.items():
            p50, p95, hits, failed = now(view.answers)
            failovers = "" if view.status is None else str(view.status.counts.get("failovers", 0))
            table.add_row(what, p50, p95, str(hits), failovers, Text(str(failed), style="red" if failed else "green"))
        return table


def _pops(status: Status, by: Mapping[str, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(POP_COLUMNS):
        table.add_column(name, justify="left" if number in (0, 2) else "right")
    table.add_column("")
    for name, rtt, state, answers, share in pop_rows(status, by):
        bar = Text("█" * round(float(share.rstrip("%")) / 4), style="blue")
        table.add_row(name, rtt, Text(state, style=_STATES.get(state, "")), answers, share, bar)
    return table


def _side_by_side(rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(COLUMNS):
        table.add_column(name, justify="left" if number == 0 else "right", style="bold" if number == 2 else "")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
