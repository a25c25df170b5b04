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
    from pathlib import Path

__all__ = ["Embedder", "Judge", "Refused", "Vectors", "checked", "embedder", "onnx_embedder", "remote_embedder"]


def embedder(name: str) -> Judge:
    """The embedder of this name, loaded. SettingsError when there is none, or when what it needs is not installed."""
    made: dict[str, Callable[[], Any]] = {"none": _none, "wordllama": _wordllama}
    if name not in made:
        raise SettingsError(f"no embedder is called {name!r}; give 'auto', 'wordllama' or 'none'")
    found: Judge = _installed(made[name], name, "semantic")
    return found


def onnx_embedder(model: str | Path, tokenizer: str | Path, *, pooling: str = "mean", longest: int = 256) -> Embedder:
    """The embedder on a model file and its `tokenizer.json`. SettingsError when they, or what they need, are not there."""

    def made() -> Embedder:
        from .onnx import Onnx

        return Onnx(model, tokenizer, judge=_stand_in(), pooling=pooling, longest=longest)

    found: Embedder = _installed(made, "onnx", "onnx")
    return found


def remote_embedder(client: Any, model: str, *, dimensions: int | None = None) -> Embedder:
    """The embedder that asks an embeddings endpoint by a sync client, `edge.OpenAI()`."""
    from .remote import Remote

    return Remote(client, model, judge=_stand_in(), dimensions=dimensions)


def _installed(made: Callable[[], Any], name: str, extra: str) -> Any:
    try:
        return made()
    except ImportError as error:
        raise SettingsError(
            f"the embedder {name!r} needs a package that is not installed ({error.name}); install edgeclient[{extra}]"
        ) from error


def _stand_in() -> Judge:
    """The judge for embedders that there is no forest for: the best that is installed."""
    try:
        return embedder("wordllama")
    except SettingsError:
        return embedder("none")


def _none() -> Judge:
    from .none import Hashed

    return Hashed()


def _wordllama() -> Judge:
    from .wordllama import WordLlama

    return WordLlama.installed()
