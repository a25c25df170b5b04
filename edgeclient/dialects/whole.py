"""What the dialects have in common whose answers are never streamed and drawn by no chance. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..values import Json, Piece, Step


class Whole:
    """An answer is one JSON object, which has nothing that is new with each answer unless its class says so."""

    samples = False
    closing = b""
    failing = None

    def calls_tools(self, answer: Json) -> bool:
        return False

    def whole(self, events: bytes) -> Json | None:
        return None

    def serves(self, has_usage: bool, body: Json) -> bool:
        return True

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        return {}

    def replay(self, answer: Json, body: Json) -> bytes:
        raise ValueError("this answer is never streamed")

    def steps(self, answer: Json, body: Json, pieces: Sequence[Piece]) -> list[Step]:
        raise ValueError("this answer is never streamed")

    def fits(self, answer: Json, pieces: Sequence[Piece]) -> bool:
        return False

    def spoken(self, event: bytes) -> Sequence[tuple[tuple[int, ...], int]]:
        return ()
