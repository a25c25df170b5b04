"""The embedder on the user's own model and tokenizer, run by onnxruntime. Opens files; the runtime has one thread.

For models that take token ids and give a vector for each token, as sentence-transformers exports them (MiniLM, BGE, E5, GTE).
The verifier knows no words from such a model: wordllama's, or else those of `none`, judge what it finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SettingsError
from .contract import Judge

_POOLINGS = ("mean", "cls")
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class Onnx:
    """Vectors of a model: the mean of its tokens' vectors, or that of the first token; of length 1."""

    name = "onnx"
    quick = 0
    leading = 0
    budget_s = 0.005

    def __init__(
        self, model: str | Path, tokenizer: str | Path, *, judge: Judge, pooling: str = "mean", longest: int = 256
    ) -> None:
        """`longest`: tokens of a text that are embedded. SettingsError for files that are missing or something else."""
        if pooling not in _POOLINGS:
            raise SettingsError(f"pooling={pooling!r} is none of {', '.join(_POOLINGS)}")
        if not 8 <= longest <= 8192:
            raise SettingsError(f"longest={longest!r} is not between 8 and 8192 tokens")
        self.judge: Judge = judge
        self._pooling = pooling
        self._tokenizer = _tokenizer(_file(tokenizer, "tokenizer.json"), longest)
        self._session, self._inputs = _session(_file(model, "ONNX model"))
        self.dimensions = self._tried()
        digest = hashlib.blake2b(digest_size=8)
        for path in (model, tokenizer):
            digest.update(hashlib.blake2b(Path(path).read_bytes()).digest())
        self.fingerprint = f"onnx-1-{pooling}-{longest}-{self.dimensions}-{digest.hexdigest()}"

    def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of a row for each text; a row of zeros for a text without tokens.

        Each text runs by itself: with others of other lengths it would take as long, and come out a little different.
        """
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            tokens = self._tokens(text)
            if len(tokens):
                row += tokens[0] if self._pooling == "cls" else tokens.mean(0)
                length = float(np.linalg.norm(row))
                if length:
                    row /= length
        return rows

    def _tokens(self, text: str) -> Any:
        """The model's vectors of a text's tokens."""
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        if not ids.size:
            return np.zeros((0, 0), np.float32)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return self._session.run(None, {name: given[name] for name in self._inputs})[0][0]

    def _tried(self) -> int:
        """How many numbers a vector has: the model says so by making one."""
        try:
            tokens = self._tokens("hello world")
            if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.floating) or not len(tokens):
                raise ValueError(f"its first output has the shape {tokens.shape}, not one vector for each token")
        except Exception as error:
            raise SettingsError(f"the ONNX model does not embed ids of the given tokenizer: {error}") from error
        return int(tokens.shape[1])


def _file(path: str | Path, what: str) -> Path:
    found = Path(path)
    if not found.is_file():
        raise SettingsError(f"there is no {what} at {str(path)!r}; give the path of the file")
    return found


def _tokenizer(path: Path, longest: int) -> Any:
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_file(str(path))
    except Exception as error:
        raise SettingsError(f"{str(path)!r} is no tokenizer.json of the tokenizers package: {error}") from error
    made.no_padding()
    made.enable_truncation(longest)
    return made


def _session(path: Path) -> tuple[Any, list[str]]:
    """The model, ready to run on one thread, and the names of what it takes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise SettingsError(f"{str(path)!r} is no model that onnxruntime can load: {error}") from error
    inputs = [one.name for one in session.get_inputs()]
    if "input_ids" not in inputs or not _INPUTS.issuperset(inputs):
        raise SettingsError(
            f"the model {str(path)!r} takes {', '.join(inputs) or 'nothing'}; one that embeds text takes input_ids, and at "
            "most attention_mask and token_type_ids besides"
        )
    return session, inputs
