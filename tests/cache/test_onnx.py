"""The embedder on the user's own model: what it computes, and what it says of files that are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx_files
import pytest

from edgeclient.cache.embedders import Embedder, Vectors, onnx_embedder
from edgeclient.errors import SettingsError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return onnx_files.model(tmp_path / "model.onnx"), onnx_files.tokenizer(tmp_path / "tokenizer.json")


def expected(words: str, pooling: str) -> Any:
    rows = onnx_files.table()[[onnx_files.WORDS.index(word) for word in words.split()]]
    row = rows[0] if pooling == "cls" else rows.mean(0)
    return row / np.linalg.norm(row)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_vector_is_what_the_model_gives_pooled_and_of_length_one(files: tuple[Path, Path], pooling: str) -> None:
    one = onnx_embedder(*files, pooling=pooling)
    assert one.dimensions == onnx_files.DIMENSIONS
    (row,) = one.embed(["Reset my PASSWORD"])
    assert row == pytest.approx(expected("[CLS] reset my password [SEP]", pooling), abs=1e-6)


def test_a_long_text_is_cut(files: tuple[Path, Path]) -> None:
    one = onnx_embedder(*files, longest=8)
    long, cut = one.embed(["cat " * 500, "cat cat cat cat cat cat"])
    assert np.array_equal(long, cut)


def test_the_fingerprint_is_that_of_model_tokenizer_and_options(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, tokenizer = files
    other = onnx_files.model(tmp_path / "other.onnx", seed=1)
    spaced = tmp_path / "spaced.json"
    spaced.write_text(tokenizer.read_text() + "\n")
    made = [
        onnx_embedder(model, tokenizer),
        onnx_embedder(other, tokenizer),
        onnx_embedder(model, spaced),
        onnx_embedder(model, tokenizer, pooling="cls"),
        onnx_embedder(model, tokenizer, longest=64),
    ]
    assert len({one.fingerprint for one in made}) == 5
    assert onnx_embedder(*files).fingerprint == made[0].fingerprint


def test_models_may_take_ids_alone_or_types_too(files: tuple[Path, Path], tmp_path: Path) -> None:
    for takes in (("input_ids",), ("input_ids", "attention_mask", "token_type_ids")):
        one = onnx_embedder(onnx_files.model(tmp_path / "m", takes=takes), files[1])
        assert one.embed(["hello"])[0] == pytest.approx(expected("[CLS] hello [SEP]", "mean"), abs=1e-6)


def test_it_works_beside_the_call(files: tuple[Path, Path]) -> None:
    one: Embedder = onnx_embedder(*files)
    assert one.quick == 0
    failed: list[Any] = []
    found = Vectors(one, mishap=lambda *what: failed.append(what), budget_s=20).vector("hello world")
    assert failed == []
    assert found == pytest.approx(expected("[CLS] hello world [SEP]", "mean"), abs=1e-6)


def test_its_judge_knows_words(files: tuple[Path, Path]) -> None:
    assert onnx_embedder(*files).judge.name in ("none", "wordllama")


def test_files_that_are_none_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    model, tokenizer = files
    (text := tmp_path / "text").write_text("no model")
    pooled = onnx_files.model(tmp_path / "pooled", pooled=True)
    pixels = onnx_files.model(tmp_path / "pixels", takes=("pixels",))
    cases: list[tuple[tuple[Path, Path], dict[str, Any], str]] = [
        ((tmp_path / "gone", tokenizer), {}, "there is no ONNX model at .*gone"),
        ((model, tmp_path / "gone"), {}, "there is no tokenizer.json at .*gone"),
        ((text, tokenizer), {}, "text' is no model that onnxruntime can load"),
        ((model, text), {}, "text' is no tokenizer.json"),
        ((pooled, tokenizer), {}, "not one vector for each token"),
        ((pixels, tokenizer), {}, "takes pixels; one that embeds text takes input_ids"),
        (files, {"pooling": "max"}, "pooling='max' is none of mean, cls"),
        (files, {"longest": 2}, "longest=2 is not between 8 and 8192"),
    ]
    for given, options, said in cases:
        with pytest.raises(SettingsError, match=said):
            onnx_embedder(*given, **options)


def test_a_tokenizer_of_another_model_is_noticed(files: tuple[Path, Path], tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    foreign = tmp_path / "foreign.json"
    Tokenizer(models.WordLevel({"hello world": 9999, "[UNK]": 9998}, unk_token="[UNK]")).save(str(foreign))
    with pytest.raises(SettingsError, match="does not embed ids of the given tokenizer"):
        onnx_embedder(files[0], foreign)


def test_a_missing_package_is_named(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        SettingsError, match=r"needs a package that is not installed \(onnxruntime\).*edgeclient\[onnx\]"
    ):
        onnx_embedder(*files)
