"""Takes secrets out of what is written down. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

SCRUBBED = "SCRUBBED"


class Scrubber:
    """Replaces texts and patterns, wherever they are found; equal secrets come out equal, so that calls still match."""

    def __init__(self, said: Sequence[str | re.Pattern[str]], secrets: Sequence[str] = ()) -> None:
        self.literals = tuple([one for one in said if isinstance(one, str)] + list(secrets))
        spelled = {form for one in self.literals for form in (one, json.dumps(one)[1:-1])}  # as it stands in JSON, too
        found = [re.escape(form) for form in sorted(spelled, key=len, reverse=True)]
        self._patterns = [re.compile("|".join(found))] if found else []
        self._patterns += [one for one in said if isinstance(one, re.Pattern)]

    def text(self, said: str) -> str:
        for pattern in self._patterns:
            said = pattern.sub(SCRUBBED, said)
        return said

    def binary(self, said: bytes) -> bytes:
        """Patterns are about text; of bytes only the given texts are taken out."""
        for literal in self.literals:
            said = said.replace(literal.encode(), SCRUBBED.encode())
        return said

    def value(self, said: Any) -> Any:
        """Each text of a JSON value, names included."""
        if not self._patterns:
            return said
        if isinstance(said, str):
            return self.text(said)
        if isinstance(said, list):
            return [self.value(one) for one in said]
        if isinstance(said, dict):
            return {self.text(name): self.value(one) for name, one in said.items()}
        return said
