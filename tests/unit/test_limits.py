"""The pause that an answer asks for, in any of its spellings."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.pops.limits import exhausted_s, processing_s, retry_after_s
from edgeclient.values import Reply

DATE = email.utils.formatdate(1_700_000_060, usegmt=True).encode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"retry-after", b"7")], 7.0),
        ([(b"Retry-After", b"0.5")], 0.5),
        ([(b"retry-after-ms", b"250")], 0.25),
        ([(b"x-ms-retry-after-ms", b"250")], 0.25),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"250")], 0.25),
        ([(b"retry-after", DATE)], 60.0),
        ([(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT")], 0.0),
        ([(b"retry-after", b"-5")], 0.0),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"")], None),
        ([(b"retry-after", b"nan")], 0.0),
    ],
)
def test_the_pause_an_answer_asks_for(headers: list[tuple[bytes, bytes]], expected: float | None) -> None:
    assert retry_after_s(Reply(429, headers), 1_700_000_000.0) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"x-ratelimit-remaining-requests", b"3"), (b"x-ratelimit-reset-requests", b"9s")], None),
        ([(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"1m2.5s")], 62.5),
        ([(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"20ms")], 0.02),
        (
            [
                (b"anthropic-ratelimit-requests-remaining", b"0"),
                (b"anthropic-ratelimit-requests-reset", b"2023-11-14T22:14:00Z"),
            ],
            40.0,
        ),
        ([(b"x-ratelimit-remaining-requests", b"0")], None),
        ([(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"2023-11-14T22:14:00")], None),
        ([(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"soon")], None),
        ([(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"1..2s")], None),
    ],
)
def test_a_rate_limit_is_read_before_it_bites(headers: list[tuple[bytes, bytes]], expected: float | None) -> None:
    assert exhausted_s(Reply(200, headers), 1_700_000_000.0) == expected


@pytest.mark.parametrize(("said", "expected"), [(b"412", 0.412), (b"-3", 0.0), (b"soon", None), (b"", None)])
def test_the_models_own_time(said: bytes, expected: float | None) -> None:
    assert processing_s(Reply(200, [(b"openai-processing-ms", said)])) == expected


DATES = st.from_regex(
    r"(Mon|Foo), [0-9]{1,9} (Jan|Bar) -?[0-9]{1,9} [0-9]{1,3}:[0-9]{1,3}(:[0-9]{1,3})? (GMT|[+-][0-9]{1,9}|)",
    fullmatch=True,
)


TIMES = st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}|)", fullmatch=True
)


@given(
    said=st.text(st.characters(max_codepoint=255))
    | TIMES
    | st.just("0001-01-01T00:00:00")
    | st.from_regex(r"([0-9.]+(ms|[hms]))+")
)
def test_an_odd_reset_never_raises(said: str) -> None:
    headers = [
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", said.encode("latin-1", "replace")),
    ]
    pause = exhausted_s(Reply(200, headers), 1_700_000_000.0)
    assert pause is None or pause >= 0


@given(said=st.text(st.characters(max_codepoint=255)) | DATES | st.floats().map(str))
def test_an_odd_pause_never_raises(said: str) -> None:
    pause = retry_after_s(Reply(429, [(b"retry-after", said.encode("latin-1"))]), 1_700_000_000.0)
    assert pause is None or pause >= 0
