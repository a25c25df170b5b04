"""Reads a response on for all who share it: a thread does so for a sync one, a task of its event loop for an async one.

The helper runs while its readers want more, some parts ahead of the fastest, and closes the response when it is over or
everybody has left. Two classes: reading is where colours differ.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ..cache.flights import Flight
from ..cache.sharing import Broken, Reader, Shared, Stream
from ..cache.tee import Tee
from ..cache.waiting import wait, wait_async

_UNKNOWN_S = 600.0  # the longest silence where a request does not say: what the SDKs say
_FOREVER_S = 86400.0  # where it says that there is no limit


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


class SyncSource(_Source):
    """A sync response."""

    home = None

    def __init__(self, native: Any, tee: Tee, flight: Stream, way: Any) -> None:
        super().__init__(native, iter(native), tee, flight, way)

    def _help(self, shared: Shared) -> None:
        try:
            threading.Thread(target=self._read, args=(shared,), name="edgeclient-stream", daemon=True).start()
        except RuntimeError:  # there is no thread to be had
            self._read(shared)

    def discard(self) -> None:
        self.close()

    def close(self) -> None:
        try:
            self.native.close()
        finally:
            self.tee.end(complete=False)

    def _read(self, shared: Shared) -> None:
        try:
            while shared.wants():
                part = next(self.parts, None)
                if part is None:
                    self.tee.end(complete=True)
                    shared.finish(None)
                    break
                self.tee.feed(part)
                shared.add(part)
        except BaseException as error:
            _break(error, self.tee, shared)
        if shared.is_over:
            try:
                self.close()
            except Exception:  # of a connection that nobody reads any more
                pass


class AsyncSource(_Source):
    """An async response, whose home is the event loop that it came in."""

    def __init__(self, native: Any, tee: Tee, flight: Stream, way: Any) -> None:
        super().__init__(native, native.__aiter__(), tee, flight, way)
        self._at_home = _home()
        self._task: Any = None  # an event loop does not hold its tasks

    def _help(self, shared: Shared) -> None:
        try:
            self._at_home(lambda: self._begin(self._read(shared)))
        except Exception as error:  # its event loop has ended, or does not run just now: the leader may yet go on
            shared.give_back()
            raise Broken(str(error), error) from None

    @property
    def home(self) -> object:
        return self._at_home.home

    def discard(self) -> None:
        try:
            self._at_home(lambda: self._begin(self._closing()))
        except Exception:  # its event loop has ended
            pass

    async def close(self) -> None:
        try:
            if isinstance(self.parts, AsyncGenerator):  # left half-way the event loop would finalise it, later
                await self.parts.aclose()
            await self.native.aclose()
        finally:
            self.tee.end(complete=False)

    def _begin(self, steps: Any) -> None:
        if isinstance(self._at_home, _OnTrio):
            self._at_home.spawn(steps)
        else:
            self._task = asyncio.ensure_future(steps)

    async def _read(self, shared: Shared) -> None:
        try:
            while shared.wants():
                try:
                    part = await self.parts.__anext__()
                except StopAsyncIteration:
                    self.tee.end(complete=True)
                    shared.finish(None)
                    break
                self.tee.feed(part)
                shared.add(part)
        except BaseException as error:
            _break(error, self.tee, shared)
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


class _OnAsyncio:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.home = loop

    def __call__(self, begin: Callable[[], None]) -> None:
        if not self.home.is_running():
            raise RuntimeError("the event loop of this stream does not run any more")
        self.home.call_soon_threadsafe(begin)


class _OnTrio:
    def __init__(self) -> None:
        import trio

        self._trio, self.home = trio, trio.lowlevel.current_trio_token()

    def __call__(self, begin: Callable[[], None]) -> None:
        self.home.run_sync_soon(begin)

    def spawn(self, steps: Any) -> None:
        async def run() -> None:
            await steps

        self._trio.lowlevel.spawn_system_task(run)


def runs_here(home: object) -> bool:
    """True on a thread that runs this event loop itself: who waits there for the loop stops it."""
    try:
        return _home().home is home
    except (ImportError, RuntimeError):  # no event loop runs here
        return False


def _home() -> _OnAsyncio | _OnTrio:
    try:
        return _OnAsyncio(asyncio.get_running_loop())
    except RuntimeError:
        return _OnTrio()


def _break(error: BaseException, tee: Tee, shared: Shared) -> None:
    """After the closing event a break is the end: nobody reads further."""
    if tee.ended:
        shared.finish(None)
        return
    tee.end(complete=False, error=error if isinstance(error, Exception) else None)
    shared.finish(error)


def next_part(reader: Reader, family: Any, request: Any) -> bytes | None:
    """What a reader on a thread gets next; None at the end. Raises what a broken connection raises."""
    while isinstance(found := _taken(reader, family, request), Flight):
        wait(found, _silence_s(request))
        if found.landed is None:
            raise family.ReadTimeout("no part of the stream came in time", request=request)
    return found


async def next_part_async(reader: Reader, family: Any, request: Any) -> bytes | None:
    """The same for a reader that is a task."""
    while isinstance(found := _taken(reader, family, request), Flight):
        await wait_async(found, _silence_s(request))
        if found.landed is None:
            raise family.ReadTimeout("no part of the stream came in time", request=request)
    return found


def _taken(reader: Reader, family: Any, request: Any) -> bytes | Flight | None:
    shared = reader.shared
    try:
        found = shared.take(reader)
        if isinstance(found, Flight) and shared.stream.source is not None:
            shared.stream.source.start()
    except Broken as broken:
        raise _native(broken, family, request) from broken.error
    return found


def _silence_s(request: Any) -> float:
    """The longest wait for the next part, as the caller's own request says."""
    said = request.extensions.get("timeout", {}).get("read", _UNKNOWN_S)
    return _FOREVER_S if said is None else float(said)


def _native(broken: Broken, family: Any, request: Any) -> BaseException:
    """The family's own exception, of the class that the leader's was; each reader gets one of its own."""
    kind = getattr(family, type(broken.error).__name__, None)
    if not (isinstance(kind, type) and issubclass(kind, family.RequestError)):
        kind = family.ReadError
    error: BaseException = kind(str(broken), request=request)
    return error
