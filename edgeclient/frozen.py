"""The one way in which values are declared that are made for each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass with slots that is frozen to type checkers only.

    `frozen=True` at run time would make each of them three times as expensive, and several are made for each call.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
