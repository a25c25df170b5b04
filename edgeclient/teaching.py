"""What the semantic cache hears of calls: which questions have an answer in the store now, and what the model has answered.

Beside the calls where it takes long. No I/O of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .dialects.texts import TEXTS
from .policies import Policies
from .values import Call, Entry, Question

if TYPE_CHECKING:
    from .cache.semantic import Lookup


def notice(question: Question, entry: Entry, edge: Policies) -> None:
    """An entry that another process has stored, or an earlier one: its question is known now, and may be found by others."""
    semantic = edge.semantic
    if semantic is None or edge.later is None or semantic.knows(entry.key):
        return

    def keep() -> None:
        vector = semantic.vectors.vector(question.text)
        if vector is not None:
            _keep_question(question, vector, entry, edge)

    edge.later.put(keep)


def _keep_question(question: Question, vector: Any, entry: Entry, edge: Policies) -> None:
    """The answer to this question is stored: it may be found by others, here and where the store is shared."""
    assert edge.semantic is not None
    if edge.inventory is None:
        edge.semantic.keep(question, vector, entry.key)
    else:
        edge.semantic.keep(question, vector, entry.key, entry)
        edge.inventory.add(question, vector, entry)


def miss(lookup: Lookup, edge: Policies) -> None:
    """The store does not have the answer of a candidate, or does not say so in time."""
    assert edge.semantic is not None
    if edge.inventory is None:
        edge.semantic.drop(lookup.key)
    else:
        edge.inventory.miss(lookup.question.partition, lookup.key)


def teach(lookup: Lookup, call: Call, entry: Entry, edge: Policies) -> None:
    """The model has answered a question that the semantic cache was asked: the next one may be answered so.

    Its answer is compared with the one that was nearest, beside the calls.
    """
    semantic, store, dialect = edge.semantic, edge.store, call.dialect
    if semantic is None or store is None or dialect is None:
        return
    _keep_question(lookup.question, lookup.vector, entry, edge)
    lessons, now = edge.lessons, entry.stored_at
    if edge.later is None:
        return
    if lessons is not None and lessons.is_due(now):
        edge.later.put(lambda: lessons.visit(now) if lessons.is_due(now) else None)

    def compare() -> None:
        other = store.load(lookup.key, now)
        if other is not None:
            texts = TEXTS[dialect.name]
            semantic.learn(lookup, texts(json.loads(entry.body)), texts(json.loads(other.body)), now)
        else:
            miss(lookup, edge)

    if lookup.key and not edge.later.put(compare):
        edge.telemetry.count("comparisons left out")
