"""`recorded("file")`: inside of it clients of edgeclient get recorded answers, or are recorded. Reads and writes the file."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from ..errors import SettingsError
from ..http import taping
from ..http.taping import Asked, Outcome
from ..surroundings import RECORD_VARIABLE
from . import file
from .comparing import explain, name_of
from .errors import RecordingError, UnknownCall
from .scrubbing import Scrubber
from .spelling import outcome, read_outcome, request

Json = dict[str, Any]

_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "never": False}


def recorded(
    path: str | os.PathLike[str],
    *,
    record: bool | None = None,
    scrub: str | re.Pattern[str] | Sequence[str | re.Pattern[str]] = (),
    headers: Sequence[str] = (),
    repeats: Literal["last", "fail"] = "last",
    unused: Literal["ignore", "fail"] = "ignore",
) -> Recorded:
    """Use as `with recorded("tests/hello.json"):`; clients of edgeclient made before, or inside, are answered from the file.

    The first time, or with `record=True` or EDGECLIENT_RECORD=1, the calls go out, and the file is written at the end of the
    block if that ends without an error. `record=False` or EDGECLIENT_RECORD=0: never. `scrub`: texts and compiled patterns
    that are replaced in requests and answers; callers' credentials are, by themselves. `headers`: names of further response
    headers to keep. `repeats`: what a call gets that is made more often than it was recorded: the last answer, or an error.
    `unused`: whether recorded calls that nobody made are an error. Raises SettingsError, RecordingError, UnknownCall.
    """
    patterns = [scrub] if isinstance(scrub, (str, re.Pattern)) else list(scrub)
    if any(not one for one in patterns if isinstance(one, str)):
        raise SettingsError("scrub: an empty text would be found everywhere; remove it")
    for what, said, words in (("repeats", repeats, ("last", "fail")), ("unused", unused, ("ignore", "fail"))):
        if said not in words:
            raise SettingsError(f"{what} is {said!r}; give {' or '.join(map(repr, words))}")
    wanted = _wanted() if record is None else record
    lower = frozenset(name.lower() for name in headers)
    return Recorded(Path(path), wanted, patterns, lower, repeats == "last", unused == "fail")


def _wanted() -> bool | None:
    said = os.environ.get(RECORD_VARIABLE, "")
    if said and said.lower() not in _WORDS:
        raise SettingsError(f"variable {RECORD_VARIABLE} is {said!r}; give 1 (record anew) or 0 (never record)")
    return _WORDS.get(said.lower())


class Recorded:
    """A recording in use. One at a time in a process; threads and tasks may share it."""

    def __init__(
        self,
        path: Path,
        record: bool | None,
        scrub: Sequence[str | re.Pattern[str]],
        headers: frozenset[str],
        repeat_last: bool,
        all_used: bool,
    ) -> None:
        self.path = path
        self._record, self._scrub, self._headers = record, scrub, headers
        self._repeat_last, self._all_used = repeat_last, all_used
        self._lock = threading.Lock()
        self._begin(False)

    def _begin(self, recording: bool) -> None:
        self.recording = recording
        self._calls: list[_Turn] = []
        self._known: dict[str, list[tuple[Json, Outcome]]] = {}
        self._made: dict[str, int] = {}
        self._unknown: list[str] = []
        self._secrets: set[str] = set()

    def __enter__(self) -> Recorded:
        if taping.current is not None:
            raise RecordingError(f"{self.path}: another recording is open in this process; close it first")
        there = self.path.exists()
        if self._record is False and not there:
            raise RecordingError(f"there is no recording {self.path}; make one with {RECORD_VARIABLE}=1")
        known = file.read(self.path) if there else []  # what is not ours is not written over either
        self._begin(not there if self._record is None else self._record)
        for asked, answer in [] if self.recording else known:
            self._known.setdefault(_canonical(asked), []).append((asked, read_outcome(answer)))
        taping.current = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        taping.current = None
        if error is not None:
            return  # half of a test is no recording
        if self._unknown:
            raise UnknownCall(self._unknown[0])
        if self.recording:
            self._write()
        elif self._all_used and self.unused:
            raise RecordingError(f"{self.path}: recorded and not asked for: {'; '.join(self.unused)}")

    @property
    def unused(self) -> list[str]:
        """The recorded calls that nobody has made yet, in a few words each."""
        return [name_of(asked) for key, calls in self._known.items() for asked, _ in calls[self._made.get(key, 0) :]]

    def turn(self, asked: Asked) -> _Turn:
        """What the seam asks of a tape."""
        scrubber = Scrubber(self._scrub, asked.secrets)
        said = request(asked, scrubber)
        with self._lock:
            if self.recording:
                self._secrets.update(scrubber.literals)
                self._calls.append(turn := _Turn(said, scrubber, self._headers))
                return turn
            return _Turn(said, scrubber, self._headers, self._next(said))

    def _next(self, said: Json) -> Outcome:
        key = _canonical(said)
        calls, made = self._known.get(key, []), self._made.get(key, 0)
        self._made[key] = made + 1
        if made < len(calls) or (calls and self._repeat_last):
            return calls[min(made, len(calls) - 1)][1]
        why = f"it was recorded {len(calls)} times, and this is one more" if calls else explain(said, self._requests())
        text = f"{name_of(said)} is not in {self.path}: {why}\nrecord anew with record=True or {RECORD_VARIABLE}=1"
        self._unknown.append(text)
        raise UnknownCall(text)

    def _requests(self) -> list[Json]:
        return [calls[0][0] for calls in self._known.values()]

    def _write(self) -> None:
        calls = [(turn.request, turn.written) for turn in self._calls if turn.written is not None]
        if not calls:
            raise RecordingError(
                f"{self.path}: no call was made to record; clients of edgeclient are recorded, the plain SDKs' are not"
            )
        file.write(self.path, calls, sorted(self._secrets))


class _Turn:
    """One call: what was recorded for it, or where its outcome is kept."""

    def __init__(self, said: Json, scrubber: Scrubber, headers: frozenset[str], had: Outcome | None = None) -> None:
        self.request, self.outcome = said, had
        self._scrubber, self._headers = scrubber, headers
        self.written: Json | None = None

    def record(self, had: Outcome) -> Outcome:
        self.written = outcome(had, self._scrubber, self._headers)
        return read_outcome(self.written)


def _canonical(said: Json) -> str:
    return json.dumps(said, sort_keys=True)
