"""How the cache behind an endpoint is told what a caller says about caching for one call. Pure; the words are data.

A word that has no counterpart there is not sent, and `untold` names it. Where a cache cannot be told how old an answer may
be, `max-age` asks for a new one: an answer that is too old would be a wrong one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from ..values import Controls, Endpoint

Words = Mapping[str, str]
NONE: Words = {}
Stamps = Mapping[str, Callable[[], str]]  # digests of the request as it is sent, made where a word has them in it

_LONGEST = 64  # characters of a namespace that is sent as it is


@dataclass(frozen=True, slots=True)
class CacheWords:
    """What a product's cache understands: the headers for each word of a caller, or the members of one in the body.

    In values `{s}` stands for seconds, `{namespace}` for the namespace (made fit for a header), `{caller}` for a digest of
    the credentials, and `{request}` for one of the namespace, the credentials and the whole request.
    """

    refresh: Words = field(default_factory=dict)  # `no-cache`: not answered from it
    bypass: Words = field(default_factory=dict)  # `no-store`: not kept there either; empty: as for `refresh`
    max_age: Words = field(default_factory=dict)  # by nothing older than "{s}" seconds; empty: as for `refresh`
    ttl: Words = field(default_factory=dict)  # kept for at most "{s}" seconds; empty: it has no word for it
    ttl_from: int = 1  # seconds; what shall live shorter is not asked of it
    ttl_to: int | None = None  # seconds; what shall live longer lives so long there
    namespace: Words = field(default_factory=dict)  # apart from answers of other namespaces; empty: no word for it
    member: str = ""  # they are no headers but members of this object in the body, as JSON; for OpenAI's API only
    source: str = ""

    def of(self, said: Controls, stamps: Stamps | None = None) -> Words:
        """The words for one call; none when the caller says nothing that this cache understands."""
        told = self._of_lookup(said)
        if said.ttl_s is None and not said.namespace:
            return told
        told = dict(told)
        if said.ttl_s is not None and self.ttl:
            if said.ttl_s < self.ttl_from:
                told = told or dict(self.refresh)
            else:
                seconds = int(said.ttl_s if self.ttl_to is None else min(said.ttl_s, self.ttl_to))
                told |= {name: value.format(s=seconds) for name, value in self.ttl.items()}
        if said.namespace:
            blanks = _Blanks({**(stamps or {}), "namespace": lambda: _sendable(said.namespace)})
            told |= {name: value.format_map(blanks) for name, value in self.namespace.items()}
        return told

    def _of_lookup(self, said: Controls) -> Words:
        if not said.store:
            return self.bypass or self.refresh
        if not said.lookup:
            return self.refresh
        if said.max_age_s is None:
            return NONE
        return {name: value.format(s=int(said.max_age_s)) for name, value in self.max_age.items()} or self.refresh

    def untold(self, said: Controls) -> tuple[str, ...]:
        """What the caller says that this cache has no word for."""
        words = {"ttl": self.ttl, "namespace": self.namespace}
        return tuple([word for word in words_of(said) if not words.get(word, self.refresh)])


class _Blanks(dict[str, Callable[[], str]]):
    """Values that are made when they are asked for."""

    def __getitem__(self, name: str) -> str:  # type: ignore[override]
        return super().__getitem__(name)()


def _sendable(namespace: str) -> str:
    """The namespace as it may stand in a header or in JSON; a long one by its digest."""
    spelled = quote(namespace, safe="")
    if len(spelled) <= _LONGEST:
        return spelled
    return hashlib.blake2b(namespace.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def words_of(said: Controls) -> tuple[str, ...]:
    """What a caller says that the caches behind are told."""
    return tuple(
        [
            word
            for word, is_said in (
                ("no-store", not said.store),
                ("no-cache", said.store and not said.lookup),
                ("max-age", said.max_age_s is not None),
                ("ttl", said.ttl_s is not None),
                ("namespace", bool(said.namespace)),
            )
            if is_said
        ]
    )


HTTP = CacheWords(
    refresh={"cache-control": "no-cache"},
    bypass={"cache-control": "no-store"},
    max_age={"cache-control": "max-age={s}"},
    source="RFC 9111, section 5.2.1",
)
"""What a PoP of one's own understands, and whatever else an endpoint may be that is no product."""


def headers_for(endpoint: Endpoint, said: Controls, stamps: Stamps) -> Words:
    """The headers that tell the cache behind an endpoint what the caller said."""
    return HTTP.of(said, stamps) if endpoint.product is None else endpoint.product.cache_headers(said, stamps)


def untold(endpoint: Endpoint, said: Controls, sdk: str, *, is_there: bool) -> tuple[str, ...]:
    """What a caller says that the cache behind an endpoint was not told. `is_there`: the answer shows that there is one."""
    if endpoint.product is not None:
        return endpoint.product.cache_untold(said, sdk)
    return HTTP.untold(said) if is_there else ()
