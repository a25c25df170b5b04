"""The tee: it sees a body pass in any parts, knows when it is complete, and says so once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeclient.cache.tee import AwaitedTee, ErrorEvent, Tee
from edgeclient.dialects import dialect_of
from edgeclient.judging import broken_by
from edgeclient.values import Failure

CLOSING = b"data: [DONE]"
STREAM = b'data: {"a": 1}\n\ndata: {"a": 2}\n\ndata: [DONE]\n\n'
LARGE = 10**6


class Ends:
    """The ends that a tee told."""

    def __init__(self, closing: bytes = CLOSING, limit: int = LARGE) -> None:
        self.told: list[tuple[bytes | None, BaseException | None]] = []
        self.tee = Tee(lambda body, error: self.told.append((body, error)), closing=closing, limit=limit)


def _parts(body: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[a:b] for a, b in pairwise(at)]


@given(cuts=st.lists(st.integers(0, 1000), max_size=8), crlf=st.booleans())
def test_the_closing_event_is_seen_wherever_it_is_cut(cuts: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    ends = Ends()
    for part in _parts(stream, cuts):
        assert not ends.told
        ends.tee.feed(part)
    assert ends.told == [(stream, None)]  # before anybody said that it ended


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_without_the_whole_closing_event_it_goes_on(cuts: list[int]) -> None:
    ends = Ends()
    for part in _parts(STREAM[:-1], cuts):
        ends.tee.feed(part)
    assert not ends.told and not ends.tee.ended


def test_a_named_closing_event_with_its_data_is_seen() -> None:
    ends = Ends(closing=b"event: message_stop")
    ends.tee.feed(b'event: ping\ndata: {}\n\nevent: message_stop\ndata: {"type":"message_stop"}')
    assert not ends.told
    ends.tee.feed(b"\n\n")
    assert len(ends.told) == 1


@given(parts=st.lists(st.binary()))
def test_without_a_closing_event_the_end_tells(parts: list[bytes]) -> None:
    ends = Ends(closing=b"")
    for part in parts:
        ends.tee.feed(part)
    assert not ends.told
    ends.tee.end(complete=True)
    assert ends.told == [(b"".join(parts), None)]


def test_a_second_end_is_ignored() -> None:
    ends = Ends()
    ends.tee.feed(STREAM)
    ends.tee.end(complete=False, error=OSError("the reader left"))
    ends.tee.end(complete=True)
    ends.tee.feed(b"more")
    assert ends.told == [(STREAM, None)]


def test_a_broken_body_is_not_kept_and_its_error_is_told() -> None:
    ends, error = Ends(), OSError("broken")
    ends.tee.feed(STREAM[:20])
    ends.tee.end(complete=False, error=error)
    assert ends.told == [(None, error)]


def test_a_body_that_its_reader_left_is_nobodys_fault() -> None:
    ends = Ends()
    ends.tee.feed(STREAM[:20])
    ends.tee.end(complete=False)
    assert ends.told == [(None, None)]


@pytest.mark.parametrize(("limit", "kept"), [(len(STREAM), True), (len(STREAM) - 1, False), (0, False)])
def test_a_body_larger_than_the_limit_is_not_kept(limit: int, kept: bool) -> None:
    ends = Ends(limit=limit)
    for part in _parts(STREAM, [10, 20]):
        ends.tee.feed(part)
    assert ends.told == [(STREAM if kept else None, None)]


def test_a_smaller_part_after_the_limit_does_not_make_it_whole() -> None:
    ends = Ends(closing=b"", limit=4)
    for part in (b"abc", b"defg", b"h"):
        ends.tee.feed(part)
    ends.tee.end(complete=True)
    assert ends.told == [(None, None)]


BROKEN = (
    b'data: {"a": 1}\n\ndata: {"id": "x", "error": {"code": 502, "message": "gone"}, "choices": []}\n\ndata: [DONE]\n\n'
)


@given(cuts=st.lists(st.integers(0, 1000), max_size=8))
def test_an_event_that_says_that_it_broke_ends_it_wherever_it_is_cut(cuts: list[int]) -> None:
    told: list[tuple[bytes | None, BaseException | None]] = []
    found = dialect_of("POST", "/chat/completions")
    failing = found[1].failing if found is not None else None
    tee = Tee(lambda body, error: told.append((body, error)), closing=CLOSING, limit=LARGE, failing=failing)
    for part in _parts(BROKEN, cuts):
        tee.feed(part)
    ((body, error),) = told
    assert body is None and isinstance(error, ErrorEvent) and b'"error": {' in error.said


@pytest.mark.parametrize(
    ("path", "events", "broken"),
    [
        ("/chat/completions", b'data: {"choices":[{"delta":{"content":"\\"error\\": {"}}]}\n\n', False),
        ("/chat/completions", b'data: {"error":{"message":"x","code":null}}\n\n', True),
        ("/chat/completions", b'data: {"id":"gen-1","created":1,"error":{"code":502},"choices":[]}\n\n', True),
        (
            "/chat/completions",
            b'data: {"choices":[{"content_filter_results":{"error":{"code":"x"}}}]}\n\n',
            False,
        ),  # Azure
        ("/chat/completions", b'data: {"choices":[]}\n\ndata: {"error":{"message":"x"}}\n\n', True),
        ("/responses", b'event: response.created\ndata: {"response":{"error":null}}\n\n', False),
        (
            "/responses",
            b'data: {"type":"response.output_item.done","item":{"type":"mcp_call","error":{"a":1}}}\n\n',
            False,
        ),
        ("/responses", b'event: response.failed\ndata: {"type":"response.failed"}\n\n', True),
        ("/responses", b'data: {"type":"error","message":"x"}\n\n', True),
        ("/v1/messages", b'event: ping\ndata: {"type":"ping"}\n\n', False),
        ("/v1/messages", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', True),
    ],
)
def test_each_api_has_its_own_way_to_say_that_an_answer_broke_off(path: str, events: bytes, broken: bool) -> None:
    found = dialect_of("POST", path)
    assert found is not None and found[1].failing is not None
    assert (found[1].failing.search(b"\n" + events) is not None) is broken


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OSError("reset"), Failure.TERMINATED),
        (ErrorEvent(b'"error": {"code": 502'), Failure.STATUS),
        (ErrorEvent(b'"error": {"code": "429"'), Failure.THROTTLED),
        (ErrorEvent(b'"error": {"code": 408'), Failure.STATUS),
        (ErrorEvent(b'"error": {"code": 400'), None),
        (ErrorEvent(b'"error": {"code": "rate_limit_exceeded"'), Failure.STATUS),
        (ErrorEvent(b"\nevent: error"), Failure.STATUS),
    ],
)
def test_what_a_broken_stream_says_about_its_endpoint(error: BaseException, failure: Failure | None) -> None:
    assert broken_by(error) is failure


def test_one_whose_end_others_wait_for_tells_that_it_was_forgotten() -> None:
    told: list[bytes | None] = []
    for kind in (Tee, AwaitedTee):
        tee = kind(lambda body, error: told.append(body), closing=b"", limit=10)
        tee.feed(b"a")
        del tee
    assert told == [None]
    tee = AwaitedTee(lambda body, error: told.append(body), closing=b"", limit=10)
    tee.feed(b"a")
    tee.end(complete=True)
    del tee
    assert told == [None, b"a"]
