"""What an edge owns, made from its settings. Errors say which setting, and where it was said.

What not every edge has is imported by those that have it: files and servers, numpy and embedders, threads between calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .cache.stores import Store
from .cache.stores.memory import MemoryStore
from .errors import SettingsError
from .policies import Policies
from .pops.hedging import Hedging
from .pops.memory import Shelf, is_worthwhile
from .pops.memory_file import FileShelf
from .pops.remembering import Remembering
from .pops.selector import Selector
from .settings import Settings, source_of
from .surroundings import in_function
from .telemetry.events import Telemetry
from .values import Endpoint

if TYPE_CHECKING:
    from .http.warming import Warmer

Said = Mapping[str, Any]  # the arguments that were given


def store_of(settings: Settings, said: Said, telemetry: Telemetry) -> Store | None:
    """Where answers are kept; None while the cache is off."""
    cache = settings.cache
    if cache.mode == "off":
        return None
    if cache.store == "memory" and cache.encryption is None:
        return MemoryStore(cache.max_bytes)
    from .cache.stores.opening import open_store

    with _from("cache", said):
        return open_store(cache, telemetry.mishap)


def memory_of(
    settings: Settings, said: Said, endpoints: Sequence[Endpoint], selector: Selector, telemetry: Telemetry,
    recalled: Callable[[], None],
) -> Remembering | None:  # fmt: skip
    """What is remembered of paths between processes; None where nothing is."""
    shelf = _shelf_of(settings, said)
    if not is_worthwhile(settings.remember, endpoints, in_function=in_function()):
        return None
    return Remembering(endpoints, selector, shelf, telemetry.mishap, recalled=recalled)


def hedging_of(settings: Settings) -> Hedging | None:
    """When a call is sent to a second endpoint, too; None: never."""
    said = settings.hedge
    return None if said is None else Hedging(said.share, said.central_an_hour)


def _shelf_of(settings: Settings, said: Said) -> Shelf:
    """Where round-trip times are kept. A mistake in that is one even where nothing would be kept."""
    where = settings.remember
    if not isinstance(where, str):
        return FileShelf()
    from .cache.stores.opening import open_shelf

    with _from("remember", said):
        return open_shelf(where, settings.cache)


def begin_semantic(policies: Policies, said: Said, rng: random.Random) -> None:
    """Give an edge its semantic cache, if it is to have one."""
    if policies.settings.cache.mode != "semantic":
        return
    from .semantics import begin

    with _from("cache", said):
        begin(policies, rng)


def warmer_of(policies: Policies) -> Warmer | None:
    """What keeps connections and models warm; None where nothing is to be kept."""
    settings = policies.settings
    if not settings.keep_warm or not policies.endpoints:
        return None
    from .http.warming import Warmer

    if settings.keep_warm.models:
        policies.selector.keep_models()
    return Warmer(settings.keep_warm, policies, settings.rtt_source)


@contextmanager
def _from(setting: str, said: Said) -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise SettingsError(f"{source_of(setting, said)}: {error}") from None
