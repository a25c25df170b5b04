"""Embedders: prompts as vectors, whose cosine says how alike they are. One contract, a file each.

none        hashed words and characters; needs numpy and nothing else
wordllama   static vectors of word pieces, from the package of that name; needs numpy and tokenizers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import SettingsError
from .contract import Embedder, Refused, checked

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Embedder", "Refused", "checked", "embedder"]


def embedder(name: str) -> Embedder:
    """The embedder of this name, loaded. SettingsError when there is none, or when what it needs is not installed."""
    made: dict[str, Callable[[], Any]] = {"none": _none, "wordllama": _wordllama}
    if name not in made:
        raise SettingsError(f"no embedder is called {name!r}; there are {', '.join(sorted(made))}")
    try:
        found: Embedder = made[name]()
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
