"""Which PoP answered: a table of cases, and what holds for any headers."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops import identity
from edgeclient.pops.identity import Pop, pop_in_trace, pop_of

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "cases" / "identity.json").read_text(encoding="utf-8")
)
Headers = Sequence[tuple[bytes, bytes]]


def _raw(case: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in case["headers"]]


def _known(pop: Pop | None) -> list[str] | None:
    return None if pop is None else [pop.code, pop.city, pop.country, pop.network]


@pytest.mark.parametrize("case", CASES["headers"], ids=lambda case: case["name"])
def test_headers_name_the_pop(case: dict[str, Any]) -> None:
    assert _known(pop_of(_raw(case))) == case["pop"]


@pytest.mark.parametrize("case", CASES["traces"], ids=lambda case: case["name"])
def test_a_trace_names_the_pop(case: dict[str, Any]) -> None:
    assert pop_in_trace(case["body"].encode()) == case["pop"]


def test_a_known_pop_has_its_place() -> None:
    pop = pop_of([(b"cf-ray", b"230b030023ae2822-BOM")])
    assert pop is not None and pop.lat == pytest.approx(19.09, abs=0.1) and pop.lon == pytest.approx(72.87, abs=0.1)


def test_a_pop_without_coordinates_says_none_and_not_zero() -> None:
    pop = pop_of([(b"cf-ray", b"230b030023ae2822-KIV")])
    assert pop is not None and (pop.lat, pop.lon) == (None, None)


def test_over_long_values_are_passed_over() -> None:
    node = b"cache-bom4741-BOM"
    assert pop_of([(b"x-served-by", b", ".join([node] * 20))]) is not None
    assert pop_of([(b"x-served-by", b", ".join([node] * 2000))]) is None
    assert pop_of([(b"x-served-by", node)] * 2000) is None


def test_only_the_head_of_a_trace_is_read() -> None:
    assert pop_in_trace(b"x=y\n" * 10 + b"colo=BOM\n") == "BOM"
    assert pop_in_trace(b"x=y\n" * 100_000 + b"colo=BOM\n") is None


def test_every_row_of_the_table_is_sound_and_attributed() -> None:
    places = identity._places()
    assert len(places) == 623
    networks = {rule.network for rule in identity._rules().values()}
    for (network, code), pop in places.items():
        assert network in networks and pop.code == code
        assert pop.country == "" or (len(pop.country) == 2 and pop.country.isupper()), pop
        assert unicodedata.is_normalized("NFC", pop.city), pop
        assert (pop.lat is None) == (pop.lon is None)
        assert pop.lat is None or pop.lon is None or (-90 <= pop.lat <= 90 and -180 <= pop.lon <= 180), pop
    lines = identity._text("pop_codes.csv").splitlines()
    header = "\n".join(line for line in lines if line.startswith("#"))
    sources = {line.rsplit(",", 1)[1] for line in lines if not line.startswith("#")} - {"source"}
    assert len(sources) == 6 and all(source in header for source in sources)


def test_no_rule_hides_another() -> None:
    written = json.loads(identity._text("pop_headers.json"))["rules"]
    assert [rule["header"].encode() for rule in written] == list(identity._rules())
    assert all(rule["source"] and rule["header"] == rule["header"].lower() for rule in written)


GENUINE = [header for case in CASES["headers"] if case["pop"] for header in _raw(case)]
PIECES = st.lists(
    st.sampled_from([b"cache-", b"bom", b"BOM", b"-", b"::", b", ", b"1", b"\n", b"\xff", b'cdn-pop;desc="'])
)
VALUES = st.binary(max_size=200) | PIECES.map(b"".join)
ANY = st.lists(st.tuples(st.binary(max_size=20) | st.sampled_from([name for name, _ in GENUINE]), VALUES), max_size=20)
UNRELATED = st.lists(st.tuples(st.sampled_from([b"date", b"server", b"x-request-id", b"via"]), VALUES), max_size=10)


@given(ANY)
def test_no_headers_make_it_raise(headers: Headers) -> None:
    pop = pop_of(headers)
    assert pop is None or (pop.code.isascii() and 3 <= len(pop.code) <= 40)


@given(st.binary())
def test_no_trace_makes_it_raise(body: bytes) -> None:
    assert pop_in_trace(body) is None or b"colo=" in body


@given(st.sampled_from(GENUINE), UNRELATED, st.randoms(use_true_random=False))
def test_unrelated_headers_and_their_order_do_not_matter(
    header: tuple[bytes, bytes], others: list[tuple[bytes, bytes]], chance: random.Random
) -> None:
    mixed = [header, *others]
    chance.shuffle(mixed)
    assert pop_of(mixed) == pop_of([header])


@given(st.sampled_from(CASES["headers"]), st.permutations(range(4)))
def test_the_order_of_different_headers_does_not_matter(case: dict[str, Any], order: list[int]) -> None:
    headers = _raw(case)
    if len({name.lower() for name, _ in headers}) == len(headers):
        assert pop_of([headers[at] for at in order if at < len(headers)]) == pop_of(headers)


@given(st.sampled_from(GENUINE), st.data())
def test_the_case_of_a_name_does_not_matter(header: tuple[bytes, bytes], data: st.DataObject) -> None:
    name, value = header
    upper = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
    mixed = b"".join(name[at : at + 1].upper() if up else name[at : at + 1].lower() for at, up in enumerate(upper))
    assert pop_of([(mixed, value)]) == pop_of([header])
