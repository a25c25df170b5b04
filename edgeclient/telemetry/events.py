"""One event for each call, kept for a while and given to the hooks; and the count of what went wrong without harm.

Nothing here ever fails a call: a hook that raises is counted, logged once, and called again next time.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

from ..errors import SettingsError
from ..frozen import value
from ..noting import OUTRUN, Notes

log = logging.getLogger("edgeclient")

_KEPT = 1000
_advised: dict[str, object] = {}  # what this process was told already: only logging depends on it
_COUNTED = dict.fromkeys(
    (
        "calls",
        "attempts",
        "failovers",
        "errors",
        "hit",
        "miss",
        "bypass",
        "stored",
        "upstream hits",
        "stale answers",
        "semantic hits",
        "refreshes",
        "broken streams",
        "hedges",
        "retired models",
        "ending models",
        "keep-warm calls",
    ),
    0,
)


@value
class Event:
    """The end of one call's way through the edge: its answer's head, or its error."""

    at: float  # wall-clock seconds
    model: str
    notes: Notes
    status: int = 0  # 0 when no answer came
    error: str = ""  # the error's class name when no answer came
    keeps_warm: bool = False  # nobody's call: a model was asked for next to nothing, so that it is there (`keep_warm`)


Hook = Callable[[Event], object]


class Telemetry:
    """Events, counts and mishaps of one edge. Thread-safe; never raises."""

    def __init__(self, hooks: Sequence[Hook] = ()) -> None:
        for hook in hooks:
            if inspect.iscoroutinefunction(hook):
                raise SettingsError(
                    f"hooks: {hook!r} is async; give a plain function: it is called in sync clients too"
                )
        self._hooks = tuple(hooks)
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._counts = dict(_COUNTED)
        self._mishaps: Counter[str] = Counter()
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Keep an event, count it, and tell the hooks."""
        with self._lock:
            self._events.append(event)
            if event.keeps_warm:
                self._counts["keep-warm calls"] += 1
            else:
                self._count(event)
        for hook in self._hooks:
            try:
                hook(event)
            except Exception as error:
                self.mishap("hook", error)

    def _count(self, event: Event) -> None:
        counts, notes = self._counts, event.notes
        counts["calls"] += 1
        if notes.cache != "off":
            counts[notes.cache] += 1
        if notes.attempts:
            counts["attempts"] += notes.attempts
            if notes.attempts > 1:
                hedged = any(attempt.outcome == OUTRUN for attempt in notes.tried)
                counts["hedges"] += hedged
                models = len({attempt.model for attempt in notes.tried}) or 1  # two where a cascade asked both
                counts["failovers"] += notes.attempts - models - hedged
        if notes.stored:
            counts["stored"] += 1
        if notes.upstream_cache == "hit":
            counts["upstream hits"] += 1
        if event.error:
            counts["errors"] += 1

    def count(self, what: str) -> None:
        with self._lock:
            self._counts[what] = self._counts.get(what, 0) + 1

    def mishap(self, what: str, error: BaseException) -> None:
        """Count something that failed beside a call; the first of its kind is logged."""
        with self._lock:
            self._mishaps[what] += 1
            first = self._mishaps[what] == 1
        if first:
            log.warning("%s failed and was stepped over (further ones are only counted): %r", what, error)

    def advise(self, about: str, text: str) -> None:
        """Log what the reader should act on, once for each subject and process."""
        mine = object()
        if _advised.setdefault(about, mine) is mine:  # one step: two threads log it once
            log.warning("%s", text)

    def events(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        with self._lock:
            return tuple(self._events)

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def mishaps(self) -> dict[str, int]:
        with self._lock:
            return dict(self._mishaps)

    def after_fork(self) -> None:
        """In a forked child: a new lock, and nothing of the parent's calls."""
        self._lock = threading.Lock()
        self._events.clear()
        self._counts = dict(_COUNTED)
        self._mishaps.clear()
