"""Runs one thread that answers for all callers, so that each can leave when its time is up. Callers at once share a batch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..flights import Flight

T = TypeVar("T")

_IDLE_S = 10.0  # after which the thread ends; the next question starts another one
_BATCH = 64


class Question(Flight, Generic[T]):
    """One key, or text, that somebody wants to know about; it lands with its answer."""

    __slots__ = ("answer", "given_up")

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.answer: T | BaseException | None = None
        self.given_up = False


class Reader(Generic[T]):
    """Asks `load` for as many answers as keys, in a daemon thread that starts with the first question."""

    def __init__(
        self, load: Callable[[Sequence[str]], Sequence[T | None]], name: str = "edgeclient-cache-reader"
    ) -> None:
        self._load, self._name = load, name
        self.after_fork()

    def after_fork(self) -> None:
        self._asked: queue.SimpleQueue[Question[T]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    def ask(self, key: str) -> Question[T]:
        """Put a question; it lands some time, or never. Raises RuntimeError when there is no thread to be had."""
        question = Question[T](key)
        with self._lock:
            if not self._running:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._running = True
            self._asked.put(question)
        return question

    def _run(self) -> None:
        while True:
            try:
                batch = [self._asked.get(timeout=_IDLE_S)]
            except queue.Empty:
                with self._lock:
                    if self._asked.empty():
                        self._running = False
                        return
                continue
            while len(batch) < _BATCH and not self._asked.empty():
                batch.append(self._asked.get())
            self._answer([question for question in batch if not question.given_up])

    def _answer(self, batch: list[Question[T]]) -> None:
        if not batch:
            return
        answers: Sequence[T | BaseException | None]
        try:
            answers = self._load([question.key for question in batch])
        except BaseException as error:
            answers = [error] * len(batch)
        for question, answer in zip(batch, answers, strict=True):
            question.answer = answer
            for wake in question.land(True):
                wake()
