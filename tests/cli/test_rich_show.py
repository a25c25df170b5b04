"""The live display, on a terminal that is played: what stands on it during a run, and what stays."""

from __future__ import annotations

import io
import re

import pytest

from edgeclient import Edge, Endpoint
from edgeclient.cli.figures import Answer, comparison, side
from edgeclient.cli.questions import Ask
from edgeclient.cli.show import View

pytest.importorskip("rich")

from rich.console import Console

from edgeclient.cli.rich_show import RichShow

ANSWERS = (
    Answer(Ask(0, 0.0, "openai", "?", False, False), 0.0, 0.2, by="fra"),
    Answer(Ask(1, 0.0, "openai", "?", False, True), 0.1, 0.001, by="cache"),
)


def test_the_live_display_shows_the_moment_and_leaves_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # on a dumb one rich redraws nothing
    screen = io.StringIO()
    edge = Edge(endpoints=[Endpoint("http://127.0.0.1:1/v1", name="fra")], key="none", cache="exact")
    figures = side(ANSWERS, 1)
    with RichShow(Console(file=screen, force_terminal=True, width=100)) as show:
        show.say("Emulated: all of it.")
        show.update(View("plain SDKs, far origin", 2, ANSWERS[:1], None, "for comparison"))
        show.update(View("edgeclient", 2, ANSWERS, edge.status(), "killed fra"))
        during = screen.getvalue()
        facts = {"answered_by": {"cache": 1, "fra": 1}, "picture": "a.svg", "took_s": 1.0, "errors": ["APIError: no"]}
        show.end(comparison(figures, figures), edge.status(), facts, "The remark.")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert "Emulated: all of it." in during
    for words in ("fra", "ready", "killed fra", "plain SDKs, far origin", "edgeclient", "2/2"):
        assert words in text
    end = text[text.rindex("answered by  ") :]
    for words in ("cache", "50%", "requests that reached the origin", "The remark.", "error: APIError: no", "a.svg"):
        assert words in end
