"""Reads a response on for all who share it: a thread does so for a sync one, a task of its event loop for an async one.

The helper runs while its readers want more, some parts ahead of the fastest, and closes the response when it is over or
everybody has left. Two classes: reading is where colours differ.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from ..cache.sharing import Broken, Shared
from ..cache.streams import Stream
from ..cache.tee import Tee
from .homes import home


class _Source(ABC):
    """What both colours share. `way`: the response's HTTP client, which would close its connections if it were collected."""

    def __init__(self, native: Any, parts: Any, tee: Tee, flight: Stream, way: Any) -> None:
        self.native, self.parts, self.tee, self._flight, self._way = native, parts, tee, flight, way

    def start(self) -> None:
        """Let a helper read on, unless one does."""
        shared = self._flight.shared
        if shared is not None and shared.claim():
            self._help(shared)

    @abstractmethod
    def _help(self, shared: Shared) -> None: ...

    def _came(self, part: bytes, shared: Shared) -> None:
        self.tee.feed(part)
        shared.add(part)

    def _ended(self, shared: Shared) -> None:
        self.tee.end(complete=True)
        shared.finish(None)

    def _broke(self, error: BaseException, shared: Shared) -> None:
        """After the closing event a break is the end: nobody reads further."""
        if self.tee.ended:
            shared.finish(None)
            return
        self.tee.end(complete=False, error=error if isinstance(error, Exception) else None)
        shared.finish(error)


class SyncSource(_Source):
    """A sync response."""

    home = None

    def __init__(self, native: Any, tee: Tee, flight: Stream, way: Any) -> None:
        super().__init__(native, iter(native), tee, flight, way)

    def discard(self) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.native.close()
        finally:
            self.tee.end(complete=False)

    def _help(self, shared: Shared) -> None:
        try:
            threading.Thread(target=self._read, args=(shared,), name="edgeclient-stream", daemon=True).start()
        except RuntimeError:  # there is no thread to be had
            self._read(shared)

    def _read(self, shared: Shared) -> None:
        try:
            while shared.wants():
                part = next(self.parts, None)
                if part is None:
                    self._ended(shared)
                    break
                self._came(part, shared)
        except BaseException as error:
            self._broke(error, shared)
        if shared.is_over:
            try:
                self.close()
            except Exception:  # of a connection that nobody reads any more
                pass


class AsyncSource(_Source):
    """An async response, whose home is the event loop that it came in."""

    def __init__(self, native: Any, tee: Tee, flight: Stream, way: Any) -> None:
        super().__init__(native, native.__aiter__(), tee, flight, way)
        self._home = home()

    @property
    def home(self) -> object:
        return self._home.loop

    def discard(self) -> None:
        try:
            self._home.begin(self._closing)
        except Exception:  # its event loop has ended
            pass

    async def close(self) -> None:
        try:
            if isinstance(self.parts, AsyncGenerator):  # left half-way the event loop would finalise it, later
                await self.parts.aclose()
            await self.native.aclose()
        finally:
            self.tee.end(complete=False)

    def _help(self, shared: Shared) -> None:
        def read() -> Coroutine[Any, Any, None]:
            return self._read(shared)

        try:
            self._home.begin(read)
        except Exception as error:  # its event loop has ended, or does not run just now: the leader may yet go on
            shared.give_back()
            raise Broken(str(error), error) from None

    async def _read(self, shared: Shared) -> None:
        try:
            while shared.wants():
                try:
                    part = await self.parts.__anext__()
                except StopAsyncIteration:
                    self._ended(shared)
                    break
                self._came(part, shared)
        except BaseException as error:
            self._broke(error, shared)
            if not isinstance(error, Exception):
                raise
        finally:
            if shared.is_over:
                await self._closing()

    async def _closing(self) -> None:
        try:
            await self.close()
        except Exception:  # of a connection that nobody reads any more
            pass
