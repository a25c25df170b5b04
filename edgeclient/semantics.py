"""The semantic cache of an edge, for its user: reports, explanations, complaints. Imports numpy through the index.

Writes down what was learned when the process ends.
"""

from __future__ import annotations

import atexit
import importlib.util
import time
import weakref
from pathlib import Path
from random import Random
from typing import Any

from .cache.embedders import Embedder, Vectors, embedder, onnx_embedder
from .cache.evidence import Report
from .cache.inventory import Inventory
from .cache.later import Later
from .cache.lessons import Lessons
from .cache.semantic import Explained, Semantic
from .cache.stores import Store
from .cache.stores.backend import Mishap
from .errors import SettingsError
from .noting import notes
from .policies import Policies

_PATIENCE_S = 5.0  # for comparisons that are under way, before a report


def begin(edge: Policies, chance: Random) -> None:
    """Give an edge the semantic cache of its settings. SettingsError for an embedder that cannot be had."""
    said = edge.settings.cache
    edge.semantic = Semantic(
        Vectors(_made(said.embedder), mishap=edge.telemetry.mishap),
        serving=said.semantic,
        budget=said.max_wrong_rate,
        audit=said.audit_rate,
        chance=chance,
        max_bytes=said.index_bytes,
        mishap=edge.telemetry.mishap,
    )
    shared = getattr(edge.store, "below", None)  # what is in this process's memory alone ends with it
    edge.later = Later("semantic-comparison", edge.telemetry.mishap)
    if shared is not None:
        edge.lessons = Lessons(edge.semantic, shared)
        _lasting[edge.lessons] = edge.telemetry.mishap
        if said.keep_prompts:
            later = Later("semantic-questions", edge.telemetry.mishap, rests=True)
            edge.inventory = Inventory(edge.semantic.index, shared, later, edge.semantic.vectors.embedder.dimensions)
            _lasting[edge.inventory] = edge.telemetry.mishap


def end(edge: Policies, now: float) -> None:
    """Let what is under way be compared, write down what was learned, and forget the prompts."""
    if edge.semantic is None or edge.later is None:
        return
    edge.later.settle(_PATIENCE_S)
    for lasting in (edge.lessons, edge.inventory):
        if lasting is not None:
            _write_down(lasting, edge.telemetry.mishap, now)
    edge.semantic.forget()
    if edge.inventory is not None:
        edge.inventory.forget()


def _write_down(lasting: Lessons | Inventory, mishap: Mishap, now: float) -> None:
    try:
        lasting.close(now)
    except Exception as error:
        mishap("semantic lessons" if isinstance(lasting, Lessons) else "semantic questions", error)


_lasting: weakref.WeakKeyDictionary[Lessons | Inventory, Mishap] = weakref.WeakKeyDictionary()


@atexit.register
def _at_exit() -> None:
    """What a script that ends has learned is there the next time. The store, whose own turn comes later, writes it."""
    for lasting, mishap in list(_lasting.items()):
        _write_down(lasting, mishap, time.time())


def _made(said: Any) -> Embedder:
    """The embedder that the settings name, loaded."""
    if not isinstance(said, str):
        return said  # type: ignore[no-any-return]
    if said.startswith("onnx:"):
        folder = Path(said.removeprefix("onnx:")).expanduser()
        return onnx_embedder(folder / "model.onnx", folder / "tokenizer.json")
    if said == "auto":
        said = "wordllama" if importlib.util.find_spec("wordllama") is not None else "none"
    return embedder(said)


class SemanticCache:
    """What `Edge.semantic` gives. Its methods raise `SettingsError` where the semantic cache is off."""

    def __init__(self, edge: Policies) -> None:
        self._edge = edge

    def _on(self) -> tuple[Semantic, Later, Store]:
        edge = self._edge
        if edge.semantic is None or edge.later is None or edge.store is None:
            raise SettingsError("the semantic cache is off: set cache='semantic', or Cache('semantic', ...)")
        return edge.semantic, edge.later, edge.store

    def report(self) -> Report:
        """What was looked up since the start and what became of it: saved, wrong, and whether that is enough to serve.

        Waits for comparisons under way, some seconds at most.
        """
        semantic, later, _ = self._on()
        later.settle(_PATIENCE_S)
        return semantic.report()

    def explain(self, text: str, *, prompts: bool = False) -> tuple[Explained, ...]:
        """The stored prompts nearest to a user's text, in all partitions, and what is thought of each; nothing is sent.

        `prompts`: show them, not only their hashes. Empty when nothing is stored, or the text has no vector.
        """
        semantic, later, _ = self._on()
        later.settle(_PATIENCE_S)
        vector = semantic.vectors.vector(text)
        return () if vector is None else semantic.explain(text, vector, prompts=prompts)

    def wrong(self, answer: object) -> bool:
        """Say that an answer served by likeness is wrong: its entry goes, the pair is blocked, and it counts as a label.

        False when it was not served so, or is too long ago.
        """
        semantic, _, store = self._on()
        said = notes(answer)
        lookup = semantic.wrong(said.key, time.time()) if said is not None and said.match is not None else None
        key = lookup.key if lookup is not None else ""
        if key:
            store.delete(key)
            if self._edge.inventory is not None and lookup is not None:
                self._edge.inventory.miss(lookup.question.partition, key)
        return bool(key)
