"""Whether two answers say the same: how the semantic cache learns from calls that went to the model. Pure.

Models rarely say a thing twice in the same words. Equal after normalising is the same; a contradiction (other numbers, other
names, a negation) is not; between the two the answers' nearness decides, and it has to be great: a right answer that is
called wrong costs a hit, the other way round it teaches a mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .guards import VETOES, conflicts
from .matcher import nearness
from .reading import normal, read

if TYPE_CHECKING:
    from .embedders.contract import Judge

_NEAR = 0.85  # cosine of two answers from which on they are the same, unless they contradict each other
_LONGEST = 4000  # characters that are compared


def agree(one: Sequence[str], other: Sequence[str], judge: Judge) -> bool | None:
    """True when both say the same; None when they are of different shapes, or empty, and nothing can be said."""
    if not one or len(one) != len(other) or not all(one) or not all(other):
        return None
    return all(_agree(a[:_LONGEST], b[:_LONGEST], judge) for a, b in zip(one, other, strict=True))


def _agree(a: str, b: str, judge: Judge) -> bool:
    if normal(a) == normal(b):
        return True
    first, second = read(a), read(b)
    if first is None or second is None or not VETOES.isdisjoint(conflicts(first, second)):
        return False
    return nearness(a, [b], judge)[0] >= _NEAR
