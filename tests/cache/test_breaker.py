"""When a store is left alone, and when it is tried again."""

from __future__ import annotations

import pytest

from edgeclient.cache.stores.breaker import Breaker


def run(steps: str, breaker: Breaker | None = None, at: float = 0.0) -> str:
    """Plays steps: "f" an allowed try fails, "s" succeeds, "?" asks, digits wait so many tenths of a second."""
    breaker, told = breaker or Breaker(), ""
    for step in steps:
        if step.isdigit():
            at += int(step) / 10
        elif breaker.allows(at):
            told += "+"
            if step == "f":
                breaker.failed(at)
            elif step == "s":
                breaker.succeeded()
        else:
            told += "-"
    return told


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("sss", "+++"),
        ("ffsffs", "++++++"),  # not in a row
        ("ffff", "+++-"),
        ("fff2?", "+++-"),
        ("fff3ss", "+++++"),  # a trial that succeeds closes it
        ("fff3f3?", "++++-"),  # one that fails makes the pause longer: 0.25, 0.5, 1, 2 s
        ("fff3f6f6?5f9999?", "+++++-++"),
        ("fff3??", "++++-"),  # one trial at a time
        ("fff3?3?", "+++++"),  # and another when the first one never says how it went
    ],
)
def test_a_breaker(steps: str, told: str) -> None:
    assert run(steps) == told


def test_the_longest_pause_is_two_seconds() -> None:
    breaker = Breaker()
    assert run("fff" + "9999f" * 10, breaker) == "+" * 13
    assert run("?", breaker, 36.0 + 1.9) == "-"
    assert run("?", breaker, 36.0 + 2.1) == "+"


def test_failures_of_what_began_before_it_opened_change_nothing() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.failed(0.0)
    assert not breaker.allows(0.2) and breaker.allows(0.3)


def test_asking_whether_it_is_closed_takes_no_trial() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(0.0)
    assert [breaker.closed(0.1), breaker.closed(0.3), breaker.closed(0.3), breaker.allows(0.3)] == [
        False,
        True,
        True,
        True,
    ]


def test_after_a_fork_it_is_closed() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(0.0)
    breaker.after_fork()
    assert breaker.allows(0.0)
