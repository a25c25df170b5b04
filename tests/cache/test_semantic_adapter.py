"""The adapter for the judge: decides with the library's own parts, learns from what it is told, forgets when fresh."""

from __future__ import annotations

import numpy as np
import pytest
import semantic_adapter
from semantic_adapter import Matcher, make

from edgeclient.cache.features import WEIGHED
from edgeclient.errors import SettingsError


@pytest.fixture
def matcher(monkeypatch: pytest.MonkeyPatch) -> Matcher:
    monkeypatch.setenv("EDGECLIENT_BENCH_EMBEDDER", "none")
    return make()


def asked(matcher: Matcher, prompt: str, *stored: str) -> int | None:
    rows = matcher.embed([prompt, *stored])
    return matcher.decide(prompt, [(one, float(rows[0] @ row)) for one, row in zip(stored, rows[1:], strict=True)])


def test_equal_prompts_are_answered_at_once(matcher: Matcher) -> None:
    assert asked(matcher, "How do I cancel?", "where is my card", "please, how do i cancel") == 1


def test_a_contradiction_is_never_answered(matcher: Matcher) -> None:
    for _ in range(300):
        assert asked(matcher, "what is 15 % of 200", "what is 15 % of 300") is None


def test_the_budget_opens_with_lookups_and_closes_with_wrong_labels(matcher: Matcher) -> None:
    pair = ("How long should I cook rice in the oven?", "rice cooking time in the oven: how long should I cook?")
    for number in range(300):
        asked(matcher, f"something new number {number}")
    before = asked(matcher, *pair)
    for _ in range(60):
        matcher.observe(pair[0], pair[1], 0.9, False)
    assert asked(matcher, *pair) is None
    assert before in (0, None)


def test_a_fresh_matcher_has_learned_nothing(matcher: Matcher) -> None:
    for _ in range(60):
        matcher.observe("how to cook rice", "how should I cook rice", 0.9, False)
    other = matcher.fresh()
    assert other is not matcher
    signs = (3.0, *[0.5] * len(WEIGHED))
    new = make()._bound._risk
    assert other._bound._risk.of(signs, "how should I cook rice") == new.of(signs, "how should I cook rice")
    assert matcher._bound._risk.of(signs, "x") != other._bound._risk.of(signs, "x")


def test_the_embedder_is_the_named_one(monkeypatch: pytest.MonkeyPatch, matcher: Matcher) -> None:
    assert np.asarray(matcher.embed(["a"])).shape == (1, 512)
    monkeypatch.setenv("EDGECLIENT_BENCH_EMBEDDER", "bert")
    with pytest.raises(SettingsError):
        make()
    monkeypatch.setenv("EDGECLIENT_BENCH_EMBEDDER", "")
    monkeypatch.setattr(semantic_adapter, "embedder", _only_none)
    assert np.asarray(make().embed(["a"])).shape == (1, 512)


def _only_none(name: str) -> object:
    if name != "none":
        raise SettingsError("not installed")
    from edgeclient.cache.embedders.none import Hashed

    return Hashed()
