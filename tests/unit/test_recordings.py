"""How calls are spelled in a recording, what is scrubbed, and which recorded call is nearest. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgeclient.http.taping import Answered, Asked, Broke
from edgeclient.testing import file
from edgeclient.testing.comparing import explain
from edgeclient.testing.scrubbing import Scrubber
from edgeclient.testing.spelling import outcome, read_outcome, request

PLAIN = Scrubber([])
TYPES = ["application/json", "text/event-stream; charset=utf-8", "text/plain", "audio/mpeg", ""]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)


def answered(body: bytes, kind: str, broke: Broke | None = None) -> Answered:
    return Answered(200, (("content-type", kind),), body, broke)


def through_a_file(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    file.write(path, [({"method": "GET", "path": "/"}, said)], ())
    ((_, answer),) = file.read(path)
    return answer


@given(
    body=st.binary() | st.text().map(str.encode),
    kind=st.sampled_from(TYPES),
    broke=st.none() | st.just(Broke("ReadError", "x")),
)
@example(body=b"data: 1\n\ndata: 2\n\n", kind=TYPES[1], broke=None)
@example(body=b"data: 1\r\n\r\n\n\n\n", kind=TYPES[1], broke=None)
@example(body=b'{"cut": ', kind=TYPES[0], broke=None)
def test_a_body_comes_back(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, kind: str, broke: Broke | None
) -> None:
    had = answered(body, kind, broke)
    path = tmp_path_factory.getbasetemp() / "recording.json"
    got = read_outcome(through_a_file(path, outcome(had, PLAIN, ())))
    assert isinstance(got, Answered) and (got.status, got.headers, got.broke) == (had.status, had.headers, had.broke)
    if "json" not in kind:
        assert got.body == body
        return
    try:
        assert json.loads(got.body) == json.loads(body)
    except ValueError:
        assert got.body == body


@given(value=JSON)
@example(value={"b": 1, "a": "\ud800"})
@example(value=[1e400, -0.0, 10**30, "\u2028"])
def test_json_comes_back_in_its_order(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "recording.json"
    got = read_outcome(through_a_file(path, outcome(answered(json.dumps(value).encode(), TYPES[0]), PLAIN, ())))
    assert isinstance(got, Answered) and json.dumps(json.loads(got.body)) == json.dumps(value)


def asked(value: Any = None, **more: Any) -> Asked:
    said = {"method": "POST", "host": "api.openai.com", "path": "/v1/x", "query": (), "secrets": ()}
    kind = "application/json" if value is not None else ""
    return Asked(**{**said, "content_type": kind, "body": json.dumps(value).encode(), **more})


def test_the_boundary_of_an_upload_is_no_difference() -> None:
    spelled = [
        request(
            asked(
                content_type=f'multipart/form-data; boundary="{drawn}"',
                body=f"--{drawn}\r\na\xff\r\n--{drawn}--".encode(),
            ),
            PLAIN,
        )
        for drawn in ("0" * 32, "f" * 32)
    ]
    assert spelled[0] == spelled[1] and spelled[0]["text"].startswith("--boundary\r\n")


def test_an_empty_list_is_another_body_than_none() -> None:
    spelled = [request(asked(value), PLAIN) for value in ([], {}, None)] + [request(asked([], body=b""), PLAIN)]
    assert len({json.dumps(one) for one in spelled}) == 4 and "query" not in spelled[0]


def test_ports_of_loopback_are_no_difference_and_hosts_are() -> None:
    hosts = [request(asked(host=host), PLAIN)["host"] for host in ("127.0.0.1", "::1", "localhost", "api.openai.com")]
    assert hosts == ["localhost"] * 3 + ["api.openai.com"]


@given(secret=st.text('XYZ"\\\né', min_size=3, max_size=9), around=st.text("abc", max_size=5))
def test_a_secret_is_in_nothing_that_is_spelled(secret: str, around: str) -> None:
    scrub, text = Scrubber([secret]), f"{around}{secret}{around}"
    for body, kind in ((json.dumps({text: [text]}), TYPES[0]), (f"data: {json.dumps(text)}\n\n", TYPES[1]), (text, "")):
        got = read_outcome(outcome(answered(body.encode(), kind), scrub, ()))
        assert isinstance(got, Answered) and f"{around}SCRUBBED{around}".encode() in got.body
        assert json.dumps(secret)[1:-1].encode() not in got.body and secret.encode() not in got.body


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ({"a": [1, {"b/c": 1}]}, '/a/1/b~1c: asked 1, recorded 2'),
        ({"a": [1, {"b/c": 2}, 3]}, "/a/2: asked 3, recorded nothing"),
        ({"a": [True, {"b/c": 2}]}, "/a/0: asked true, recorded 1"),
        ({"a": "x" * 200}, '/a: asked "' + "x" * 76 + "..., recorded"),
        ([1], 'the body: asked [1], recorded {"a"'),
    ],
)  # fmt: skip
def test_the_first_difference_is_a_json_pointer(one: Any, said: str) -> None:
    text = explain(request(asked(one), PLAIN), [request(asked({"a": [1, {"b/c": 2}]}), PLAIN)])
    assert said in text


def test_the_nearest_has_the_path_then_the_model_then_the_most_in_common() -> None:
    known = [
        request(asked({"model": "m", "input": "q", "n": 1}, path="/v1/y"), PLAIN),
        request(asked({"model": "other", "input": "q", "n": 1}), PLAIN),
        request(asked({"model": "m", "input": "something else", "n": 2}), PLAIN),
        request(asked({"model": "m", "input": "quite else", "n": 1}), PLAIN),
    ]
    for left in (known, known[:3], known[:2], known[:1]):
        text = explain(request(asked({"model": "m", "input": "q", "n": 1}, query=()), PLAIN), left)
        wanted = {
            4: '/input: asked "q", recorded "quite else"',
            3: '"something else"',
            2: 'model: asked "m"',
            1: "path:",
        }
        assert wanted[len(left)] in text
    assert explain(known[0], []) == "nothing is recorded there"
