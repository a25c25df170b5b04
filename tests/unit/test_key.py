"""The exact cache's key: the same for the same question, another for any other. Its literals are format version 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edgeclient.cache import key as key_module
from edgeclient.cache.key import BODY_LEFT_OUT, HEADERS_LEFT_OUT, VERSION, _spelled, credential_digest, exact_key

PARTS: dict[str, Any] = {
    "credential": "c",
    "method": "POST",
    "origin": "https://api.openai.com/v1",
    "path": "/chat/completions",
    "query": "",
    "family": "openai_chat/gateway",
    "headers": [("openai-beta", "x"), ("accept", "application/json")],
    "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "नमस्ते 🧭"}], "temperature": 0.5},
}
# Stored entries are found by these. If one changes, VERSION must, and a changelog line must say so.
GOLDEN = [
    ({}, "92f20239dca3faf2d7f73aacbb59a1ee"),
    ({"credential": ""}, "61b7856cc2566af0c39ff9b643c6db13"),
    ({"headers": []}, "e1b6b29cad0cb96ed12b284ba00a1465"),
    ({"body": {}}, "e669161b71c120f1071bbc7a78f2e845"),
    ({"body": {"n": 1, "stop": None, "seed": 2**53, "x": [True, 1e-7, "\ud800"]}}, "a96c7219e910972f12f5fd9598a19dbb"),
    ({"body": {"x" * 65: ["y" * 64, "y" * 65, "\ud800" * 70]}}, "994e4cb16d43d2d5cd72ee5d61b22b06"),
    ({"family": "anthropic_messages/direct", "path": "/v1/messages"}, "9409902cbe3bb1ed2511b6482dc647df"),
]
CHAT = {
    "messages": [
        {"role": "system", "content": "s" * 65},
        {"content": "short", "role": "user"},
        {"role": "a" * 65, "content": "a" * 65},
        {"role": "user", "content": [{"type": "text", "text": "t" * 65}]},
        {"role": "tool", "content": "t" * 66, "tool_call_id": "c"},
        {"role": "user", "content": "u" * 64},
        ["in a list", {}],
        {"role": None, "content": "n" * 65},
    ],
    "m" * 65: [{}],
}
GOLDEN.append(({"body": CHAT}, "529ba5e7d68fdd59faa546bb511484a8"))
HEADERS = st.lists(
    st.tuples(st.from_regex(r"x-[a-z]{1,6}", fullmatch=True), st.text("abc1=,; ", max_size=8)), max_size=4
)
TEXTS = st.text() | st.text("ab", min_size=63, max_size=67)  # long strings are told another way
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CHATS = st.lists(st.fixed_dictionaries({"role": TEXTS, "content": TEXTS | VALUES}) | VALUES, max_size=5)
BODIES = st.dictionaries(st.text().filter(lambda name: name not in BODY_LEFT_OUT), VALUES, max_size=4)


def key(**changed: Any) -> str:
    return exact_key(**{**PARTS, **changed})


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(("changed", "golden"), GOLDEN)
def test_keys_stay_what_they_were(changed: dict[str, Any], golden: str) -> None:
    assert VERSION == 2
    assert key(**changed) == golden


def test_keys_are_the_same_without_the_json_module_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    monkeypatch.setattr(key_module, "_encode", key_module._encoding())
    assert [key(**changed) for changed, _ in GOLDEN] == [golden for _, golden in GOLDEN]


def _plainly(value: Any, long: list[str]) -> str:
    """What the key's first lines say of a large body, without any haste."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_plainly(k, long)}:{_plainly(value[k], long)}" for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_plainly(one, long) for one in value) + "]"
    if isinstance(value, str) and len(value) > 64:
        long.append(value)
        return f"#{len(value)}"
    return json.dumps(value)


@given(body=BODIES, chat=CHATS, name=st.sampled_from(["messages", "input", "z"]))
def test_a_large_body_is_spelled_as_it_is_written_down(body: dict[str, Any], chat: list[Any], name: str) -> None:
    asked, long, expected = {**body, name: chat}, list[str](), list[str]()
    assert _spelled(asked, long) == _plainly(asked, expected) and long == expected


def test_the_digest_of_a_credential_stays_what_it_was() -> None:
    assert credential_digest([("authorization", "Bearer sk-1")]) == "d980245736e0aa8960b12c3c21dd0944"


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_keys_do_not_depend_on_the_process(seed: str) -> None:
    program = (
        "import json, sys; from edgeclient.cache.key import *; given = json.load(sys.stdin);"
        "given = [{**one, 'headers': [tuple(item) for item in one['headers']]} for one in given];"
        "print([exact_key(**one) for one in given], credential_digest([('authorization', 'Bearer sk-1')]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([{**PARTS, **changed} for changed, _ in GOLDEN]),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    digest = credential_digest([("authorization", "Bearer sk-1")])
    assert said.stdout.strip() == f"{[golden for _, golden in GOLDEN]} {digest}"


def _turned(value: Any) -> Any:
    """The same JSON with the members of each object in the other order."""
    if isinstance(value, dict):
        return {name: _turned(inner) for name, inner in reversed(value.items())}
    return [_turned(inner) for inner in value] if isinstance(value, list) else value


@given(body=BODIES)
def test_the_order_of_members_does_not_matter(body: dict[str, Any]) -> None:
    assert key(body=_turned(body)) == key(body=body)


@given(headers=HEADERS, data=st.data())
def test_the_order_of_headers_does_not_matter(headers: list[tuple[str, str]], data: st.DataObject) -> None:
    assert key(headers=data.draw(st.permutations(headers))) == key(headers=headers)


@given(one=BODIES, other=BODIES)
def test_another_body_is_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(_canonical(one) != _canonical(other))
    assert key(body=one) != key(body=other)


@given(text=st.text("a#6", min_size=140, max_size=300), cuts=st.tuples(st.integers(0, 300), st.integers(0, 300)))
def test_where_a_long_text_ends_and_the_next_begins_counts(text: str, cuts: tuple[int, int]) -> None:
    parts = [(text[: min(cut, len(text))], text[cut:]) for cut in cuts]
    assume(parts[0] != parts[1])
    assert key(body={"x": parts[0]}) != key(body={"x": parts[1]})


@pytest.mark.parametrize("other", ["#65", "x" * 64 + "y", "x" * 66, "X" * 65, ["#65"]])
def test_a_long_text_is_told_from_what_is_like_it(other: Any) -> None:
    assert key(body={"a": "x" * 65, "b": "#65"}) != key(body={"a": other, "b": "#65"})
    assert key(body={"x" * 65: 1}) != key(body={"#65": 1})


@given(body=BODIES, name=st.text(), value=VALUES)
def test_one_changed_member_is_another_key(body: dict[str, Any], name: str, value: Any) -> None:
    assume(name not in BODY_LEFT_OUT)
    changed = {**body, name: value}
    assume(_canonical(changed) != _canonical(body))
    assert key(body=changed) != key(body=body)


@given(one=HEADERS, other=HEADERS)
def test_another_header_is_another_key(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    assume(sorted(one) != sorted(other))
    assert key(headers=one) != key(headers=other)


@pytest.mark.parametrize("part", ["credential", "method", "origin", "path", "query", "family"])
@given(value=st.text())
def test_another_part_is_another_key(part: str, value: str) -> None:
    assume(value != PARTS[part])
    assert key(**{part: value}) != key()


@given(text=st.text(min_size=1))
def test_what_stands_in_one_part_is_not_the_same_in_another(text: str) -> None:
    assert key(path=text, query="") != key(path="", query=text)
    assert key(headers=[(text, "")]) != key(headers=[("", text)])


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (1, "1"), (None, "null"), ([], {}), (0, False)])
def test_values_of_other_types_are_other_values(one: Any, other: Any) -> None:
    assert key(body={"x": one}) != key(body={"x": other})


@pytest.mark.parametrize("body", [{"stream": True}, {"stream_options": {"include_usage": True}}])
def test_a_stream_and_a_whole_answer_share_a_key(body: dict[str, Any]) -> None:
    assert key(body={**PARTS["body"], **body}) == key()
    nested = {"metadata": body}
    assert key(body={**PARTS["body"], **nested}) != key()  # left out at the top only


TELEMETRY = [
    "x-stainless-retry-count",
    "x-stainless-lang",
    "x-stainless-helper-method",
    "user-agent",
    "traceparent",
    "baggage",
    "idempotency-key",
    "x-request-id",
    "content-length",
    "cache-control",
    "edge-anything",
]


@pytest.mark.parametrize("name", sorted({*TELEMETRY, *HEADERS_LEFT_OUT}))
@given(value=st.text())
def test_telemetry_and_credentials_are_not_in_the_headers_part(name: str, value: str) -> None:
    assert key(headers=[*PARTS["headers"], (name, value)]) == key()


@pytest.mark.parametrize(
    "name", ["anthropic-version", "anthropic-beta", "openai-organization", "openai-project", "x-mine"]
)
def test_headers_that_may_change_an_answer_count(name: str) -> None:
    assert key(headers=[*PARTS["headers"], (name, "1")]) != key()


@given(first=st.text(min_size=1), second=st.text(min_size=1))
def test_callers_are_told_apart_by_their_credentials(first: str, second: str) -> None:
    assume(first != second)
    for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
        digests = {credential_digest([(name, value)]) for value in (first, second)}
        assert len(digests) == 2 and not any(first in digest for digest in digests if len(first) > 8)


def test_the_same_secret_in_another_header_is_another_caller() -> None:
    assert credential_digest([("authorization", "k")]) != credential_digest([("x-api-key", "k")])


def test_no_credential_no_digest() -> None:
    assert credential_digest([("user-agent", "x"), ("authorization", "")]) == ""


def test_the_order_of_credentials_does_not_matter() -> None:
    both = [("authorization", "a"), ("x-api-key", "b")]
    assert credential_digest(both) == credential_digest(both[::-1])
