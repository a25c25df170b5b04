"""Runs jobs beside calls, one after the other, in a daemon thread that starts with the first. Refuses them when many wait."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

Job = Callable[[], object]

_MOST = 1000  # jobs that may wait
_IDLE_S = 10.0  # after which the thread ends; the next job starts another one


class Later:
    """A queue of jobs. Thread-safe; a job that raises is told to `mishap`, and the next one runs."""

    def __init__(self, name: str, mishap: Callable[[str, BaseException], None], *, rests: bool = False) -> None:
        """`rests`: after each job, as long as that took, so that calls have half of the time at least."""
        self._name, self._mishap, self._rests = name, mishap, rests
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's to do."""
        self._awake = threading.Condition(threading.Lock())
        self._waiting: deque[Job] = deque()
        self._busy = self._running = False

    def put(self, job: Job) -> bool:
        """Have a job run; False when too many wait or no thread is to be had."""
        with self._awake:
            if len(self._waiting) >= _MOST:
                return False
            if not self._running:
                try:
                    threading.Thread(target=self._run, name=f"edgeclient-{self._name}", daemon=True).start()
                except RuntimeError:  # at interpreter exit, or at the limit
                    return False
                self._running = True
            self._waiting.append(job)
            self._awake.notify_all()
            return True

    def settle(self, longest_s: float) -> bool:
        """Wait until nothing is left to do; False when that took too long."""
        with self._awake:
            return self._awake.wait_for(lambda: not self._waiting and not self._busy, longest_s)

    def _run(self) -> None:
        while job := self._next():
            began = time.monotonic()
            try:
                job()
            except Exception as error:
                self._mishap(self._name, error)
            del job  # with all that it holds: the next one may be long in coming
            with self._awake:
                self._busy = False
                self._awake.notify_all()
                if self._rests:
                    self._awake.wait_for(lambda: False, time.monotonic() - began)

    def _next(self) -> Job | None:
        with self._awake:
            if not self._waiting and not self._awake.wait_for(lambda: bool(self._waiting), _IDLE_S):
                self._running = False
                return None
            self._busy = True
            return self._waiting.popleft()
