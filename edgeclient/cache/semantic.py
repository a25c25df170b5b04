"""The semantic cache's place in the pipeline."""

from __future__ import annotations

from typing import Protocol

from ..values import Call, Entry


class Semantic(Protocol):
    """Finds an entry whose question means the same as the call's, within a stated error, or none."""

    def match(self, call: Call, now: float) -> Entry | None: ...
