"""Embedders: prompts as vectors, whose cosine says how alike they are. One contract (`contract`), a file each.

none        hashed words and characters; needs no package
wordllama   static vectors of word pieces, from the package of that name; needs numpy and tokenizers
onnx        the user's own model and tokenizer, by onnxruntime; needs numpy and tokenizers
remote      an embeddings endpoint, asked by a client of ours

How a call uses them (`Vectors` keeps the time budget, remembers, counts, and never raises; one for an edge):

    vectors = Vectors(embedder("wordllama"), mishap=telemetry.mishap)
    vector = vectors.vector(text)                    # in threads; None: no lookup
    vector = await vectors.vector_async(text)        # in tasks of asyncio or trio
    vector = vectors.known(text)                     # when the answer is stored: one that came too late is there now

`vectors.embedder.fingerprint` stands in the partition and with the stored entries. `vectors.embedder.judge` knows words
(`matcher.judged`) and names the forest (`verifier.forest`); where it is another embedder, the cosines of the candidates
have to be its own: `matcher.nearness`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import SettingsError
from .contract import Embedder, Judge, Refused, checked
from .vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Embedder", "Judge", "Refused", "Vectors", "checked", "embedder"]


def embedder(name: str) -> Judge:
    """The embedder of this name, loaded. SettingsError when there is none, or when what it needs is not installed."""
    made: dict[str, Callable[[], Any]] = {"none": _none, "wordllama": _wordllama}
    if name not in made:
        raise SettingsError(f"no embedder is called {name!r}; there are {', '.join(sorted(made))}")
    try:
        found: Judge = made[name]()
    except ImportError as error:
        raise SettingsError(
            f"the embedder {name!r} needs a package that is not installed ({error.name}); install edgeclient[semantic]"
        ) from error
    return found


def _none() -> Embedder:
    from .none import Hashed

    return Hashed()


def _wordllama() -> Embedder:
    from .wordllama import WordLlama

    return WordLlama.installed()
