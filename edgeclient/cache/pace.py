"""The pace of a stream: noted while it passes, kept with its entry, and given again. Pure.

Kept are three numbers for each piece of text (its part, its characters, milliseconds after the piece before), and one for
the end, as varints of 7 bits a byte: three or four bytes a piece.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from ..values import Dialect, Json, Piece, Step
from .tee import AwaitedTee

Times = Sequence[tuple[int, float]]  # so many bytes of a body had passed then

LONGEST_S = 2.0  # what a longer gap is taken for: nobody waits again for a stall
IN_ALL_S = 30.0  # after which the rest comes at once
_MOST = 20_000  # pieces, and parts of a body; of a stream with more no pace is kept
_BETWEEN = re.compile(rb"\r?\n\r?\n")


class TimedTee(AwaitedTee):
    """A tee that notes when each part of the body came."""

    __slots__ = ("_now", "_passed", "_times")

    def __init__(
        self,
        on_end: Callable[[bytes | None, BaseException | None], None],
        now: Callable[[], float],
        *,
        closing: bytes,
        limit: int,
        failing: re.Pattern[bytes] | None = None,
        times: list[tuple[int, float]],
    ) -> None:
        super().__init__(on_end, closing=closing, limit=limit, failing=failing)
        self._now, self._passed = now, 0
        self._times = times  # its maker's, to read at the end: a tee that `on_end` knows would wait for the collector

    def feed(self, chunk: bytes) -> None:
        if not self.ended and len(self._times) <= _MOST:
            self._passed += len(chunk)
            self._times.append((self._passed, self._now()))
        super().feed(chunk)


def decoded(times: Times, body: bytes, encoding: str) -> list[tuple[int, float]]:
    """The times of a body that came encoded, as times of what it says; [] where that cannot be told."""
    if encoding in ("", "identity"):
        return list(times)
    if encoding not in ("gzip", "deflate"):
        return []
    opened, start, told = zlib.decompressobj(47), 0, 0  # either format, by its header
    found = []
    try:
        for end, at in times:
            told += len(opened.decompress(body[start:end]))
            start = end
            found.append((told, at))
    except zlib.error:
        return []
    return found


def packed(body: bytes, times: Times, dialect: Dialect, answer: Json) -> bytes:
    """The pace of a whole stream that spells `answer`; b"" where there is none to be kept."""
    if not times or len(times) > _MOST:
        return b""
    ends = [end for end, _ in times]
    when = times[0][1]
    found: list[tuple[tuple[int, ...], int, float]] = []
    for end, spoken in _spoken(body, dialect):
        at = times[min(bisect_left(ends, end), len(times) - 1)][1]
        for key, characters in spoken:
            found.append((key, characters, at - when))
            when = at
    parts = {key: n for n, key in enumerate(sorted({key for key, _, _ in found}))}
    pieces = [(parts[key], characters, gap_s) for key, characters, gap_s in found]
    if not pieces or len(pieces) > _MOST or not dialect.fits(answer, pieces):
        return b""
    return bytes(_varints(_numbers(pieces, times[-1][1] - when)))


def _spoken(body: bytes, dialect: Dialect) -> Iterator[tuple[int, Sequence[tuple[tuple[int, ...], int]]]]:
    """Where each event ends, and what it adds to which text."""
    start = 0
    for found in _BETWEEN.finditer(body):
        spoken = dialect.spoken(body[start : found.end()])
        start = found.end()
        if spoken:
            yield start, spoken


def _numbers(pieces: Sequence[Piece], rest_s: float) -> Iterator[int]:
    left_s = IN_ALL_S
    for part, characters, gap_s in (*pieces, (0, 0, rest_s)):
        gap_s = max(0.0, min(gap_s, LONGEST_S, left_s))
        left_s -= gap_s
        yield from (part, characters, round(gap_s * 1e3))


def _varints(numbers: Iterable[int]) -> Iterator[int]:
    for number in numbers:
        while number > 127:
            yield number & 127 | 128
            number >>= 7
        yield number


def unpacked(pace: bytes) -> tuple[list[Piece], float]:
    """The pieces, and the seconds from the last one to the end. Of bytes that are no pace: none, and 0."""
    numbers, number, shift = [], 0, 0
    for byte in pace:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    if shift or len(numbers) < 6 or len(numbers) % 3:
        return [], 0.0
    gaps_s = [min(ms / 1e3, LONGEST_S) for ms in numbers[2::3]]
    pieces = list(zip(numbers[::3], numbers[1::3], gaps_s, strict=True))
    return pieces[:-1], gaps_s[-1]


class Paced:
    """A stream out of the cache on its way to one reader: each part in its time after the first, and none later."""

    def __init__(
        self, steps: Iterable[Step], now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._steps, self._now, self._sleep = iter(steps), now, sleep
        self._due: float | None = None
        self._closed = False

    async def part(self) -> bytes | None:
        """The next part, when it is due; None at the end, and for a reader that has left."""
        step = None if self._closed else next(self._steps, None)
        if step is None:
            return None
        gap_s, part = step
        self._due = (self._now() if self._due is None else self._due) + gap_s
        early_s = self._due - self._now()
        if early_s > 0:
            await self._sleep(early_s)
        return None if self._closed else part

    def close(self) -> None:
        """The reader leaves. Whoever waits just now gets no part any more."""
        self._closed = True
