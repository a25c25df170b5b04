"""Flights: one leads, the others follow, and landing releases all of them, whoever lands how often."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from edgeclient.cache.flights import Flight, Flights

LONG_S = 20.0  # never waited for unless a test fails


def test_the_first_leads_and_the_others_follow() -> None:
    flights = Flights()
    flight, leading = flights.join("a")
    assert leading and flight.landed is None
    assert flights.join("a") == (flight, False)
    other, leads_other = flights.join("b")
    assert leads_other and other is not flight


@pytest.mark.parametrize("stored", [True, False])
def test_landing_wakes_all_at_once(stored: bool) -> None:
    flights, woken = Flights(), []
    flight, _ = flights.join("a")
    for n in range(3):
        flight.when_landed(lambda n=n: woken.append(n))
    flights.land(flight, stored=stored)
    assert woken == [0, 1, 2] and flight.landed is stored


def test_who_comes_after_the_landing_is_woken_at_once() -> None:
    flight, woken = Flight("a"), []
    flight.land(True)
    flight.when_landed(lambda: woken.append(1))
    assert woken == [1]


def test_landing_twice_is_harmless() -> None:
    flights, woken = Flights(), []
    flight, _ = flights.join("a")
    flight.when_landed(lambda: woken.append(1))
    flights.land(flight, stored=True)
    flights.land(flight, stored=False)
    assert woken == [1] and flight.landed is True


def test_a_late_second_landing_does_not_end_the_next_flight() -> None:
    flights = Flights()
    first, _ = flights.join("a")
    flights.land(first, stored=False)
    second, leading = flights.join("a")
    assert leading and second is not first
    flights.land(first, stored=True)
    assert flights.join("a") == (second, False)


def test_a_waker_may_join_and_land_again() -> None:
    """A woken follower may lead the next flight from within the waking: no lock is held then."""
    flights, seen = Flights(), []
    flight, _ = flights.join("a")

    def again() -> None:
        following, leading = flights.join("a")
        flights.land(following, stored=False)
        flight.when_landed(lambda: seen.append(leading))

    flight.when_landed(again)
    flights.land(flight, stored=False)
    assert seen == [True]


def test_of_many_threads_exactly_one_leads() -> None:
    flights, threads = Flights(), 16
    together, all_joined = threading.Barrier(threads), threading.Barrier(threads)

    def ask() -> bool:
        together.wait(LONG_S)
        flight, leading = flights.join("a")
        landed = threading.Event()
        flight.when_landed(landed.set)
        all_joined.wait(LONG_S)
        if leading:
            flights.land(flight, stored=True)
        assert landed.wait(LONG_S) and flight.landed is True
        return leading

    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(ask) for _ in range(threads)]
        assert sorted(one.result(LONG_S) for one in asked) == [False] * (threads - 1) + [True]


def test_who_waits_while_it_lands_is_never_forgotten() -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(200):
            flight, together, landed = Flight("a"), threading.Barrier(2), threading.Event()

            def land(flight: Flight = flight, together: threading.Barrier = together) -> None:
                together.wait(LONG_S)
                for wake in flight.land(True):
                    wake()

            landing = pool.submit(land)
            together.wait(LONG_S)
            flight.when_landed(landed.set)
            landing.result(LONG_S)
            assert landed.is_set()
