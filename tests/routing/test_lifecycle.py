"""When names end: fixed names on fixed days, at one provider and wherever, and what OpenAI's list of models tells."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.routing.lifecycle import LIVE, Stage, day_of, ends_of, state_of, told_by

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("model", "provider", "today", "stage", "day", "replacement"),
    [
        ("claude-sonnet-4-20250514", "anthropic", TODAY, "retired", "2026-06-15", "claude-sonnet-4-6"),
        ("claude-sonnet-4-0", "anthropic", date(2026, 6, 14), "ending", "2026-06-15", "claude-sonnet-4-6"),
        ("claude-sonnet-4-0", "anthropic", date(2026, 6, 15), "retired", "2026-06-15", "claude-sonnet-4-6"),
        ("claude-sonnet-4-5", "anthropic", TODAY, "ending", "2026-11-30", "claude-sonnet-5-5"),
        ("Claude-Sonnet-4-5 ", "", TODAY, "ending", "2026-11-30", "claude-sonnet-5-5"),
        ("gpt-4o", "openai", TODAY, "ending", "2027-01-14", "gpt-6-luna"),
        ("gpt-4o", "", TODAY, "ending", "2027-01-14", "gpt-6-luna"),
        ("ft:gpt-4o-2024-08-06:me::1", "openai", TODAY, "ending", "2027-01-14", "gpt-6-luna"),
        ("gpt-4o-2024-05-13", "openai", TODAY, "retired", "2026-10-23", "gpt-5.6-sol"),
        ("gpt-4o-2024-05-13", "azure", TODAY, "ending", "2026-12-09", None),
        ("gpt-4o-2024-05-13", "", TODAY, "ending", "2026-12-09", None),  # somebody still serves it
        ("gemini-2.5-pro", "google", TODAY, "ending", "2026-12-01", "gemini-3.8-flash"),
        ("gemini-2.5-pro", "vertex", TODAY, "retired", "2026-10-20", None),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "", TODAY, "retired", "2026-10-14", None),
        (
            "@cf/meta/llama-3.1-8b-instruct",
            "",
            TODAY,
            "retired",
            "2026-05-30",
            "@cf/meta/llama-3.1-8b-instruct-fp8",
        ),
        ("llama-3.3-70b", "cerebras", TODAY, "retired", "2026-02-16", "gpt-oss-120b"),
    ],
)
def test_a_name_ends(model: str, provider: str, today: date, stage: str, day: str, replacement: str | None) -> None:
    state = state_of(model, provider, today)
    assert state.end is not None
    assert (state.stage.value, str(state.end.day), state.end.replacement) == (stage, day, replacement)
    assert state.end.sources and state.days_left == (date.fromisoformat(day) - today).days


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("claude-sonnet-5-5", "anthropic"),
        ("claude-sonnet-5", ""),  # ends at Vertex, lives at Anthropic
        ("gemini-2.5-flash", "google"),
        ("gpt-6-luna", "openai"),
        ("claude-sonnet-4-0", "workers-ai"),  # of another provider
        ("my-deployment", ""),
        ("llama-3.1-8b-instruct", ""),  # ended under its name at Workers AI only
        ("llama-3.3-70b", ""),  # the end at one of many hosts says nothing about the others
        ("openai/gpt-oss-20b", ""),
        ("@cf/openai/gpt-oss-20b", ""),
        ("openai/gpt-oss-20b", "groq"),
        ("", ""),
    ],
)
def test_a_name_lives(model: str, provider: str) -> None:
    assert state_of(model, provider, TODAY) == LIVE


def test_openai_gpt_oss_at_together_alone_is_over() -> None:
    assert state_of("openai/gpt-oss-20b", "together", TODAY).stage is Stage.RETIRED


@pytest.mark.parametrize(("days", "soon"), [(31, False), (30, True), (1, True), (0, False), (-1, False)])
def test_soon_is_within_thirty_days(days: int, soon: bool) -> None:
    today = date.fromordinal(date(2026, 11, 30).toordinal() - days)
    assert state_of("claude-sonnet-4-5", "anthropic", today).soon is soon


def test_ends_are_told_the_earliest_first() -> None:
    assert [end.provider for end in ends_of("gpt-4o-2024-05-13")] == ["openai", "azure"]
    assert [end.provider for end in ends_of("gpt-4o-2024-05-13", "azure")] == ["azure"]


@pytest.mark.parametrize(
    ("seconds", "day"), [(0.0, date(1970, 1, 1)), (86399.9, date(1970, 1, 1)), (1_764_028_800.0, date(2025, 11, 25))]
)
def test_a_time_is_on_a_day(seconds: float, day: date) -> None:
    assert day_of(seconds) == day


# -- OpenAI's list of models

LISTED = {
    "object": "list",
    "data": [
        {"id": "gpt-x", "object": "model", "shutdown_date": "2027-02-03"},
        {"id": "gpt-y", "object": "model", "shutdown_date": "2027-02-04T00:00:00Z"},
        {"id": "gpt-z", "object": "model", "shutdown_date": None},
        {"id": "gpt-w", "object": "model"},
        {"id": 5, "shutdown_date": "2027-02-03"},
        {"id": "odd", "shutdown_date": "soon"},
        {"id": "number", "shutdown_date": 20270203},
        "odd",
    ],
}


def test_a_list_of_models_tells_ends() -> None:
    told = told_by(json.dumps(LISTED).encode(), "openai")
    assert {name: end.day for name, end in told.items()} == {"gpt-x": date(2027, 2, 3), "gpt-y": date(2027, 2, 4)}
    assert told["gpt-x"].sources == ("GET /models of openai",)


def test_one_model_tells_its_end() -> None:
    (end,) = told_by(b'{"id": "gpt-4o", "shutdown_date": "2027-02-03"}', "openai").values()
    assert end.day == date(2027, 2, 3) and end.replacement == "gpt-6-luna"  # of the data file


@pytest.mark.parametrize(
    "odd", [b"", b"{", b"[]", b'["shutdown_date"]', b'{"data": 5, "shutdown_date": 1}', b'"shutdown_date"']
)
def test_an_odd_answer_tells_nothing(odd: bytes) -> None:
    assert told_by(odd, "openai") == {}


@given(st.binary().map(lambda more: b'{"shutdown_date"' + more))
def test_no_answer_makes_it_raise(answer: bytes) -> None:
    told_by(answer, "openai")
