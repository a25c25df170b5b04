"""The one way in which values are declared that are made for each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_):
        """Nothing at run time: the lab's processes import this package with the standard library alone."""
        return lambda decorator: decorator


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass with slots that is frozen to type checkers only.

    `frozen=True` at run time would make each of them three times as expensive, and several are made for each call.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
