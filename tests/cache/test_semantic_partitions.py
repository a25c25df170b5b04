"""No question is compared with one of another partition: pairs that differ in one thing, through the pipeline.

Only the user's last text may differ. What that is, is worked out here a second time, from the description of the request.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import keys_of
import pytest
from questions import OTHERS, SAME, Question
from test_cross_reads import PAIRS, pairs

from edgeclient.classifying import classify
from edgeclient.policies import Policies
from edgeclient.values import Question as Asked


def edge(fingerprint: str = "f-1") -> Policies:
    made = keys_of.policies()
    made.semantic = SimpleNamespace(serving="serve", fingerprint=fingerprint)  # type: ignore[assignment]
    return made


def asked_of(question: Question, made: Policies) -> Asked | None:
    return classify(keys_of.request(question), made).question


def without_the_text(question: Question) -> str | None:
    """Everything else of a question, as text; None where its last turn is not one text of the user's."""
    body = question["body"]
    name = "input" if question["path"].endswith("/responses") else "messages"
    turns = body.get(name)
    if not isinstance(turns, list) or not turns or not isinstance(turns[-1], dict):
        return None
    last = turns[-1]
    if last.get("role") != "user" or not isinstance(last.get("content"), str):
        return None
    rest = {**body, name: [*turns[:-1], {**last, "content": 0}]}
    return json.dumps({**question, "body": rest, "headers": sorted(question["headers"])}, sort_keys=True)


def no_store(question: Question) -> Question:
    """Responses are only looked up where their provider keeps none."""
    return {**question, "body": {**question["body"], "store": False}}


@pytest.mark.parametrize("most", [PAIRS // 10, pytest.param(PAIRS, marks=pytest.mark.slow)])
def test_only_the_last_text_may_differ(most: int) -> None:
    made, bad, met, apart = edge(), [], 0, 0
    for name, one, other in pairs(OTHERS, 5, most):
        one, other = no_store(one), no_store(other)
        first, second = asked_of(one, made), asked_of(other, made)
        if first is None or second is None:
            continue
        same = without_the_text(one) == without_the_text(other)
        met, apart = met + same, apart + (not same)
        if (first.partition == second.partition) is not same:
            bad.append((name, one, other))
    assert bad == [] and met > most // 100 and apart > most // 4


def test_the_same_question_in_other_words_stays_in_its_partition() -> None:
    made = edge()
    for _, one, other in pairs(SAME, 6, PAIRS // 20):
        first, second = asked_of(no_store(one), made), asked_of(no_store(other), made)
        assert first == second


def test_two_embedders_have_two_partitions() -> None:
    question = next(
        q for _, q, _ in pairs(OTHERS, 7, 10_000) if without_the_text(q) is not None and "messages" in q["body"]
    )
    first, second = asked_of(question, edge("f-1")), asked_of(question, edge("f-2"))
    assert first is not None and second is not None and first.partition != second.partition


def test_what_has_no_last_text_is_not_asked_about() -> None:
    made = edge()
    asked: dict[str, Any] = {
        "sdk": "openai", "origin": "https://api.openai.com/v1", "path": "/chat/completions", "query": "",
        "headers": [("authorization", "k")], "default_origin": True,
    }  # fmt: skip
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    text = {"type": "text", "text": "What is it?"}
    for messages in (
        [],
        "text",
        [{"role": "assistant", "content": "It is"}],
        [{"role": "tool", "tool_call_id": "1", "content": "5"}],
        [{"role": "user", "content": [text, image]}],
        [{"role": "user", "content": [image]}],
        [{"role": "user", "content": [text, text]}],
        [{"role": "user", "content": [{"type": "text", "text": 5}]}],
        [{"role": "user"}],
        [5],
    ):
        assert asked_of({**asked, "body": {"model": "gpt-4o", "messages": messages}}, made) is None
    one = asked_of({**asked, "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": [text]}]}}, made)
    assert one is not None and one.text == "What is it?"
    kept = {"model": "gpt-4o", "input": "What is it?"}
    assert asked_of({**asked, "path": "/responses", "body": kept}, made) is None
    assert asked_of({**asked, "path": "/responses", "body": {**kept, "store": False}}, made) is not None
