"""The pure parts: the draw of questions, the figures, the tables and the picture."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cli.figures import Answer, answered_by, comparison, percentile, side
from edgeclient.cli.picture import Picture, draw_svg
from edgeclient.cli.questions import Ask, draw, questions
from edgeclient.cli.show import columns

SVG = "{http://www.w3.org/2000/svg}"
ASK = Ask(0, 0.0, "openai", "?", False, False)


def test_the_questions_say_whose_they_are() -> None:
    told = json.loads((files("edgeclient.cli") / "data" / "questions.json").read_text("utf-8"))
    assert len(set(questions())) == len(questions()) == 250
    assert "PolyAI" in told["about"]["attribution"]
    assert told["about"]["licence"].startswith("CC BY 4.0")
    assert {"source", "as_of", "changes"} <= told["about"].keys()


@pytest.mark.parametrize("seed", range(5))
def test_a_third_to_a_half_is_asked_again(seed: int) -> None:
    asks = draw(questions(), 300, seed=seed, per_s=26)
    assert 0.33 < sum(ask.repeated for ask in asks) / 300 < 0.52
    assert 0.3 < sum(ask.streamed for ask in asks) / 300 < 0.5
    assert 0.35 < sum(ask.sdk == "openai" for ask in asks) / 300 < 0.65


@given(count=st.integers(1, 60), seed=st.integers())
def test_the_draw_repeats_itself_and_says_what_repeats(count: int, seed: int) -> None:
    asks = draw(["a", "b", "c", "d"], count, seed=seed, per_s=10)
    assert asks == draw(["a", "b", "c", "d"], count, seed=seed, per_s=10)
    assert [ask.at_s for ask in asks] == sorted(ask.at_s for ask in asks)
    assert sum(not ask.repeated for ask in asks) == len({(ask.sdk, ask.text) for ask in asks})
    assert len({ask.text for ask in asks}) == len({(ask.sdk, ask.text) for ask in asks})  # one model a question


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([], 0.5, None),
        ([7.0], 0.95, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        (list(map(float, range(1, 101))), 0.95, 95.0),
    ],
)
def test_percentiles(values: list[float], share: float, wanted: float | None) -> None:
    assert percentile(values, share) == wanted


def test_the_figures_of_a_run() -> None:
    answers = [
        Answer(ASK, 0.0, 0.200, by="fra", first_s=0.1),
        Answer(ASK, 0.1, 0.300, by="iad", attempts=2, cut=1),
        Answer(ASK, 0.2, 0.002, by="cache"),
        Answer(ASK, 0.3, 9.0, by="iad", error="APIError: no"),
    ]
    found = side(answers, at_origin=3)
    assert (found.calls, found.failed, found.cut, found.hits, found.hit_share) == (4, 1, 1, 1, 0.25)
    assert found.p50_ms == pytest.approx(200) and found.p95_ms == pytest.approx(300)
    assert found.first_p50_ms == pytest.approx(100) and found.hit_p50_ms == pytest.approx(2)
    assert list(answered_by(answers)) == ["cache", "fra", "iad"]
    rows = {what: theirs for what, _, theirs in comparison(side([], 0), found)}
    assert rows["whole answer, p50"] == "200 ms" and rows["  by the cache, p50"] == "2.0 ms"
    assert rows["  streams cut half-way, asked again"] == "1"
    assert rows["  for each 100 calls"] == "75"


def test_columns_line_up() -> None:
    assert columns([("a", "long head"), ("longer", "1")]) == ["a       long head", "-" * 17, "longer          1"]


answers_of = st.lists(
    st.builds(
        Answer,
        ask=st.just(ASK),
        began_s=st.floats(0, 1000),
        took_s=st.floats(0, 1000),
        by=st.sampled_from(["cache", "fra", "iad", "origin", ""])
        | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
        attempts=st.integers(0, 3),
        error=st.sampled_from(["", "", "Error: <&>"]),
    ),
    max_size=20,
)


@given(edge=answers_of, plain=answers_of, killed_at_s=st.none() | st.floats(0, 1000), seed=st.randoms())
def test_the_picture_is_well_formed_and_has_a_mark_for_each_call(
    edge: list[Answer], plain: list[Answer], killed_at_s: float | None, seed: object
) -> None:
    root = ET.fromstring(draw_svg(Picture("<title> & more", "sub", edge, plain, "fra", killed_at_s)))
    dots = [c for c in root.iter(f"{SVG}circle") if c.get("r") in ("4.5", "6") and float(c.get("cy", "0")) > 120]
    crosses = [
        p
        for p in root.iter(f"{SVG}path")
        if p.get("class") is None and float(p.get("d", "")[1:].split()[1].split("l")[0]) > 120
    ]
    assert len(dots) == sum(not a.error for a in edge)
    assert len(crosses) == sum(bool(a.error) for a in edge)
    for dot in dots:
        assert 0 <= float(dot.get("cx", "-1")) <= 1200 and 120 <= float(dot.get("cy", "-1")) <= 480
    said = Counter("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert said["<title> & more"] == 1
    assert any("killed at" in words for words in said) == (killed_at_s is not None)


def test_each_who_answered_has_a_colour_of_its_own() -> None:
    edge = [Answer(ASK, float(n), 0.1, by=by) for n, by in enumerate(["cache", "origin", "fra", "iad", "bom", "syd"])]
    root = ET.fromstring(draw_svg(Picture("t", "s", edge)))
    legend = [c.get("fill") for c in root.iter(f"{SVG}circle") if float(c.get("cy", "0")) < 120]
    assert len(set(legend)) == len(legend) == 6
