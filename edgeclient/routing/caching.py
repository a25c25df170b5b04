"""How the cache behind an endpoint is told what a caller says about caching for one call. Pure; the words are data.

A word that has no counterpart there is not sent. Where a cache cannot be told how old an answer may be, `max-age` asks for
a new one: an answer that is too old would be a wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..values import Controls, Endpoint

Words = Mapping[str, str]
NONE: Words = {}


@dataclass(frozen=True, slots=True)
class CacheWords:
    """What a product's cache understands: the headers for each word of a caller, or the members of one in the body."""

    refresh: Words = field(default_factory=dict)  # `no-cache`: not answered from it
    bypass: Words = field(default_factory=dict)  # `no-store`: not kept there either; empty: as for `refresh`
    max_age: Words = field(default_factory=dict)  # by nothing older than "{s}" seconds; empty: as for `refresh`
    source: str = ""

    def of(self, said: Controls) -> Words:
        """The words for one call; none when the caller says nothing that this cache understands."""
        if not said.store:
            return self.bypass or self.refresh
        if not said.lookup:
            return self.refresh
        if said.max_age_s is None:
            return NONE
        return {name: value.format(s=int(said.max_age_s)) for name, value in self.max_age.items()} or self.refresh


HTTP = CacheWords(
    refresh={"cache-control": "no-cache"},
    bypass={"cache-control": "no-store"},
    max_age={"cache-control": "max-age={s}"},
    source="RFC 9111, section 5.2.1",
)
"""What a PoP of one's own understands, and whatever else an endpoint may be that is no product."""


def headers_for(endpoint: Endpoint, said: Controls) -> Words:
    """The headers that tell the cache behind an endpoint what the caller said."""
    return HTTP.of(said) if endpoint.product is None else endpoint.product.cache_headers(said)
