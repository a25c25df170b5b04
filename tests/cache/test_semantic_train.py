"""The training program: what it writes scores as what it trained, and prompts that belong together are not divided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn")
np = pytest.importorskip("numpy")

import semantic_train as train  # noqa: E402

from edgeclient.cache.embedders.none import Hashed  # noqa: E402
from edgeclient.cache.features import NAMES, WEIGHED  # noqa: E402
from edgeclient.cache.verifier import parsed  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Questions about 40 things, each in four wordings, and pairs of them."""
    things = [f"{kind} {part}" for kind in ("red", "old", "big", "wet", "dry") for part in "abcdefgh"]
    asked = [
        "how do i paint the {}",
        "how can i paint a {}",
        "way of painting my {}",
        "what is the best paint for the {}",
    ]
    stream = [
        {"prompt": way.format(thing), "answer_class": thing, "source": "made:x" if number % 2 else "other"}
        for way in asked
        for number, thing in enumerate(things)
    ]
    pairs = [
        {"a": asked[0].format(one), "b": asked[n % 3 + 1].format(other), "equivalent": one == other, "source": "made"}
        for n, one in enumerate(things)
        for other in (one, things[n - 1])
    ]
    for name, rows in (("stream_things", stream), ("pairs_things", pairs)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path


def files(folder: Path) -> list[Any]:
    rows = train.load(folder)
    joined = train.groups(rows)
    return [train.candidates(name, those, Hashed(), joined) for name, those in rows.items()]


def test_the_written_trees_score_as_the_trained_ones(folder: Path) -> None:
    found = files(folder)
    sources = frozenset({"made", "other"})
    trees = train.fitted(found, sources)
    train.check(found, sources)
    written = json.loads(json.dumps(train.exported(trees, train.prior_of(found[1:], sources))))
    forest = parsed({"features": list(NAMES), "weighed": list(WEIGHED), "forests": {"none": written}}, "none")
    for file in found:
        mine = forest.scores([[float(value) for value in row] for row in file.x])
        assert np.allclose(mine, trees.decision_function(file.x), atol=1e-3)


def test_prompts_that_share_an_answer_are_of_one_group(folder: Path) -> None:
    _, stream = files(folder)
    for (row, other), (one, two) in zip(stream.who, stream.group, strict=True):
        same = stream.rows[row]["answer_class"] == stream.rows[other]["answer_class"]
        assert (one == two) is same


def test_rows_of_other_sources_are_not_trained_on(folder: Path) -> None:
    pairs, stream = files(folder)
    usable = train._usable(stream, frozenset({"made"}))
    assert 0 < usable.sum() < stream.open.sum()
    for (row, other), use in zip(stream.who, usable, strict=True):
        assert not use or {train.source(stream.rows[n]) for n in (row, other)} == {"made"}
    assert train._usable(pairs, frozenset({"other"})).sum() == 0


def test_each_prompt_is_paired_with_earlier_ones_only(folder: Path) -> None:
    _, stream = files(folder)
    assert all(other < row for row, other in stream.who)
    assert max(sum(1 for row, _ in stream.who if row == n) for n in (20, 100)) == train.NEAREST
