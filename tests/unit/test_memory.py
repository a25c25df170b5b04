"""What is remembered of paths: which places, for how long, how much of it, and what is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops import memory
from edgeclient.pops.memory import Newer, Path, place_of
from edgeclient.values import Endpoint

DAY = 86_400.0
NOW = 1_700_000_000.0
HOME = {"home": {"a:443": Path(0.02, NOW - 60, "FRA", 3)}}


def document(**entry: Any) -> bytes:
    """A document with one good entry and one that is as said."""
    good = {"rtt_ms": 20, "at": NOW, "pop": "FRA", "times": 2}
    table = {"home": {"good:443": good, "odd:443": {**good, **entry}}}
    return json.dumps({"edgeclient_paths": 1, "networks": table}).encode()


# -- places


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://fra.example.com/v1", "fra.example.com:443"),
        ("http://fra.example.com", "fra.example.com:80"),
        ("https://user:secret@FRA.example.com.:8443/private?x", "fra.example.com:8443"),
        ("https://10.0.0.7/v1", "10.0.0.7:443"),
        ("http://192.168.1.2:8000/v1", "192.168.1.2:8000"),
        ("https://[2001:db8::1]/v1", "[2001:db8::1]:443"),
        ("https://localhost.example.com/v1", "localhost.example.com:443"),
        ("https://127.example.com/v1", "127.example.com:443"),
        ("https://128.0.0.1/v1", "128.0.0.1:443"),
        ("http://localhost:4000/v1", ""),
        ("http://LOCALHOST./v1", ""),
        ("http://lab.localhost/v1", ""),
        ("http://127.0.0.1:8000/v1", ""),
        ("http://127.9.9.9/v1", ""),
        ("http://0.0.0.0:8000/v1", ""),
        ("http://[::1]:8000/v1", ""),
        ("http://[::ffff:127.0.0.1]/v1", ""),
        (f"https://{'x' * 300}/v1", ""),
        ("https:///v1", ""),
    ],
)
def test_a_place_is_host_and_port_and_not_on_this_machine(url: str, place: str) -> None:
    assert place_of(Endpoint("e", url)) == place


def test_an_endpoint_that_speaks_anthropic_alone_has_a_place() -> None:
    assert place_of(Endpoint("e", anthropic="https://a.example.com")) == "a.example.com:443"


HERE, THERE, AWAY = (Endpoint(h, f"https://{h}/v1") for h in ("localhost", "a.example.com", "b.example.com"))
THERE_TOO = Endpoint("again", "https://a.example.com/other")


@pytest.mark.parametrize(
    ("remember", "endpoints", "in_function", "keeps"),
    [
        (None, (THERE, AWAY), False, True),
        (None, (THERE, AWAY), True, False),
        (True, (THERE, AWAY), True, True),
        (False, (THERE, AWAY), False, False),
        (None, (), False, False),
        (True, (THERE,), False, False),
        (True, (THERE, HERE), False, False),
        (True, (THERE, THERE_TOO), False, False),
        (None, (HERE, THERE, AWAY), False, True),
    ],
)
def test_it_is_worthwhile_where_there_is_a_choice_and_something_is_left_behind(
    remember: bool | None, endpoints: tuple[Endpoint, ...], in_function: bool, keeps: bool
) -> None:
    assert memory.is_worthwhile(remember, endpoints, in_function=in_function) is keeps


def test_a_network_is_known_by_a_digest_and_not_by_the_address() -> None:
    prints = [memory.fingerprint(source) for source in ("", "192.168.1.5", "192.168.1.6", "2001:db8::5")]
    assert len(set(prints)) == 4
    assert not any("192" in text or len(text) != 16 for text in prints)
    assert prints[1] == memory.fingerprint("192.168.1.5")
    assert prints[3] == memory.fingerprint("2001:db8::77") != memory.fingerprint("2001:db8:0:1::5")
    assert memory.fingerprint("fe80::5%eth0") == memory.fingerprint("fe80::6%eth1")


# -- documents


def test_a_document_says_what_was_written() -> None:
    assert memory.read(memory.write(HOME)) == HOME
    assert json.loads(memory.write(HOME)) == {
        "edgeclient_paths": 1,
        "networks": {"home": {"a:443": {"rtt_ms": 20.0, "at": NOW - 60, "pop": "FRA", "times": 3}}},
    }


@pytest.mark.parametrize(
    "entry",
    [{"rtt_ms": rtt} for rtt in (0, -5, 60_000, 1e400, float("nan"), 10**400, "20", None, True, [20])]
    + [{"at": at} for at in (float("nan"), float("inf"), 10**400, "now", None, True)],
    ids=str,
)
def test_an_entry_that_cannot_be_believed_is_passed_over(entry: dict[str, Any]) -> None:
    assert list(memory.read(document(**entry))["home"]) == ["good:443"]


@pytest.mark.parametrize("pop", [5, None, "x" * 33, "a\nb"])
def test_an_odd_code_is_left_out(pop: Any) -> None:
    assert memory.read(document(pop=pop))["home"]["odd:443"] == Path(0.02, NOW, "", 2)


@pytest.mark.parametrize("times", [0, -1, 1.5, "2", None, 10**400])
def test_an_odd_count_begins_anew(times: Any) -> None:
    assert memory.read(document(times=times))["home"]["odd:443"] == Path(0.02, NOW, "FRA", 1)


@pytest.mark.parametrize("place", ["x" * 300, "a\x00b:443", "\ud800:443"])
def test_a_place_that_is_none_is_passed_over(place: str) -> None:
    good = {"rtt_ms": 20, "at": NOW}
    table = {"home": {place: good}, "n" * 33: {"a:443": good}}
    assert memory.read(json.dumps({"edgeclient_paths": 1, "networks": table}).encode()) == {"home": {}}


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}", b"[" * 100_000, b'{"edgeclient_paths": 0}', b'{"edgeclient_paths": "2"}'],
    ids=lambda text: repr(text[:20]),
)  # fmt: skip
def test_what_is_no_document_of_ours_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError) as raised:
        memory.read(text)
    assert not isinstance(raised.value, Newer)


def test_a_later_document_is_told_apart() -> None:
    with pytest.raises(Newer, match="version 2"):
        memory.read(b'{"edgeclient_paths": 2, "networks": []}')


@pytest.mark.parametrize("networks", ["[]", "5", '{"home": 5}', '{"home": {"a:443": 5}}'])
def test_odd_tables_are_empty_ones(networks: str) -> None:
    said = memory.read(f'{{"edgeclient_paths": 1, "networks": {networks}}}'.encode())
    assert not any(said.values())


# -- merged, aged, bounded


def test_what_was_measured_replaces_what_was_remembered_and_keeps_the_rest() -> None:
    before = {**HOME, "office": {"a:443": Path(0.5, NOW)}}
    merged = memory.merge(before, "home", {"a:443": (0.03, ""), "b:443": (0.04, "NYC")}, NOW)
    assert merged == {
        "home": {"a:443": Path(0.03, NOW, "FRA", 4), "b:443": Path(0.04, NOW, "NYC", 1)},
        "office": {"a:443": Path(0.5, NOW)},
    }
    assert memory.merge(HOME, "home", {"a:443": (0.03, "AMS")}, NOW)["home"]["a:443"].pop == "AMS"


def test_a_count_ends_somewhere() -> None:
    full = {"home": {"a:443": Path(0.02, NOW, times=10**9)}}
    assert memory.merge(full, "home", {"a:443": (0.02, "")}, NOW) == full


@pytest.mark.parametrize("absurd_s", [-1.0, 0.0, float("nan"), 60.0])
def test_what_no_path_can_have_is_not_written(absurd_s: float) -> None:
    assert memory.merge(HOME, "home", {"a:443": (absurd_s, "X"), "b:443": (absurd_s, "")}, NOW) == HOME


@pytest.mark.parametrize(
    ("age_s", "kept"), [(0, True), (7 * DAY, True), (7 * DAY + 1, False), (-DAY, True), (-DAY - 1, False)]
)
def test_a_path_is_believed_for_seven_days(age_s: float, kept: bool) -> None:
    networks = {"home": {"a:443": Path(0.02, NOW - age_s)}}
    assert bool(memory.fresh(networks, "home", NOW)) is kept
    assert bool(memory.merge(networks, "office", {}, NOW)) is kept


def test_a_network_says_nothing_about_another() -> None:
    assert memory.fresh(HOME, "office", NOW) == {}


@pytest.mark.parametrize(
    ("measured", "later_s", "is_news"),
    [
        ({}, 0, False),
        ({"a:443": (0.02, "FRA")}, 0, False),
        ({"a:443": (0.0219, "FRA")}, 0, False),
        ({"a:443": (0.0221, "FRA")}, 0, True),
        ({"a:443": (0.0181, "FRA")}, 0, False),
        ({"a:443": (0.0179, "FRA")}, 0, True),
        ({"a:443": (0.02, "FRA"), "b:443": (0.02, "")}, 0, True),
        ({"a:443": (0.02, "FRA")}, DAY - 61, False),
        ({"a:443": (0.02, "FRA")}, DAY + 1, True),
        ({"a:443": (0.02, "FRA")}, -2 * DAY, True),
    ],
)
def test_new_changed_and_old_ones_are_news(measured: memory.Measured, later_s: float, is_news: bool) -> None:
    assert memory.is_news(HOME["home"], measured, NOW + later_s) is is_news


PLACES = st.one_of(st.sampled_from(["a:443", "b:443", "c:80"]), st.text(max_size=300))
PATHS = st.builds(
    Path,
    rtt_s=st.floats(0.001, 59.9),
    at=st.floats(NOW - 9 * DAY, NOW + 2 * DAY),
    pop=st.sampled_from(["", "FRA"]),
    times=st.integers(1, 10**9),
)


@given(
    networks=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.dictionaries(PLACES, PATHS), max_size=20),
    measured=st.dictionaries(PLACES, st.tuples(st.floats(), st.sampled_from(["", "NYC"]))),
)
def test_a_merge_is_bounded_and_loses_nothing_that_was_measured(
    networks: dict[str, dict[str, Path]], measured: dict[str, tuple[float, str]]
) -> None:
    merged = memory.merge(networks, "here", measured, NOW)
    assert len(merged) <= 8
    paths = [path for known in merged.values() for path in known.values()]
    assert all(known for known in merged.values())
    assert all(NOW - 7 * DAY <= path.at <= NOW + DAY and 0 < path.rtt_s < 60 and path.times <= 10**9 for path in paths)
    others = sorted((p.at for known in networks.values() for p in known.values() if p.at <= NOW + DAY), reverse=True)
    if len(networks) < 8 and len(others) < 900:
        assert {p for p, (rtt_s, _) in measured.items() if 0 < rtt_s < 60} <= set(merged.get("here", {}))


def test_the_newest_networks_and_places_are_kept() -> None:
    networks = {f"n{n}": {"a:443": Path(0.02, NOW - n)} for n in range(1, 11)}
    assert set(memory.merge(networks, "here", {"a:443": (0.02, "")}, NOW)) == {"here", *(f"n{n}" for n in range(1, 8))}
    many = {"old": {f"{n}:443": Path(0.02, NOW - n) for n in range(1, 2001)}}
    merged = memory.merge(many, "here", {"a:443": (0.02, "")}, NOW)
    assert set(merged["here"]) == {"a:443"} and set(merged["old"]) == {f"{n}:443" for n in range(1, 1000)}


def test_a_full_document_with_the_longest_names_may_be_read() -> None:
    host = '"' * 253  # each takes two bytes in a document
    full = {
        f"{n:032}": {f"{host}:{n}{m:03}": Path(59.99999, NOW, "\\" * 32, 10**9) for m in range(125)} for n in range(8)
    }
    text = memory.write(full)
    assert len(text) < memory.MOST_BYTES
    assert sum(map(len, memory.read(text).values())) == 1000
