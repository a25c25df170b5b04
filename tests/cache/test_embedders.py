"""One suite for every embedder, and what each one alone promises."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from embeddings_server import EmbeddingsServer
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeclient import Edge
from edgeclient.cache.embedders import Embedder, Refused, checked, embedder, onnx_embedder, remote_embedder
from edgeclient.cache.embedders.none import Hashed
from edgeclient.cache.embedders.wordllama import WordLlama, tensor
from edgeclient.cache.verifier import forest
from edgeclient.errors import SettingsError

TEXTS = ["How do I reset my password?", "how can I reset the password", "a recipe for soup", "", "🙂", "x" * 50_000]


class Letters:
    """A tokenizer of one piece for each letter."""

    def encode(self, text: str, add_special_tokens: bool) -> Any:
        assert not add_special_tokens
        return SimpleNamespace(ids=[3 + ord(letter) % 60 for letter in text if letter.isalnum()])


def small_wordllama() -> WordLlama:
    return WordLlama(np.random.default_rng(0).normal(size=(64, 256)).astype(np.float32), Letters())


@cache
def installed_wordllama() -> WordLlama:
    pytest.importorskip("wordllama")
    return WordLlama.installed()


@pytest.fixture(params=["none", "small", "wordllama", "onnx", "remote"])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedder]:
    if request.param == "onnx":
        import onnx_files

        yield onnx_embedder(onnx_files.model(tmp_path / "m"), onnx_files.tokenizer(tmp_path / "t"))
    elif request.param == "remote":
        with EmbeddingsServer() as server, Edge() as edge, edge.OpenAI(api_key="k", base_url=server.url) as client:
            yield remote_embedder(client, "tiny", dimensions=512)
    else:
        made: dict[str, Callable[[], Embedder]] = {
            "none": Hashed,
            "small": small_wordllama,
            "wordllama": installed_wordllama,
        }
        yield made[request.param]()


@settings(deadline=None)  # the first one reads the weights
@given(st.text(st.sampled_from("ab the é漢🙂'.,<s>\n\t\u2581 \u00a0\x00")) | st.text())
def test_the_pieces_of_a_text_are_those_of_its_words(text: str) -> None:
    one = installed_wordllama()
    row = np.zeros(256, np.float32)
    ids = one._ids(text)
    if ids:
        row += one._pieces[ids].mean(0)
        row /= float(np.linalg.norm(row)) or 1.0
    assert one.embed([text])[0].tobytes() == row.tobytes()


def test_rows_have_the_dimensions_and_length_one_or_nought(one: Embedder) -> None:
    rows = one.embed(TEXTS)
    assert np.asarray(rows, np.float32).shape == (len(TEXTS), one.dimensions)
    for text, row in zip(TEXTS, rows, strict=True):
        length = float(np.linalg.norm(row))
        said = any(map(str.isalnum, text))
        assert length == pytest.approx(1.0, abs=1e-5) or (length == 0.0 and not said)


def test_it_says_what_calls_have_to_know(one: Embedder) -> None:
    assert one.name in one.fingerprint
    assert one.judge.judge is one.judge
    assert one.judge.quick > 1000
    assert forest(one.judge.name).prior.weights
    assert 0 <= one.leading <= one.dimensions
    assert 0 < one.budget_s <= 0.025


def test_a_text_has_one_vector_in_any_company(one: Embedder) -> None:
    together = one.embed(TEXTS)
    for text, row in zip(TEXTS, together, strict=True):
        assert np.array_equal(one.embed([text])[0], row)


def test_the_nearer_question_is_nearer(one: Embedder) -> None:
    asked, other_words, something_else = np.asarray(one.embed(TEXTS[:3]))
    assert asked @ other_words > asked @ something_else


def test_a_vector_that_says_nothing_is_refused(one: Embedder) -> None:
    if one.name != "onnx":  # a model's tokenizer has marks of begin and end
        with pytest.raises(Refused):
            checked(one.embed([""])[0], one.dimensions)
    assert checked(one.embed(["hello"])[0], one.dimensions) is not None


def test_its_judge_gives_words_weights_and_likenesses(one: Embedder) -> None:
    judge = one.judge
    table = judge.likeness(["cat", "dog"], ["house", "cat", "2"])
    assert [len(row) for row in table] == [3, 3]
    assert all(-1.001 <= like <= 1.001 for row in table for like in row)
    assert all(0.0 <= judge.weight(word) <= 3.3 for word in ("a", "cat", "2", "incomprehensibilities", "🙂", ""))


@given(st.text(max_size=100))
def test_any_text_is_embedded(text: str) -> None:
    for made in (Hashed(), small_wordllama()):
        row = made.embed([text])[0]
        assert np.isfinite(row).all()


def test_vectors_are_the_same_in_another_process() -> None:
    program = (
        "from edgeclient.cache.embedders.none import Hashed;"
        "print(Hashed().embed(['How do I reset my password?'])[0].tobytes().hex())"
    )
    there = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout.strip()
    assert there == Hashed().embed(TEXTS[:1])[0].tobytes().hex()


@pytest.mark.parametrize(
    ("vector", "said"),
    [
        ([0.5, 0.5], "2 numbers instead of 3"),
        ([0.1, math.nan, 0.2], "not finite"),
        ([0.1, math.inf, 0.2], "not finite"),
        ([0.3, 0.3, 0.3], "constant"),
        ([0.0, 0.0, 0.0], "constant"),
    ],
)
def test_what_cannot_be_compared_is_refused(vector: Sequence[float], said: str) -> None:
    with pytest.raises(Refused, match=said):
        checked(vector, 3)


def test_other_weights_have_another_fingerprint() -> None:
    pieces = np.random.default_rng(0).normal(size=(98, 256)).astype(np.float32)
    changed = pieces.copy()
    changed[97, 0] += 1
    assert WordLlama(pieces, Letters()).fingerprint == WordLlama(pieces, Letters()).fingerprint
    assert WordLlama(pieces, Letters()).fingerprint != WordLlama(changed, Letters()).fingerprint


def test_an_unknown_embedder_is_named() -> None:
    with pytest.raises(SettingsError, match="no embedder is called 'bert'; give 'auto', 'wordllama' or 'none'"):
        embedder("bert")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(SettingsError, match=r"install edgeclient\[semantic\]"):
        embedder("wordllama")


def weights(path: Path, header: dict[str, Any], numbers: bytes) -> Path:
    said = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(said)) + said + numbers)
    return path


def test_weights_are_read_as_float32(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype=np.float16).reshape(3, 2)
    header = {"__metadata__": {}, "w": {"dtype": "F16", "shape": [3, 2], "data_offsets": [0, 12]}}
    found = tensor(weights(tmp_path / "w", header, numbers.tobytes()), "w")
    assert found.dtype == np.float32
    assert np.array_equal(found, numbers)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 40,
        struct.pack("<Q", 4) + b"nope",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 57) + b'{"w":{"dtype":"F16","shape":[3,2],"data_offsets":[0,12]}}',
    ],
)
def test_a_foreign_weights_file_is_a_settings_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(SettingsError, match="is not the weights file we know"):
        tensor(tmp_path / "w", "w")
