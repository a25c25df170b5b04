"""Which endpoint answered a conversation last: there the provider has its beginning in the prompt cache. Pure.

A conversation is told by how its requests begin: later turns are added at the end. Staying is worth what the model would need
to read the prompt again, so only long requests are remembered, and only for as long as providers keep prompts.
"""

from __future__ import annotations

from collections import OrderedDict

_KEPT_S = 300.0  # Anthropic and OpenAI keep a prompt for five minutes after its last use, at the least
_CONVERSATIONS = 4096
_LEAST = 4096  # bytes: providers cache prompts from 1,024 tokens on, at about four bytes each
_READ_BYTES_S = 20_000.0  # how fast a prompt is read: 5,000 tokens a second


class Affinity:
    """The endpoints of the last conversations, by name. Its owner locks."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: OrderedDict[int, tuple[str, float]] = OrderedDict()

    def keep(self, opening: int, size: int, name: str, now: float) -> None:
        """An endpoint answered a request of so many bytes that begins so."""
        if size < _LEAST:
            return
        self._last[opening] = name, now + _KEPT_S
        self._last.move_to_end(opening)
        if len(self._last) > _CONVERSATIONS:
            self._last.popitem(last=False)

    def of(self, opening: int, now: float) -> str:
        """The endpoint that has the beginning of this conversation still; "" when there is none."""
        name, until = self._last.get(opening, ("", 0.0))
        return name if now < until else ""


def worth_s(size: int) -> float:
    """What staying is worth for a request of so many bytes, in seconds."""
    return size / _READ_BYTES_S if size >= _LEAST else 0.0
