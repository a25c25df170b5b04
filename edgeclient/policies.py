"""What one edge owns, as the steps of a call see it: the policies, and their state."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .cache import policy
from .cache.flights import Flight, Flights
from .cache.later import Later
from .cache.refreshing import Refreshes
from .cache.stores import Store
from .cache.streams import Streams
from .pops.hedging import Hedging
from .pops.memory import Memory
from .pops.retry_budget import RetryBudget
from .pops.selector import Selector
from .pops.wake import Wake
from .routing import routes
from .routing.knowledge import Knowledge, Named, renamed
from .telemetry.events import Telemetry
from .values import Controls, Endpoint

if TYPE_CHECKING:
    from .cache.inventory import Inventory
    from .cache.lessons import Lessons
    from .cache.semantic import Semantic
    from .settings import Settings


@dataclass(slots=True)
class Policies:
    """The policies and the state of one edge; all its calls share them."""

    settings: Settings
    endpoints: tuple[Endpoint, ...]
    origins: frozenset[str]  # whose calls may be re-routed, besides the SDKs' own
    selector: Selector
    store: Store | None  # None: the cache is off
    flights: Flights
    telemetry: Telemetry
    streams: Streams = field(default_factory=Streams)  # under way, for others to read along
    semantic: Semantic | None = None  # None: only equal questions are the same
    lessons: Lessons | None = None  # of what the semantic cache has learned; None: it ends with this process
    inventory: Inventory | None = None  # of the store's questions; None: this process knows its own
    later: Later | None = None  # where answers are compared, beside calls
    first_look: Flight = field(default_factory=lambda: Flight(""))  # lands when the first probe was answered
    retries: RetryBudget = field(default_factory=RetryBudget)
    hedging: Hedging | None = None  # None: no call is hedged
    memory: Memory | None = None  # None: nothing is kept between processes
    refreshes: Refreshes = field(default_factory=Refreshes)
    wake: Wake = field(default_factory=Wake)
    around: ContextVar[Controls] | None = None  # what a block says about caching; None: there was no such block yet
    candidates: routes.Candidates = field(init=False)
    models: Knowledge = field(init=False)
    renamed: Mapping[str, tuple[Named, ...]] = field(init=False)
    routes: routes.Rules = field(init=False)
    deterministic: bool = field(init=False)  # the cache is for deterministic calls only
    paces: bool = field(init=False)  # streams come out of the cache as they first came
    leases: bool = field(init=False)  # processes that share the store ask one after the other
    says_caching: bool = field(init=False)  # the settings say how long answers live, or in which namespace
    stream_leases: bool = field(init=False)  # where the answer is streamed, too

    def __post_init__(self) -> None:
        said = self.settings
        self.models = Knowledge(said.models)
        self.deterministic = self.store is not None and said.cache.temperature == "deterministic"
        self.paces = said.cache.pace == "recorded"
        self.says_caching = self.store is not None and policy.says(said.cache)
        self.leases = self.store is not None and self.store.leases
        self.stream_leases = self.leases and said.stream_wait_s > 0
        self.renamed = renamed(self.endpoints)
        self.routes = routes.Rules(said.routes, self.models)
        self.candidates = routes.Candidates(self.endpoints, origin=said.origin, regions=said.allow_regions)
