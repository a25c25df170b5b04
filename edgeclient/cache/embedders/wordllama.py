"""The embedder on wordllama's static vectors, read from the installed package's own files: never from a hub.

The package's loader looks for its tokenizer where the wheel does not have it, and then asks a hub; so we read the
weights (safetensors: a header in JSON, then the numbers) and the tokenizer ourselves. Opens files.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SettingsError

_DIMENSIONS = 256
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_LONGEST = 20_000  # characters of a prompt that are embedded
_REMEMBERED = 8192  # words whose vectors are kept, and whose pieces: 10 MiB
_SHORT = 24  # characters of a word whose pieces are kept
_FEW = 4  # products that are made one by one sooner than as a table
_MARKS = 2  # the first ids are marks of the vocabulary, not pieces of words


class WordLlama:
    """The mean of the vectors of a prompt's word pieces: 25 µs for a question, blind to the order of words."""

    name = "wordllama"
    dimensions = _DIMENSIONS
    quick = 4000
    leading = 64
    budget_s = 0.005

    @property
    def judge(self) -> WordLlama:
        return self

    def __init__(self, pieces: Any, tokenizer: Any) -> None:
        """`pieces` is a float32 array of a row for each piece, `tokenizer` one of the package tokenizers."""
        self._pieces = pieces
        self._tokenizer = tokenizer
        self._words: dict[str, tuple[Any, float]] = {}
        self._parts: dict[str, list[int]] = {}  # word as it is written -> its pieces
        digest = hashlib.blake2b(pieces[::97].tobytes(), digest_size=6).hexdigest()
        self.fingerprint = f"wordllama-1-{_DIMENSIONS}-{digest}"

    @classmethod
    def installed(cls) -> WordLlama:
        """From the installed package. ImportError without it; SettingsError when its files are not as we know them."""
        from tokenizers import Tokenizer

        spec = importlib.util.find_spec("wordllama")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("No module named 'wordllama'", name="wordllama")
        folder = Path(next(iter(spec.submodule_search_locations)))
        if not (folder / _WEIGHTS).is_file() or not (folder / _TOKENIZER).is_file():
            raise SettingsError(
                f"the installed wordllama has no {_WEIGHTS} or no {_TOKENIZER}; install wordllama>=0.4,<0.5"
            )
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(tensor(folder / _WEIGHTS, "embedding.weight"), tokenizer)

    def embed(self, texts: Sequence[str]) -> Any:
        """A float32 array of a row for each text; a row of zeros for a text without pieces."""
        rows = np.zeros((len(texts), _DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            ids = self._ids_of_words(text[:_LONGEST])
            if ids:
                row += np.add.reduce(self._pieces.take(ids, 0)) / len(ids)
                length = math.sqrt(row.dot(row))
                if length:
                    row /= length
        return rows

    def weight(self, word: str) -> float:
        """Rare words have late or many pieces: that stands in for how often they are said."""
        return self._word(word)[1]

    def likeness(self, words: Sequence[str], others: Sequence[str]) -> Any:
        """Cosines of the words' vectors."""
        ours, theirs = [self._word(word)[0] for word in words], [self._word(word)[0] for word in others]
        if len(ours) * len(theirs) <= _FEW:
            return [[float(one.dot(other)) for other in theirs] for one in ours]  # in half the time of `@`
        table: list[list[float]] = (np.array(ours) @ np.array(theirs).T).tolist()
        return table

    def _ids_of_words(self, text: str) -> list[int]:
        """The ids of a text, word for word from memory.

        No piece of the vocabulary goes on behind a space, so none crosses from one word into the next. That is not so of
        several spaces in a row, or of the character that stands for one, nor of the vocabulary's marks, in angles.
        """
        words = text.split(" ")
        if "" in words or "<" in text or "▁" in text:
            return self._ids(text)
        known, found = self._parts, list[int]()
        for word in words:
            ids = known.get(word)
            if ids is None:
                ids = self._ids(word)
                if len(word) <= _SHORT:
                    if len(known) >= _REMEMBERED:
                        known.clear()
                    known[word] = ids
            found += ids
        return found

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def _word(self, word: str) -> tuple[Any, float]:
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= _REMEMBERED:
                self._words.clear()
            known = self._words[word] = self._made(word)
        return known

    def _made(self, word: str) -> tuple[Any, float]:
        ids = [one for one in self._ids(word) if one > _MARKS]
        if not ids:
            return np.zeros(_DIMENSIONS, np.float32), 0.5
        vector = self._pieces[ids].sum(0)
        length = float(np.linalg.norm(vector))
        weight = 2.0 if word.isdigit() else min(3.2, 0.25 * math.log1p(max(ids)) + 0.35 * (len(ids) - 1))
        return (vector / length if length else vector), weight


def tensor(path: Path, name: str) -> Any:
    """One float16 or float32 array of a safetensors file, as float32. SettingsError when the file is none."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > 2**20:
                raise ValueError("its header is too long")
            said = json.loads(file.read(size))[name]
            start, end = said["data_offsets"]
            file.seek(8 + size + start)
            kind = {"F16": np.float16, "F32": np.float32}[said["dtype"]]
            return np.frombuffer(file.read(end - start), kind).reshape(said["shape"]).astype(np.float32)
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise SettingsError(f"{path} is not the weights file we know ({error!r})") from error
