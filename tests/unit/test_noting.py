"""Notes: the headers that say them, and the way back from an answer to its notes, without keeping answers alive."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest

from edgeclient import noting
from edgeclient.noting import Attempt, Notes, attach, headers, notes

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Notes(), []),
        (Notes(cache="miss", key=KEY), [("cache-status", f'edgeclient; fwd=miss; key="{KEY}"')]),
        (
            Notes(cache="miss", stored=True, ttl_s=60.9, key=KEY),
            [("cache-status", f'edgeclient; fwd=miss; ttl=60; stored; key="{KEY}"')],
        ),
        (Notes(cache="bypass"), [("cache-status", "edgeclient; fwd=bypass")]),
        (
            Notes(cache="hit", ttl_s=-0.25),
            [("cache-status", "edgeclient; hit; ttl=-1")],
        ),
        (
            Notes(cache="hit", ttl_s=59.0, collapsed=True, took_ms=0.25),
            [("cache-status", "edgeclient; hit; ttl=59; collapsed"), ("server-timing", "edge;dur=0.250")],
        ),
        (
            Notes(tried=(Attempt("fra", "connection_refused"), Attempt("bom", "ok", 200)), took_ms=12.5, rtt_ms=3.25),
            [
                ("proxy-status", 'edgeclient; next-hop="fra"; error=connection_refused'),
                ("proxy-status", 'edgeclient; next-hop="bom"; received-status=200'),
                ("server-timing", "edge;dur=12.500, edge-rtt;dur=3.250"),
            ],
        ),
        (
            Notes(tried=(Attempt("fra", "status", 503),)),
            [("proxy-status", 'edgeclient; next-hop="fra"; received-status=503')],
        ),
    ],
)
def test_headers_say_the_notes(said: Notes, expected: list[tuple[str, str]]) -> None:
    assert [(name.decode(), value.decode()) for name, value in headers(said)] == expected


def test_notes_as_plain_values() -> None:
    plain = Notes(route="gateway", tried=(Attempt("fra", "ok", 200),)).as_dict()
    assert plain["route"] == "gateway" and plain["tried"] == (
        {"endpoint": "fra", "outcome": "ok", "status": 200, "model": ""},
    )
    json.dumps(plain)


class Answer:
    """An object as the SDKs return them: it can be referred to weakly."""


class Native:
    def __init__(self, **extensions: Any) -> None:
        self.extensions = extensions


def test_an_answer_gives_its_own_notes() -> None:
    one, other = Answer(), Answer()
    attach(one, Notes(route="gateway"))
    attach(other, Notes(route="inference"))
    said = notes(one), notes(other), notes(Answer())
    assert said == (Notes(route="gateway"), Notes(route="inference"), None)


def test_the_last_notes_of_an_answer_count() -> None:
    answer = Answer()
    attach(answer, Notes(route="gateway"))
    gc.collect()
    attach(answer, Notes(route="inference"))
    assert notes(answer) == Notes(route="inference")


def test_answers_are_not_kept_alive() -> None:
    kept_before, answers = len(noting._beside), [Answer() for _ in range(100)]
    for answer in answers:
        attach(answer, Notes())
    assert len(noting._beside) == kept_before + 100
    refs = [weakref.ref(answer) for answer in answers]
    del answer, answers
    gc.collect()
    assert not any(ref() for ref in refs)
    assert len(noting._beside) == kept_before


def test_answers_in_a_circle_are_forgotten_too() -> None:
    kept_before, answer = len(noting._beside), Answer()
    answer.__dict__["itself"] = answer
    attach(answer, Notes())
    del answer
    gc.collect()
    assert len(noting._beside) == kept_before


def test_another_object_with_the_same_id_has_no_notes() -> None:
    first = Answer()
    attach(first, Notes(route="gateway"))
    kept = noting._beside[id(first)]
    later = Answer()
    noting._beside[id(later)] = kept  # as if `later` had been made where `first` was
    try:
        assert notes(later) is None
    finally:
        del noting._beside[id(later)]


@pytest.mark.parametrize("answer", ["a text", 7, None, b"bytes", ("a", "tuple")])
def test_what_cannot_be_referred_to_weakly_goes_without(answer: object) -> None:
    attach(answer, Notes())
    assert notes(answer) is None


@pytest.mark.parametrize("name", ["http_response", "response", "_response"])
def test_notes_are_found_on_the_native_response(name: str) -> None:
    answer = Answer()
    setattr(answer, name, Native(edgeclient=Notes(route="gateway")))
    assert notes(answer) == Notes(route="gateway")
    assert notes(Native(edgeclient=Notes(route="gateway"))) == Notes(route="gateway")


@pytest.mark.parametrize("native", [Native(), Native(edgeclient="not ours"), Answer()])
def test_other_responses_have_none(native: object) -> None:
    answer = Answer()
    answer.__dict__["response"] = native
    assert notes(answer) is None
