"""Where a test's tape stands, if there is one: between clients and the network. Says what a tape is asked, and opens nothing.

Imported by every client, so it imports nothing. `playing` is what happens when there is a tape.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it would go out. `secrets`: the caller's credentials, which nobody may write down."""

    method: str
    host: str
    path: str
    query: tuple[tuple[str, str], ...]
    content_type: str
    body: bytes
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broke:
    """No response, or not all of it: the name of the HTTP library's exception, and what it said."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A response with its decoded body: all of it, or what came before it `broke`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    broke: Broke | None = None


Outcome = Answered | Broke  # at run time, since Python 3.10


class Turn(Protocol):
    """One call's turn. `outcome` is what was recorded, or None while this call is to be recorded."""

    outcome: Outcome | None

    def record(self, outcome: Outcome) -> Outcome:
        """Keep how it went; gives it back as later runs will see it."""


class Tape(Protocol):
    def turn(self, asked: Asked) -> Turn:
        """Whose turn it is. Raises an `EdgeError` for a call that was not recorded. Thread-safe."""


current: Tape | None = None  # for the whole process: an app under test may call from threads of its own
going_out: ContextVar[bool] = ContextVar("going_out", default=False)  # a call that is recorded already, on its way down
