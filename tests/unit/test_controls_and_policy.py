"""What a caller may say about caching, which answers make an entry, and which entries may answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache import controls, policy, upstream
from edgeclient.settings import Cache
from edgeclient.values import Call, Controls, Entry, Reply

from .answers import call, cases, replayed, storable

ASKED = {"model": "gpt-4o"}


@pytest.mark.parametrize("case", cases("controls"), ids=lambda case: case["name"])
def test_controls_are_read_from_the_headers(case: dict[str, Any]) -> None:
    assert controls.read([(name, value) for name, value in case["headers"]]) == Controls(**case["says"])


@given(said=st.lists(st.text()))
def test_odd_words_never_raise(said: list[str]) -> None:
    controls.read([("cache-control", value) for value in said])


def _entry_of(call: Call, body: bytes, status: int = 200, **changed: Any) -> Entry | None:
    where = {"now": 100.0, "fresh_s": 60.0, "endpoint": "fra", "pop": "FRA", **changed}
    headers = [(b"X-Request-Id", b"req_1"), (b"set-cookie", b"secret"), (b"content-type", b"application/json")]
    return policy.entry_of(call, Reply(status, headers), body, **where)


CHAT = json.dumps(storable("openai_chat", ["one"])).encode()


def test_an_entry_keeps_what_a_hit_needs() -> None:
    entry = _entry_of(call("openai_chat", ASKED), CHAT)
    assert entry is not None
    assert (entry.key, entry.id, entry.endpoint, entry.pop) == ("k", "chatcmpl-1", "fra", "FRA")
    assert (entry.stored_at, entry.expires_at) == (100.0, 160.0)
    assert entry.request_id == b"req_1"
    assert policy.headers_of(entry, call("openai_chat", ASKED)) == [(b"x-request-id", b"req_1")]  # and no cookie
    assert entry.has_usage and entry.size > len(CHAT)


@pytest.mark.parametrize("text", ["नमस्ते " * 50, "\ud83d" * 50])
def test_an_entry_takes_no_more_bytes_than_it_counts_also_when_it_has_answered(text: str) -> None:
    asked = call("openai_chat", ASKED)
    answer = json.dumps(storable("openai_chat", [text]), ensure_ascii="\ud83d" in text).encode()
    entry = _entry_of(asked, answer)
    assert entry is not None
    for _ in range(2):
        hit = json.loads(policy.render(entry, asked, 7.0))
        assert hit["choices"][0]["message"]["content"] == text
        assert len(entry.body) < entry.size - 500


def test_a_stream_and_a_whole_answer_make_equal_entries() -> None:
    usage = {"stream_options": {"include_usage": True}}
    stream = replayed("openai_chat", ["one"], stream=True, **usage)
    streamed = _entry_of(call("openai_chat", {"stream": True, **usage}), stream)
    whole = _entry_of(call("openai_chat", {}), replayed("openai_chat", ["one"]))
    assert streamed is not None and whole is not None
    told = [
        {name: said for name, said in json.loads(entry.body).items() if name != "id"} for entry in (streamed, whole)
    ]
    assert told[0] == told[1]


def test_each_hit_of_an_entry_has_its_own_id_and_time_and_the_same_rest() -> None:
    asked = call("openai_chat", ASKED)
    entry = _entry_of(asked, CHAT)
    assert entry is not None
    hits = [json.loads(policy.render(entry, asked, wall_s)) for wall_s in (7.9, 8.0, 9.0)]
    assert len({hit.pop("id") for hit in hits} | {"chatcmpl-1"}) == 4
    assert [hit.pop("created") for hit in hits] == [7, 8, 9]
    expected = {name: said for name, said in json.loads(CHAT).items() if name not in ("id", "created")}
    assert hits == [expected] * 3


def test_what_a_cache_beyond_had_is_as_old_here_and_is_kept_no_longer_than_there() -> None:
    def stored(*headers: tuple[bytes, bytes]) -> Entry | None:
        said = upstream.of(Reply(200, headers))
        return _entry_of(call("openai_chat", ASKED), CHAT, fresh_s=said.lifetime_s(60.0), age_s=said.age_s or 0.0)

    old = stored((b"Age", b"20"), (b"Cache-Status", b"pop; hit; ttl=30"))
    assert old is not None and (old.stored_at, old.expires_at) == (80.0, 130.0)
    assert stored((b"age", b"60")) is None  # it has ended already
    assert stored((b"cache-status", b"pop; hit; ttl=-1")) is None


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 429, 500])
def test_only_a_200_is_stored(status: int) -> None:
    assert _entry_of(call("openai_chat", ASKED), CHAT, status) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b'"x"', b"<html>", CHAT[:-1], CHAT + b"}", b"\xff\xfe", b"{}"],
    ids=lambda body: repr(body[:8]),
)
def test_what_is_no_answer_is_not_stored(body: bytes) -> None:
    assert _entry_of(call("openai_chat", ASKED), body) is None


def test_an_answer_in_the_other_form_is_not_stored() -> None:
    assert _entry_of(call("openai_chat", {"stream": True}), CHAT) is None
    assert _entry_of(call("openai_chat", {}), replayed("openai_chat", ["one"], stream=True)) is None


def test_a_very_large_answer_passes_by() -> None:
    large = json.dumps(storable("openai_chat", ["x" * 8 * 2**20])).encode()
    assert _entry_of(call("openai_chat", ASKED), large) is None


def test_a_call_without_a_dialect_stores_nothing() -> None:
    assert _entry_of(replace(call("openai_chat", ASKED), dialect=None), CHAT) is None


@pytest.mark.parametrize(
    ("now", "max_age_s", "expected"),
    [
        (100.0, None, True),
        (99.9, None, False),  # stored before the clock went back
        (159.9, None, True),
        (160.0, None, False),  # fresh until, and not at, its end
        (500.0, None, False),
        (110.0, 10.0, True),
        (110.1, 10.0, False),
        (100.0, 0.0, True),
        (100.1, 0.0, False),
        (160.0, 1000.0, False),  # a caller can ask for younger ones, not for stale ones
    ],
)
def test_an_entry_is_usable_while_it_is_young_enough(now: float, max_age_s: float | None, expected: bool) -> None:
    asked = replace(call("openai_chat", ASKED), controls=Controls(max_age_s=max_age_s))
    entry = _entry_of(asked, CHAT)
    assert entry is not None and policy.usable(entry, asked, now) is expected


@pytest.mark.parametrize(
    ("now", "max_age_s", "expected"),
    [
        (99.9, None, False),
        (169.9, None, True),
        (170.0, None, False),
        (120.0, 10.0, True),
        (120.1, 10.0, False),
        (169.9, 1000.0, True),
    ],
)
def test_a_stale_entry_is_usable_for_a_while(now: float, max_age_s: float | None, expected: bool) -> None:
    """It ends at 160, or when it is too old for this caller, and may have ended 10 seconds ago."""
    asked = replace(call("openai_chat", ASKED), controls=Controls(max_age_s=max_age_s))
    entry = _entry_of(asked, CHAT, stale_s=1000.0)
    assert entry is not None and entry.kept_until == 1160.0
    assert policy.usable(entry, asked, now, 10.0) is expected
    assert not policy.usable(entry, asked, 160.0)  # that it is kept does not make it fresh
    assert policy.fresh_until(entry, asked) == (110.0 if max_age_s == 10.0 else 160.0)


@pytest.mark.parametrize(
    ("said", "set_s", "given_s", "kept_s"),
    [
        (Controls(), 0.0, 0.0, 0.0),
        (Controls(), 60.0, 60.0, 60.0),
        (Controls(stale_if_error_s=5.0), 60.0, 5.0, 60.0),  # the others may still want it
        (Controls(stale_if_error_s=90.0), 60.0, 90.0, 90.0),
        (Controls(stale_if_error_s=0.0), 60.0, 0.0, 60.0),
        (Controls(max_age_s=10.0), 60.0, 0.0, 60.0),
        (Controls(max_age_s=10.0, stale_if_error_s=5.0), 60.0, 5.0, 60.0),
    ],
)
def test_for_how_long_a_stale_entry_answers(said: Controls, set_s: float, given_s: float, kept_s: float) -> None:
    assert policy.stale_s(said, set_s) == given_s
    assert policy.kept_stale_s(said, Cache(stale_if_error_s=set_s)) == kept_s
    assert policy.kept_stale_s(said, Cache(stale_if_error_s=set_s, stale_while_revalidate_s=500)) == max(kept_s, 500)


def test_an_entry_without_usage_does_not_answer_who_wants_it() -> None:
    entry = _entry_of(call("openai_chat", {"stream": True}), replayed("openai_chat", ["one"], stream=True))
    assert entry is not None and not entry.has_usage
    assert policy.usable(entry, call("openai_chat", {"stream": True}), 101.0)
    assert not policy.usable(entry, call("openai_chat", {}), 101.0)


ODD_NUMBERS = ("-0", "1E400", "9007199254740993.0", "5e-324", "12345678901234567890123", "NaN", "-Infinity", "01", "1.")
ODD_TEXTS = (r'"\ud800"', r'"\ud83d\ude00"', '"\n"', '"\x7f"', r'"\x41"', "[" * 900 + "]" * 900, '{"b":1,"b":2}', "nan")


@given(
    said=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ).map(json.dumps)
    | st.sampled_from(ODD_NUMBERS + ODD_TEXTS)
    | st.from_regex(r"-?[0-9]{0,20}\.?[0-9]{0,20}([eE][+-]?[0-9]{0,3})?", fullmatch=True),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    rest=st.sampled_from(["", "", " \n", "x", ","]),
)
def test_the_quick_parser_reads_what_the_other_one_reads(said: str, encoding: str, rest: str) -> None:
    body = f'{{"a":{said}}}{rest}'.encode(encoding, "surrogatepass")
    try:
        expected = json.loads(body)
    except (ValueError, RecursionError):
        expected = None
    assert repr(policy.object_of(body)) == repr(expected)  # by what is written: NaN is not NaN, and 1 is 1.0
