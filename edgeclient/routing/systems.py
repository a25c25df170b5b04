"""What a product wants beyond the API it speaks, and what its answers mean: as data, and as rules over one request. Pure.

A `System` describes a product (one file each in `providers/`); a `Bound` is one with its blanks filled in: an account, say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..values import UNSAID, Call, Controls, Failure, Meaning, Reply, Unwrapping
from . import families
from .caching import NONE, CacheWords, Stamps, Words, words_of
from .families import Likeness

_HEAD = 4096  # bytes of an error's body that are looked at
_DAY_S = 86_400.0


@dataclass(slots=True)
class Asked:
    """One request on its way to a system. Rules change `body` and `headers`, and nothing else."""

    call: Call
    options: Mapping[str, str]
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)  # set besides those that the SDK wrote


Rule = Callable[[Asked], None]
Naming = Callable[
    [str, str, Mapping[str, str]], "str | None"
]  # model, SDK, options -> its name there; None: not served

Seal = Callable[
    [str, str, Mapping[str, str], bytes], Mapping[str, str]
]  # method, URL, headers and body as they are sent -> further headers

Unwrap = Callable[
    [int, Mapping[str, str], Mapping[str, str]], Unwrapping | None
]  # status and headers of an answer, options -> what makes the API's of it

Cannot = Callable[[Call, Mapping[str, str]], "str | None"]  # call, options -> why it must not go there; None: it may


@dataclass(frozen=True, slots=True)
class Signal:
    """What an answer means; all that is given has to fit."""

    failure: Failure | None  # None: an answer for the caller, though its status says otherwise
    status: tuple[int, ...]
    source: str  # where the vendor, or somebody who met it, says so
    says: str = ""  # a regular expression somewhere in the body's head
    header: tuple[str, str] = ("", "")  # a header, and a regular expression at its beginning
    until: str = ""  # "midnight": it holds until 00:00 UTC


@dataclass(frozen=True, slots=True)
class System:
    """One product. Templates in braces are filled from the parts of its spelling and from its options."""

    name: str
    what: str  # in one line
    spelling: str  # as one writes it: "workers-ai:ACCOUNT"
    url: str = ""  # what one would give openai as `base_url`; "" when it does not speak OpenAI
    anthropic: str = ""  # the same for anthropic
    key: str = ""  # its default: "env:NAME", or "" when it has to be said
    # Where the key goes; "": where the SDK puts it; "both": authorization and x-api-key. Or by SDK and options.
    key_header: str | Callable[[str, Mapping[str, str]], str] = ""
    route: str | None = None  # "inference" | "gateway" | None for both
    probe: str = "/"  # answers without a key and without cost
    options: Mapping[str, str] = field(default_factory=dict)  # name -> what it means
    defaults: Mapping[str, str] = field(default_factory=dict)  # of options
    headers: tuple[tuple[str, str], ...] = ()  # templates; one with an option that is not given is left out
    rules: tuple[Rule, ...] = ()
    seal: Callable[[Mapping[str, str]], Seal | None] | None = None  # options -> what signs or digests each request
    path: Callable[[Call, Mapping[str, str]], str] | None = (
        None  # call, options -> where it goes; None: as the API has it
    )
    unwrap: Unwrap | None = None  # for answers in a form of its own
    signals: tuple[Signal, ...] = ()
    naming: Naming | None = None  # None: every model by the name it was asked for
    at: Callable[[Mapping[str, str]], Mapping[str, Any]] | None = None  # options -> fields of the endpoint that differ
    token: Callable[[Mapping[str, str]], Callable[[], str]] | None = None  # makes its own keys
    largest: int | None = None  # bytes of a request; an option of that name comes before it
    token_of: str = ""  # what it makes them of, in words
    speaks: tuple[str, ...] = ("chat", "stream")  # of CAPABILITIES
    lacks: Mapping[str, str] = field(default_factory=dict)  # capability -> why not, with a source; not asked for it
    cannot: Cannot | None = None  # what it does not serve besides
    cache_words: CacheWords | None = None  # headers for its own cache; None: it has none, or none that can be told
    errors_inside: str = ""  # where it is said that an answer with a 200 may hold an error, with its status as the code
    opaque_cache: bool = False  # has a cache of its own that answers like questions, and cannot be told not to
    sources: tuple[str, ...] = ()


CAPABILITIES = ("chat", "stream", "tools", "schema", "embeddings", "messages", "responses")


@dataclass(frozen=True, slots=True)
class Bound:
    """A system with its options: what the pipeline asks of it. Implements `values.Product`."""

    system: System
    options: Mapping[str, str] = field(default_factory=dict)
    sealing: Seal | None = None

    @property
    def name(self) -> str:
        return self.system.name

    def key_header(self, sdk: str) -> str:
        said = self.system.key_header
        return said if isinstance(said, str) else said(sdk, self.options)

    @property
    def opaque_cache(self) -> bool:
        return self.system.opaque_cache

    def cache_headers(self, said: Controls, stamps: Stamps) -> Words:
        """What its cache is told."""
        words = self.system.cache_words
        return NONE if words is None or words.member else words.of(said, stamps)

    def cache_untold(self, said: Controls, sdk: str) -> tuple[str, ...]:
        """What its cache cannot be told."""
        words = self.system.cache_words
        if self.system.opaque_cache or (words is not None and words.member and sdk == "anthropic"):
            return words_of(said)
        return words.untold(said) if words is not None else ()

    @property
    def context(self) -> int | None:
        said = self.options.get("context", "")
        return int(said) if said.isdecimal() else None

    def name_there(self, model: str, sdk: str) -> str | None:
        """What to ask for to get this model; None when it is not served."""
        naming = self.system.naming
        return model if naming is None else naming(model, sdk, self.options)

    def cannot(self, call: Call) -> str | None:
        """Why a call must not go there: it is too large, asks for what the system lacks, or for what it refuses."""
        said, lacks = self.options.get("largest"), self.system.lacks
        largest = self.system.largest if said is None else int(said)
        if largest is not None and call.size > largest:
            return f"it takes {largest} bytes at the most, and this request has {call.size}"
        if lacks:
            missing = next((what for what in capabilities_of(call) if what in lacks), None)
            if missing is not None:
                return f"no {missing}: {lacks[missing]}"
        return self.system.cannot(call, self.options) if self.system.cannot is not None else None

    def shape(self, call: Call, body: dict[str, Any]) -> dict[str, str]:
        """Make the body fit (in place), and give the headers to set."""
        asked = Asked(call, self.options, body)
        for rule in self.system.rules:
            rule(asked)
        words = self._words_in_body(call)
        if words is not None and (told := words.of(call.controls)):
            own = {name: json.loads(value) for name, value in told.items()}
            body[words.member] = {**(body.get(words.member) or {}), **own}
        return asked.headers

    def shapes(self, call: Call) -> bool:
        """False when the request goes as it is."""
        return bool(self.system.rules) or self._words_in_body(call) is not None

    def _words_in_body(self, call: Call) -> CacheWords | None:
        words = self.system.cache_words
        says = call.controls is not UNSAID and call.sdk != "anthropic"
        return words if says and words is not None and words.member else None

    @property
    def seals(self) -> bool:
        return self.sealing is not None

    def seal(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Mapping[str, str]:
        """Headers over the request as it is sent."""
        return {} if self.sealing is None else self.sealing(method, url, headers, content)

    @property
    def wraps(self) -> bool:
        return self.system.unwrap is not None

    def unwrapping(self, status: int, headers: Mapping[str, str]) -> Unwrapping | None:
        """What makes the API's answer of one that begins so."""
        return None if self.system.unwrap is None else self.system.unwrap(status, headers, self.options)

    def path(self, call: Call) -> str:
        """The path below its address that a call goes to."""
        return call.path if self.system.path is None else self.system.path(call, self.options)

    def status_of(self, reply: Reply) -> int:
        """The status that an answer has: that of the error inside, if there is one and nothing else."""
        body = reply.body
        if not self.system.errors_inside or reply.status != 200 or body is None or b'"error"' not in body[:_HEAD]:
            return reply.status
        try:
            said = json.loads(body)
            code = said["error"]["code"] if not said.get("choices") else None
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return reply.status
        return code if isinstance(code, int) and 400 <= code < 600 else reply.status

    def meaning(self, reply: Reply, wall_s: float) -> Meaning | None:
        """What an answer means here, if that is not what its status says."""
        head = (reply.body or b"")[:_HEAD]
        for signal in self.system.signals:
            if reply.status in signal.status and _says(signal, reply, head):
                return Meaning(signal.failure, _left_s(signal, wall_s))
        return None


def capabilities_of(call: Call) -> Iterator[str]:
    """Which of `CAPABILITIES` a call needs."""
    for ending in ("embeddings", "messages", "responses"):
        if call.path.endswith(f"/{ending}"):
            yield ending
    if call.path.endswith("/chat/completions"):
        yield "chat"
        if call.streamed:
            yield "stream"
        if call.body.get("tools"):
            yield "tools"
        wanted = call.body.get("response_format")
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            yield "schema"


def _says(signal: Signal, reply: Reply, head: bytes) -> bool:
    name, words = signal.header
    if name and not re.match(words, reply.header(name.encode()), re.IGNORECASE):
        return False
    return not signal.says or re.search(signal.says.encode(), head) is not None


def _left_s(signal: Signal, wall_s: float) -> float | None:
    return _DAY_S - wall_s % _DAY_S if signal.until == "midnight" else None


# -- names of models

_VENDORS = (
    ("openai", re.compile(r"gpt-(?!oss)|chatgpt|o[1-9](-|$)|text-embedding-|codex|omni-moderation")),
    ("anthropic", re.compile(r"claude")),
    ("google", re.compile(r"gemini")),
)


def vendor_of(model: str) -> str:
    """Who makes a foundation model: "openai", "anthropic", "google", or "" when its name does not tell."""
    return next((vendor for vendor, pattern in _VENDORS if pattern.match(model.lower())), "")


def listed_as(system: str) -> Naming:
    """The names that the catalogue has for a system; never those of a substitute."""

    def naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
        found = families.name_at(model, system)
        return found[0] if isinstance(found, tuple) and found[1] is not Likeness.SUBSTITUTE else None

    return naming


def either(*ways: Naming) -> Naming:
    """The first of several ways that knows a name."""

    def naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
        return next((found for way in ways if (found := way(model, sdk, options)) is not None), None)

    return naming


def prefixed(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
    """`vendor/model` for the models of known vendors; a name that has a vendor already stays."""
    vendor = vendor_of(model)
    return model if "/" in model else f"{vendor}/{model}" if vendor else None


def only_of(*vendors: str) -> Naming:
    """The models of these vendors, under their own names."""

    def naming(model: str, sdk: str, options: Mapping[str, str]) -> str | None:
        return model if vendor_of(model) in vendors else None

    return naming
