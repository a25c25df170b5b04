"""The dialects: what may be stored, and answers that go into a stream and come out of it as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeclient.dialects import aside_of, dialect_of, sse

from .answers import ANSWERS, PATHS, cases, dialect, replayed, storable

TABLE = [(name, case) for name, table in cases("dialects").items() for case in table]
STREAMED = ("openai_chat", "openai_responses", "anthropic_messages")

# With lone surrogates, which JSON can say and UTF-8 can't: half an emoji at the end of a truncated prompt.
texts = st.lists(st.text(st.characters(), min_size=1), min_size=1, max_size=3)
awkward = [["data: [DONE]\n\n"], ["event: message_stop\n\n", "\r\n\r\n"], ["\u2028\u0085\x0b", "\ufeff"], ["नमस्ते 🧭\n"]]
streamed = pytest.mark.parametrize("name", STREAMED)
every = pytest.mark.parametrize("name", list(ANSWERS))


@pytest.mark.parametrize(("name", "case"), TABLE, ids=[f"{name}: {case['name']}" for name, case in TABLE])
def test_only_complete_answers_may_be_stored(name: str, case: dict[str, Any]) -> None:
    assert dialect(name).storable(case["answer"]) is case["storable"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/chat/completions", ("openai", "openai_chat")),
        ("POST", "/openai/deployments/mine/chat/completions", ("openai", "openai_chat")),
        ("POST", "/responses", ("openai", "openai_responses")),
        ("POST", "/embeddings", ("openai", "openai_embeddings")),
        ("POST", "/v1/messages", ("anthropic", "anthropic_messages")),
        ("GET", "/chat/completions", None),
        ("POST", "/v1/messages/count_tokens", None),
        ("POST", "/v1/messages/batches", None),
        ("POST", "/responses/resp_1/cancel", None),
        ("POST", "/audio/speech", None),
        ("POST", "/files", None),
    ],
)
def test_the_dialect_of_a_request(method: str, path: str, expected: tuple[str, str] | None) -> None:
    found = dialect_of(method, path)
    assert (None if found is None else (found[0], found[1].name)) == expected


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/moderations", ("openai", "openai_moderations")),
        ("POST", "/responses/input_tokens", ("openai", "openai_input_tokens")),
        ("POST", "/v1/messages/count_tokens", ("anthropic", "anthropic_count_tokens")),
        ("GET", "/moderations", None),
        ("POST", "/v1/messages", None),
        ("POST", "/v1/messages/batches", None),
        ("POST", "/images/generations", None),
        ("POST", "/audio/transcriptions", None),
        ("POST", "/realtime/client_secrets", None),
        ("POST", "/files", None),
    ],
)
def test_the_dialect_of_a_request_that_no_endpoint_takes(
    method: str, path: str, expected: tuple[str, str] | None
) -> None:
    found = aside_of(method, path)
    assert (None if found is None else (found[0], found[1].name)) == expected


def _as_stored(name: str, answer: Any) -> Any:
    """The same answer without what each replay makes anew."""
    made_anew = {"id", "created", "created_at"} if name != "openai_responses" else {"created_at"}
    return {field: value for field, value in answer.items() if field not in made_anew}


def _round_trip(name: str, said: list[str]) -> None:
    body = {"stream": True, "stream_options": {"include_usage": True}}
    answer = storable(name, said)
    assert dialect(name).storable(answer)
    again = dialect(name).whole(replayed(name, said, **body))
    assert again is not None and dialect(name).storable(again)
    assert _as_stored(name, again) == _as_stored(name, answer)


@streamed
@given(said=texts)
def test_a_stream_spells_out_the_same_answer(name: str, said: list[str]) -> None:
    _round_trip(name, said)


@streamed
@pytest.mark.parametrize("said", awkward)
def test_awkward_texts_survive_a_stream(name: str, said: list[str]) -> None:
    _round_trip(name, said)


@every
@given(said=texts)
def test_a_json_replay_is_the_same_answer(name: str, said: list[str]) -> None:
    answer = storable(name, said)
    assert _as_stored(name, json.loads(replayed(name, said))) == _as_stored(name, answer)


@streamed
def test_a_stream_with_crlf_is_the_same(name: str) -> None:
    stream = replayed(name, ["one", "two"], stream=True)
    assert dialect(name).whole(stream.replace(b"\n", b"\r\n")) == dialect(name).whole(stream) is not None


@streamed
def test_pings_and_comments_change_nothing(name: str) -> None:
    stream = replayed(name, ["one"], stream=True)
    first, rest = stream.split(b"\n\n", 1)
    assert dialect(name).whole(first + b"\n\n: keep-alive\n\n" + rest) == dialect(name).whole(stream) is not None


@pytest.mark.parametrize("name", ["openai_responses", "anthropic_messages"])
@given(said=texts, cut=st.integers(0, 10_000))
def test_a_truncated_stream_is_no_answer(name: str, said: list[str], cut: int) -> None:
    """Of openai_chat, see test_once_broken."""
    stream = replayed(name, said, stream=True)
    blocks = stream.removesuffix(b"\n\n").split(b"\n\n")
    kept = blocks[: cut % len(blocks)]
    assert dialect(name).whole(b"\n\n".join(kept) + b"\n\n") is None


@streamed
def test_a_stream_cut_before_its_end_is_no_answer(name: str) -> None:
    """Anywhere: within an event, a line or a letter. Of a second choice, see test_once_broken."""
    stream = replayed(name, ["नमस्ते 🧭"], stream=True)
    last_event = stream.removesuffix(b"\n\n").rindex(b"\n\n")
    if name == "openai_chat":
        last_event = stream.rindex(b'"stop"')
    for cut in range(last_event):
        answer = dialect(name).whole(stream[:cut])
        assert answer is None or not dialect(name).storable(answer), stream[:cut]


@streamed
@pytest.mark.parametrize("other", STREAMED)
def test_a_foreign_stream_is_no_answer(name: str, other: str) -> None:
    if other != name:
        answer = dialect(name).whole(replayed(other, ["one"], stream=True))
        assert answer is None or not dialect(name).storable(answer)


@every
@given(stream=st.binary() | st.binary().map(lambda raw: b"data: " + raw + b"\n\n"))
@example(stream=b"\xff\xfe")
@example(stream=b"data: [DONE]\n\n")
@example(stream=b"data: 7\n\n")
@example(stream=b"data: {}\n\ndata: [DONE]\n\n")
def test_noise_is_no_answer(name: str, stream: bytes) -> None:
    answer = dialect(name).whole(stream)
    assert answer is None or not dialect(name).storable(answer)


@streamed
@given(said=texts, at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_garbled_stream_never_raises(name: str, said: list[str], at: int, byte: int) -> None:
    stream = bytearray(replayed(name, said, stream=True))
    stream[at % len(stream)] = byte
    dialect(name).whole(bytes(stream))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("openai_chat", {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": None}]}),
        ("openai_chat", {"choices": [{"index": 0, "delta": {"refusal": "No."}, "finish_reason": None}]}),
        ("openai_chat", {"choices": [{"index": 0, "delta": {"reasoning": "Hm."}, "finish_reason": None}]}),
        ("openai_chat", {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [1]}}]}),
        ("openai_chat", {"choices": [], "citations": ["x"]}),
        ("openai_chat", {"error": {"message": "overloaded"}}),
        ("anthropic_messages", {"type": "error", "error": {"type": "overloaded_error"}}),
        ("anthropic_messages", {"type": "a_new_event"}),
        ("anthropic_messages", {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}}),
        ("anthropic_messages", {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta"}}),
        (
            "anthropic_messages",
            {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        ),
    ],
)
def test_an_event_that_is_not_understood_spoils_the_answer(name: str, change: dict[str, Any]) -> None:
    blocks = replayed(name, ["one"], stream=True).split(b"\n\n")
    middle = 2 if name == "openai_chat" else 3
    stream = b"\n\n".join([*blocks[:middle], b"data: " + json.dumps(change).encode(), *blocks[middle:]])
    assert dialect(name).whole(b"\n\n".join(blocks)) is not None
    assert dialect(name).whole(stream) is None


@streamed
def test_the_closing_event_stands_at_the_end_and_nowhere_before(name: str) -> None:
    stream, closing = replayed(name, ["one", "two"], stream=True), dialect(name).closing
    if closing:
        assert stream.count(closing) == 1
        assert closing in stream.removesuffix(b"\n\n").rpartition(b"\n\n")[2]


# -- what one request asks for and another does not


@pytest.mark.parametrize(
    ("stored_with_usage", "body", "served"),
    [
        (True, {}, True),
        (True, {"stream": True}, True),
        (True, {"stream": True, "stream_options": {"include_usage": True}}, True),
        (False, {}, False),
        (False, {"stream": True}, True),
        (False, {"stream": True, "stream_options": None}, True),
        (False, {"stream": True, "stream_options": {"include_usage": False}}, True),
        (False, {"stream": True, "stream_options": {"include_usage": True}}, False),
    ],
)
def test_chat_serves_usage_only_where_it_has_it(stored_with_usage: bool, body: dict[str, Any], served: bool) -> None:
    assert dialect("openai_chat").serves(stored_with_usage, body) is served


def test_a_chat_stream_tells_usage_only_when_asked() -> None:
    without = sse.parsed(replayed("openai_chat", ["one"], stream=True))
    asked = sse.parsed(replayed("openai_chat", ["one"], stream=True, stream_options={"include_usage": True}))
    assert without is not None and asked is not None
    assert not any("usage" in chunk for chunk in without)
    assert [chunk["usage"] for chunk in asked] == [None] * (len(asked) - 1) + [
        storable("openai_chat", ["one"])["usage"]
    ]
    assert asked[-1]["choices"] == []


@pytest.mark.parametrize("body", [{"background": True}, {"conversation": "conv_1"}])
def test_a_response_that_changes_state_is_not_served(body: dict[str, Any]) -> None:
    assert dialect("openai_responses").serves(True, {}) and not dialect("openai_responses").serves(True, body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("store", "kept"), [({}, True), ({"store": True}, True), ({"store": None}, True), ({"store": False}, False)]
)
def test_a_response_keeps_its_id_unless_it_is_not_stored(stream: bool, store: dict[str, Any], kept: bool) -> None:
    said = replayed("openai_responses", ["one"], stream=stream, **store)
    if stream:
        events = sse.parsed(said)
        assert events is not None
        ids = {event["response"]["id"] for event in events if "response" in event}
    else:
        ids = {json.loads(said)["id"]}
    assert len(ids) == 1 and (ids == {"resp_1"}) is kept


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages"])
def test_other_replays_have_an_id_of_their_own(name: str) -> None:
    ids = {json.loads(replayed(name, ["one"]))["id"] for _ in range(3)}
    original = storable(name, ["one"])["id"]
    assert len(ids) == 3 and original not in ids
    assert {i.partition("_")[0].partition("-")[0] for i in ids} == {original.partition("_")[0].partition("-")[0]}


@pytest.mark.parametrize(("name", "member"), [("openai_chat", "created"), ("openai_responses", "created_at")])
def test_replays_are_created_now(name: str, member: str) -> None:
    assert json.loads(replayed(name, ["one"]))[member] == 1_700_000_000


@streamed
def test_a_replay_leaves_the_stored_answer_alone(name: str) -> None:
    answer = storable(name, ["one", "two"])
    before = json.dumps(answer)
    dialect(name).replay(answer, {"stream": True})
    assert json.dumps(answer) == before


def test_paths_are_complete() -> None:
    assert PATHS.keys() == ANSWERS.keys() == cases("dialects").keys()
