"""When an endpoint counts as slow against its own past, for how long, and that a heavy tail alone never does it."""

from __future__ import annotations

import math
import random

import pytest

from edgeclient.pops.server_time import ServerTime


def learned(usual_s: float = 0.1, answers: int = 20, *, streamed: bool = False) -> ServerTime:
    server = ServerTime()
    for n in range(answers):
        server.add(usual_s * (1.02 if n % 2 else 0.98), "m", streamed, float(n))
    return server


def test_what_is_usual_is_learned() -> None:
    server = learned(0.1, 4)
    assert server._modes["m", False].take(math.log(9.0)) is None and server.cost_at(4.0) == 0.0
    assert math.exp(learned(0.1)._modes["m", False].level) == pytest.approx(0.1, rel=0.03)
    assert list(learned(0.1)._modes) == [("m", False)]


def test_one_slow_answer_costs_nothing_and_two_cost_their_excess() -> None:
    server = learned()
    server.add(0.8, "m", False, 100.0)
    assert server.cost_at(100.0) == 0.0
    server.add(0.9, "m", False, 101.0)
    assert server.cost_at(101.0) == pytest.approx(0.7, abs=0.05)
    assert server.cost_at(145.0) > 0 and server.cost_at(147.0) == 0.0


def test_a_good_answer_after_the_penalty_clears_it_and_a_slow_one_doubles_it() -> None:
    server = learned()
    for now in (100.0, 101.0):
        server.add(0.9, "m", False, now)
    server.add(0.9, "m", False, 150.0)
    assert server.until == 150.0 + 90.0
    server.add(0.1, "m", False, 241.0)
    assert server.cost_at(241.0) == 0.0
    for now in (300.0, 301.0):
        server.add(0.9, "m", False, now)
    assert server.until == pytest.approx(301.0 + 45.0, abs=1.1)


def test_a_penalty_is_never_longer_than_ten_minutes() -> None:
    server, now = learned(), 100.0
    for _ in range(12):
        for _ in range(2):
            server.add(5.0, "m", False, now)
        now = server.until + 1
    assert server.until - now <= 600.0


def test_a_central_models_tail_is_no_alarm() -> None:
    chance = random.Random(3)
    server = ServerTime()
    slow = 0  # seconds, of which an alarm makes 45
    for n in range(20_000):
        tail = 5.0 if chance.random() < 0.01 else 1.0
        server.add(tail * math.exp(chance.gauss(math.log(0.45), 0.35)), "m", True, float(n))
        slow += server.cost_at(float(n)) > 0
    assert slow < 0.04 * 20_000


def test_modes_are_told_apart_and_bounded() -> None:
    server = learned(0.1)
    for n in range(20):
        server.add(3.0, "large", False, 50.0 + n)
    assert server.cost_at(70.0) == 0.0
    for n in range(20):
        server.add(0.1, f"m{n}", False, 100.0 + n)
    assert ("m", False) not in server._modes and len(server._modes) == 8


def test_odd_figures_do_no_harm() -> None:
    server = learned()
    for odd in (-1.0, 0.0, 1e9):
        server.add(odd, "m", False, 60.0)
    assert math.isfinite(server.cost_at(60.0))
