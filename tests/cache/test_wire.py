"""An entry as bytes and back: equal, or a miss; never something else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stores import entry

from edgeclient import values
from edgeclient.cache.stores import wire
from edgeclient.values import Entry

GOLDEN = (
    b"ec\x01D\xaa\xd6\xc4\xafA\xcaQ\x00\x00\x00>"
    b'[true,[["request-id","r\\u00fc"]],10,0.0,100.0,"1","fra","FRA"]{"key":"a"}'
)
GOLDEN_2 = (
    b"ec\x02q\xf1\xea\x91\xed\x16\xe0`\x00\x00\x00C"
    b'[true,[["request-id","r\\u00fc"]],10,0.0,100.0,"1","fra","FRA",60.0]{"key":"a"}'
)
GOLDEN_3 = (
    b"ec\x03\xf2\x93\xf7L\xbe?jR\x00\x00\x00`"
    b'[true,[["request-id","r\\u00fc"]],10,0.0,100.0,"1","fra","FRA",0.0,"gpt-4o","faq","q1",["t","u"]]{"key":"a"}'
)
GOLDEN_4 = (
    b"ec\x04\xbeg>\x07\x1ar\xa0\xa4\x00\x00\x00_"
    b'[true,[["request-id","r\\u00fc"]],10,0.0,100.0,"1","fra","FRA",0.0,"gpt-4o","","",[],"AAP6AQ=="]{"key":"a"}'
)
GOLDEN_5 = (
    b"ec\x05\x0f3\r\xd2P\xb9\xaf8\x00\x00\x00V"
    b'[true,[["request-id","r\\u00fc"]],10,0.0,100.0,"1","fra","FRA",0.0,"","","",[],"",true]{"key":"a"}'
)


def _written(kept: Entry) -> bytes:
    """As one is written whose size is 10, as it is in the bytes above."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "BESIDE", 10 - len(kept.body) - len(kept.pace))
        return wire.encode(kept)


ENTRIES = st.builds(
    Entry,
    key=st.text(max_size=40),
    body=st.binary(max_size=200),
    has_usage=st.booleans(),
    request_id=st.binary(max_size=40),
    stored_at=st.floats(0, 2e9),
    expires_at=st.floats(0, 2e9),
    id=st.text(max_size=9),
    endpoint=st.text(max_size=9),
    pop=st.text(max_size=9),
    stale_s=st.just(0.0) | st.floats(0, 2e9),
    model=st.text(max_size=9),
    namespace=st.text(max_size=9),
    named=st.text(max_size=9),
    tags=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    pace=st.just(b"") | st.binary(max_size=40),
    calls_tools=st.booleans(),
)


@given(kept=ENTRIES)
@example(replace(entry(), id="\ud800"))
def test_decode_gives_back_what_was_encoded(kept: Entry) -> None:
    assert wire.decode(kept.key, wire.encode(kept)) == kept


@given(kept=ENTRIES, at=st.integers(0, 10_000), to=st.integers(1, 255))
def test_one_changed_byte_is_damage(kept: Entry, at: int, to: int) -> None:
    data = bytearray(wire.encode(kept))
    data[at % len(data)] ^= to
    with pytest.raises((wire.Damaged, wire.Newer)):
        wire.decode(kept.key, bytes(data))


@given(kept=ENTRIES, end=st.integers(0, 10_000))
def test_a_truncated_entry_is_damage(kept: Entry, end: int) -> None:
    data = wire.encode(kept)
    with pytest.raises(wire.Damaged):
        wire.decode(kept.key, data[: end % len(data)])


@given(data=st.binary(max_size=300))
@example(data=b"es")
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for said in (data, *(b"ec%c" % schema + data for schema in (1, 2, 3, 4, 5))):
        with pytest.raises((wire.Damaged, wire.Newer, wire.Unreadable)):
            wire.decode("a", said)


def test_an_entry_under_another_key_is_damage() -> None:
    with pytest.raises(wire.Damaged):
        wire.decode("b", wire.encode(entry("a")))


@pytest.mark.parametrize(
    "head", [b"", b"[]", b"{}", b"[1,2,3,4,5,6,7,8]", b'[true,[["a"]],1,2,3,"","",""]', b"[" * 5000]
)
def test_a_well_sealed_head_that_says_nothing_is_damage(head: bytes) -> None:
    rest = len(head).to_bytes(4, "big") + head
    with pytest.raises(wire.Damaged):
        wire.decode("a", b"ec\x01" + wire._digest("a", rest) + rest)


def test_a_newer_schema_is_told_from_damage() -> None:
    with pytest.raises(wire.Newer, match="schema 6"):
        wire.decode("a", b"ec\x06" + b"whatever it looks like then")


def test_schema_1_is_read_for_ever() -> None:
    """Bytes that lie on servers and disks already."""
    assert wire.decode("a", GOLDEN) == entry("a")
    assert _written(entry("a")) == GOLDEN


def test_schema_2_is_read_for_ever_and_written_only_for_what_is_kept_after_its_end() -> None:
    assert _written(entry("a", stale_s=60.0)) == GOLDEN_2
    assert wire.decode("a", GOLDEN_2) == entry("a", stale_s=60.0)


def test_schema_3_is_read_for_ever() -> None:
    said = replace(entry("a"), model="gpt-4o", namespace="faq", named="q1", tags=("t", "u"))
    assert _written(said) == GOLDEN_3
    assert wire.decode("a", GOLDEN_3) == said


def test_schema_4_is_read_for_ever_and_written_only_for_a_stream_with_its_pace() -> None:
    said = replace(entry("a"), model="gpt-4o", pace=b"\x00\x03\xfa\x01")
    assert _written(said) == GOLDEN_4
    assert wire.decode("a", GOLDEN_4) == said


def test_schema_5_is_read_for_ever_and_written_only_for_an_answer_that_calls_tools() -> None:
    said = replace(entry("a"), calls_tools=True)
    assert _written(said) == GOLDEN_5
    assert wire.decode("a", GOLDEN_5) == said


def test_a_head_of_one_schema_is_damage_in_the_other() -> None:
    for data, schema in ((GOLDEN, b"\x02"), (GOLDEN_2, b"\x01"), (GOLDEN, b"\x00")):
        with pytest.raises(wire.Damaged):
            wire.decode("a", data[:2] + schema + data[3:])


def test_it_is_small() -> None:
    kept = replace(entry("0" * 32, body=1000), id="chatcmpl-" + "x" * 24, request_id=b"r" * 40)
    assert len(wire.encode(kept)) - len(kept.body) <= 200
