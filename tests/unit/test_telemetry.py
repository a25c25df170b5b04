"""Events, counts and mishaps: bounded, thread-safe, and never a reason for a call to fail."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgeclient.noting import Notes
from edgeclient.telemetry.events import Event, Telemetry


def event(n: int = 0, **notes: object) -> Event:
    return Event(float(n), "gpt-4o", Notes(**notes), status=200)  # type: ignore[arg-type]


def test_every_hook_gets_every_event_in_order() -> None:
    first: list[Event] = []
    second: list[Event] = []
    telemetry = Telemetry([first.append, second.append])
    events = [event(n) for n in range(3)]
    for one in events:
        telemetry.emit(one)
    assert first == second == events == list(telemetry.events())


def test_a_failing_hook_is_counted_logged_once_and_called_again(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Event] = []
    called: list[Event] = []

    def failing(one: Event) -> None:
        called.append(one)
        raise ValueError("broken hook")

    telemetry = Telemetry([failing, seen.append])
    with caplog.at_level(logging.WARNING, "edgeclient"):
        for n in range(3):
            telemetry.emit(event(n))
    assert len(seen) == len(called) == 3
    assert telemetry.mishaps() == {"hook": 3}
    assert len(caplog.records) == 1 and "broken hook" in caplog.text


def test_each_kind_of_mishap_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry()
    for what in ("cache load", "cache save", "cache load"):
        telemetry.mishap(what, OSError(what))
    assert telemetry.mishaps() == {"cache load": 2, "cache save": 1}
    assert len(caplog.records) == 2


def test_events_are_bounded_and_counts_are_not() -> None:
    telemetry = Telemetry()
    for n in range(1500):
        telemetry.emit(event(n))
    assert [one.at for one in telemetry.events()] == [float(n) for n in range(500, 1500)]
    assert telemetry.counts()["calls"] == 1500


def test_what_is_counted() -> None:
    telemetry = Telemetry()
    telemetry.emit(event(cache="hit"))
    telemetry.emit(event(cache="miss", attempts=3))
    telemetry.emit(event(cache="off", attempts=1))
    telemetry.emit(Event(0.0, "gpt-4o", Notes(attempts=2), error="ConnectError"))
    telemetry.count("stored")
    counts = {what: number for what, number in telemetry.counts().items() if number}
    assert counts == {"calls": 4, "hit": 1, "miss": 1, "attempts": 6, "failovers": 3, "errors": 1, "stored": 1}


def test_threads_may_share_it() -> None:
    telemetry = Telemetry()
    with ThreadPoolExecutor(8) as pool:
        for n in range(800):
            pool.submit(telemetry.emit, event(n, attempts=1))
    assert telemetry.counts()["calls"] == telemetry.counts()["attempts"] == 800


def test_a_forked_child_begins_anew_and_unlocked() -> None:
    telemetry = Telemetry()
    telemetry.emit(event())
    telemetry.mishap("hook", ValueError())
    assert telemetry._lock.acquire(blocking=False)
    telemetry.after_fork()
    assert (telemetry.events(), telemetry.mishaps()) == ((), {})
    assert telemetry.counts() == Telemetry().counts()
