"""`Edge`: what one configuration owns (endpoints, what was measured of them, cache, events), and the clients made with it."""

from __future__ import annotations

import importlib
import logging
import math
import os
import random
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import owning
from .cache.controls import tags_of, within
from .cache.flights import Flight, Flights
from .cache.marks import EVERYTHING, Subject
from .cache.refreshing import Refreshes
from .cache.streams import Streams
from .http import families, pools, sockets
from .http.adoption import bind
from .http.transport import AsyncTransport, SyncTransport
from .http.watchdog import Watchdog
from .policies import Policies
from .pops.ip_versions import IpVersions
from .pops.prober import Prober
from .pops.selector import Selector
from .pops.track import EndpointStatus
from .routing import presets
from .settings import load, normal
from .telemetry.events import Event, Hook, Telemetry
from .values import UNSAID, Controls
from .values import Endpoint as Resolved

if TYPE_CHECKING:
    import anthropic
    import openai

    from .semantics import SemanticCache

log = logging.getLogger("edgeclient")


class _Unset:
    def __repr__(self) -> str:
        return "<not given>"


_UNSET: Any = _Unset()


@dataclass(frozen=True, slots=True)
class Status:
    """What an edge knows at one moment.

    `counts`: calls, attempts, failovers, errors, hit, miss, bypass, stored, upstream hits (a cache beyond this one answered),
    stale answers (of the hits, after an outage), refreshes (of stale answers, beside calls, and calls themselves), broken
    streams, hedges, calls for retired models and for ending models (within 30 days), and keep-warm calls (which nobody made,
    and which are none of the others). `cache_entries`: held in memory, or
    in the file that `Cache(store=...)` names; one past its time counts until it is asked for, swept or pushed out. What a
    server holds is not counted.
    """

    endpoints: tuple[EndpointStatus, ...]
    counts: dict[str, int]
    cache_entries: int
    cache_bytes: int
    mishaps: dict[str, int]  # what failed beside calls, and how often


class Edge:
    """One configuration and all its state; clients made from it share both. Thread-safe and fork-safe.

    Arguments come before `EDGECLIENT_*` variables, and those before `edgeclient.toml`; `edgeclient.settings.SETTINGS`
    explains each. `hooks`: functions that are called with an `Event` for each call. Raises `SettingsError`.
    Nothing runs until the first call.
    """

    def __init__(
        self,
        *,
        endpoints: Any = _UNSET,
        key: Any = _UNSET,
        cache: Any = _UNSET,
        origin: Any = _UNSET,
        origins: Any = _UNSET,
        allow_regions: Any = _UNSET,
        routes: Any = _UNSET,
        aliases: Any = _UNSET,
        cascade: Any = _UNSET,
        retired: Any = _UNSET,
        models: Any = _UNSET,
        rank: Any = _UNSET,
        rtt_source: Any = _UNSET,
        probe: Any = _UNSET,
        remember: Any = _UNSET,
        max_attempts: Any = _UNSET,
        total_s: Any = _UNSET,
        connect_s: Any = _UNSET,
        retry_sent: Any = _UNSET,
        hedge: Any = _UNSET,
        dead_path_s: Any = _UNSET,
        watchdog: Any = _UNSET,
        flight_wait_s: Any = _UNSET,
        stream_wait_s: Any = _UNSET,
        keepalive_s: Any = _UNSET,
        keep_warm: Any = _UNSET,
        notes: Any = _UNSET,
        hooks: Sequence[Hook] = (),
    ) -> None:
        said = {
            name: value for name, value in locals().items() if name not in ("self", "hooks") and value is not _UNSET
        }
        self.settings, endpoints_now = load(said, presets.expand)
        rng = random.Random()
        by_answer, telemetry = self.settings.rank == "answer", Telemetry(hooks)
        selector = Selector(endpoints_now, rng, probing=self.settings.probe, by_answer=by_answer)
        self._memory = owning.memory_of(self.settings, said, endpoints_now, selector, telemetry, self._recalled)
        self.policies = Policies(
            settings=self.settings,
            endpoints=endpoints_now,
            origins=frozenset(map(normal, self.settings.origins)),
            selector=selector,
            store=owning.store_of(self.settings, said, telemetry),
            flights=Flights(),
            telemetry=telemetry,
            hedging=owning.hedging_of(self.settings),
            memory=self._memory,
        )
        owning.begin_semantic(self.policies, said, rng)
        self._begin_connections(endpoints_now)
        self._around: ContextVar[Controls] = ContextVar("edgeclient-caching")
        self.active = self.settings.active
        self.taken_out = ("cache-control",) if self.policies.store is not None else ()
        self._bound: dict[str, Any] = {}
        _alive.add(self)

    def _begin_connections(self, endpoints_now: Sequence[Resolved]) -> None:
        """What measures, watches and keeps connections."""
        self.rtt_source = self.settings.rtt_source
        self._versions = IpVersions() if self.settings.probe and endpoints_now else None
        self.prober = Prober(self.settings.rtt_source, sockets.kernel_rtt, self._versions)
        self._watchdog = Watchdog() if self.settings.watchdog else None
        self.warmer = owning.warmer_of(self.policies)

    # -- clients

    def OpenAI(self, *args: Any, **kwargs: Any) -> openai.OpenAI:
        """An `openai.OpenAI` whose calls pass this edge. Takes what `openai.OpenAI` takes."""
        return self._client("openai", "OpenAI")(*args, **kwargs)  # type: ignore[no-any-return]

    def AsyncOpenAI(self, *args: Any, **kwargs: Any) -> openai.AsyncOpenAI:
        """An `openai.AsyncOpenAI` whose calls pass this edge."""
        return self._client("openai", "AsyncOpenAI")(*args, **kwargs)  # type: ignore[no-any-return]

    def Anthropic(self, *args: Any, **kwargs: Any) -> anthropic.Anthropic:
        """An `anthropic.Anthropic` whose calls pass this edge."""
        return self._client("anthropic", "Anthropic")(*args, **kwargs)  # type: ignore[no-any-return]

    def AsyncAnthropic(self, *args: Any, **kwargs: Any) -> anthropic.AsyncAnthropic:
        """An `anthropic.AsyncAnthropic` whose calls pass this edge."""
        return self._client("anthropic", "AsyncAnthropic")(*args, **kwargs)  # type: ignore[no-any-return]

    def http_client(self, family: str = "", **kwargs: Any) -> Any:
        """A `Client` whose requests pass this edge; takes what the HTTP family's `Client` takes.

        For callers that take an HTTP client and no SDK client. `family`: "httpx2" or "httpx"; "" is the family that the
        installed openai runs on. Redirects are followed, as in the SDKs.
        """
        return self._http_client(family, "Client", SyncTransport, kwargs)

    def async_http_client(self, family: str = "", **kwargs: Any) -> Any:
        """The same as an `AsyncClient`."""
        return self._http_client(family, "AsyncClient", AsyncTransport, kwargs)

    # -- what it knows

    def status(self) -> Status:
        """The endpoints as they are now, and the counts so far."""
        edge = self.policies
        entries, held = edge.store.usage() if edge.store is not None else (0, 0)
        return Status(
            endpoints=tuple(map(self._by_version, edge.selector.status(time.monotonic()))),
            counts=edge.telemetry.counts(),
            cache_entries=entries,
            cache_bytes=held,
            mishaps=edge.telemetry.mishaps(),
        )

    def events(self) -> tuple[Event, ...]:
        """The last 1,000 calls, oldest first."""
        return self.policies.telemetry.events()

    def probe(self) -> tuple[EndpointStatus, ...]:
        """Measure every endpoint now, all at once, and wait for it (some seconds at most); no model is called."""
        selector = self.policies.selector
        self.prober.run(
            self.policies.endpoints,
            lambda endpoint, rtts, took_s: selector.probed(endpoint, rtts, time.monotonic(), took_s),
        )
        return self.status().endpoints

    @property
    def semantic(self) -> SemanticCache:
        """What the semantic cache has shown and would do. Its methods raise `SettingsError` where it is off."""
        from .semantics import SemanticCache

        return SemanticCache(self.policies)

    def clear_cache(self) -> None:
        """Forget every stored answer, for all who share the store. Raises `StoreError` where that did not succeed."""
        if self.policies.semantic is not None:
            self.policies.semantic.forget()
        if self.policies.inventory is not None:
            self.policies.inventory.forget()
        if self.policies.store is not None:
            self.policies.store.clear()
            self.policies.store.invalidate(EVERYTHING, time.time())  # what other processes have in memory

    def invalidate(
        self, *, key: str | None = None, namespace: str | None = None, model: str | None = None, tag: str | None = None,
        older_than_s: float | None = None,
    ) -> None:  # fmt: skip
        """Let stored answers that fit all that is said answer nobody any more.

        `key`: that of the notes, or what callers said in `Edge-Cache-Key`; `namespace`: "" for answers of none; `model`: its
        name as asked for at the endpoint; `older_than_s`: only those that were stored at least so many seconds ago. It holds
        here at once, and for all who share the store within five seconds. Raises ValueError when nothing is said, and
        `StoreError` where it may hold in this process only.
        """
        subject = Subject(key, namespace, model, tag)
        if subject == EVERYTHING and older_than_s is None:
            raise ValueError("say which answers: key, namespace, model, tag or older_than_s; clear_cache() forgets all")
        if older_than_s is not None and not 0 <= older_than_s < math.inf:
            raise ValueError(f"older_than_s is {older_than_s!r}; give seconds, zero or more")
        if self.policies.store is not None:
            self.policies.store.invalidate(subject, time.time() - (older_than_s or 0.0))

    @contextmanager
    def caching(
        self,
        *,
        off: bool | None = None,
        namespace: str = "",
        ttl_s: float | None = None,
        tags: str | Sequence[str] = (),
    ) -> Iterator[None]:
        """Says for all calls in a `with` block what `Cache-Control` and `Edge-Cache-*` say for one, which comes first.

        `off`: neither answered from a cache nor stored; `namespace`, `ttl_s` and `tags`: of what is stored. Blocks may stand
        in one another. It is a context variable: tasks that begin in the block have it, threads only with a copied context.
        """
        if ttl_s is not None and not 0 < ttl_s < math.inf:
            raise ValueError(f"ttl_s is {ttl_s!r}; give seconds, more than zero")
        outer = self._around.get(UNSAID)
        on = outer.store if off is None else not off
        own = Controls(store=on, lookup=on, namespace=namespace, ttl_s=ttl_s, tags=_tags(tags))
        self.policies.around = self._around  # from now on calls look at it
        token = self._around.set(replace(within(own, outer), store=on, lookup=on))
        try:
            yield
        finally:
            self._around.reset(token)

    def close(self) -> None:
        """Forget the answers in memory, let go of the file or server that keeps them, and write down round-trip times.

        Connections are not kept warm any more. Clients stay usable and are closed on their own; what they need is opened
        again.
        """
        if self.policies.semantic is not None:
            from .semantics import end

            end(self.policies, time.time())
        if self.policies.store is not None:
            self.policies.store.close()
        if self._memory is not None:
            self._memory.close()
        if self.warmer is not None:
            self.warmer.close()

    def __enter__(self) -> Edge:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- for the seam

    def keep_alive(self, http_client: Any) -> None:
        """Let an HTTP client that the SDK made keep its idle connections, and notice dead ones, as the settings say."""
        dead_s = self.settings.dead_path_s
        options = () if dead_s is None else sockets.dead_path_options(dead_s)
        pools.keep_alive(http_client, self.settings.keepalive_s, options, self._watchdog, self._versions)

    def after_fork(self) -> None:
        """In a forked child: new locks, no flights, no thread; what was measured and stored stays."""
        edge = self.policies
        edge.flights, edge.streams, edge.refreshes = Flights(), Streams(), Refreshes()
        edge.first_look = Flight("")
        edge.selector.after_fork()
        edge.telemetry.after_fork()
        edge.retries.after_fork()
        if edge.hedging is not None:
            edge.hedging.after_fork()
        self.prober.after_fork()
        for owned in (self._versions, self._memory, self._watchdog, self.warmer):
            if owned is not None:
                owned.after_fork()
        if edge.store is not None:
            edge.store.after_fork()
        if edge.semantic is not None and edge.later is not None:
            edge.semantic.after_fork(random.Random())
            edge.later.after_fork()
            if edge.inventory is not None:
                edge.inventory.after_fork()

    def _by_version(self, status: EndpointStatus) -> EndpointStatus:
        host = urlsplit(status.url).hostname or ""
        compared = self._versions.of(host) if self._versions is not None else None
        return status.by(compared) if compared is not None else status

    def _recalled(self) -> None:
        """A server was asked for round-trip times: the first call waits no longer, unless a probe can still tell it more."""
        selector = self.policies.selector
        if not selector.looks or not selector.lost(self.policies.endpoints):
            for wake in self.policies.first_look.land(stored=True):
                wake()

    def _client(self, module: str, name: str) -> Any:
        if name not in self._bound:
            mirror = importlib.import_module(f"{__package__}.{module}")
            self._bound[name] = bind(getattr(mirror, name), self)
        return self._bound[name]

    def _http_client(self, family: str, name: str, transport: Any, kwargs: dict[str, Any]) -> Any:
        family = family or families.of_openai()
        if family not in ("httpx2", "httpx"):
            raise ValueError(f"family is {family!r}; give 'httpx2' or 'httpx'")
        kwargs.setdefault("follow_redirects", True)
        client = getattr(importlib.import_module(family), name)(**kwargs)
        self.keep_alive(client)
        return families.through(client, lambda inner: transport(inner, self))


def _tags(said: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(tags_of(said) if isinstance(said, str) else said)


_alive: weakref.WeakSet[Edge] = weakref.WeakSet()


def _after_fork() -> None:
    for edge in list(_alive):
        edge.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
