"""The values that travel through a call: plain, frozen, without I/O. Every room may import this file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Protocol

from .frozen import value
from .noting import Notes

RawHeaders = Sequence[tuple[bytes, bytes]]
Json = Mapping[str, Any]  # a parsed JSON object, as it came from outside
Piece = tuple[int, int, float]  # of a streamed text: which part of the answer, characters, seconds after the one before
Step = tuple[float, bytes]  # of a stream: seconds to wait, and what comes then


class Route(Enum):
    """Where the inference of a call runs, and so which endpoints may take it."""

    INFERENCE = "inference"  # a small open-weight model at the PoP itself
    GATEWAY = "gateway"  # a proxy at the edge, the model central
    DIRECT = "direct"  # the client's own origin, as the plain SDK would

    __hash__ = object.__hash__  # Enum's is written in Python, as is `value`: each call reads `_value_`


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base URL, answered at one site by one provider. `Settings` makes these; `ORIGIN` stands for the client's own."""

    name: str
    url: str = ""  # what one would give openai as `base_url`; "" when it does not speak OpenAI
    anthropic: str = ""  # what one would give anthropic as `base_url`; "" when it does not speak Anthropic
    key: Any = None  # a `Key`; never shown
    route: Route | None = None  # None: takes both routes
    models: Mapping[str, str] | None = None  # asked-for name -> name there; None: every model of its route
    region: str = ""  # where it answers, in the user's words
    headers: Mapping[str, str] = field(
        default_factory=dict
    )  # set on each request; "env:NAME" in one is read at each call
    product: Product | None = None  # what it wants beyond the API that it speaks
    weight: float = 1.0  # of two that are equally near the heavier one is preferred
    probe: str = "/"  # unpaid path for the HTTP probe, from the root of the host

    def __hash__(self) -> int:
        return hash((self.name, self.url, self.anthropic))

    def name_there(self, model: str, sdk: str) -> str | None:
        """What to ask for there to get this model; None when it is not served."""
        if self.models is not None:
            return self.models.get(model)
        return model if self.product is None else self.product.name_there(model, sdk)

    def base(self, sdk: str) -> str:
        """The base URL for a caller of that SDK; "" when this endpoint does not speak its API."""
        return self.anthropic if sdk == "anthropic" else self.url

    def shown(self) -> str:
        """Its address without a user's name and password, fit for logs."""
        scheme, _, rest = self.address().partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" if rest else ""

    def address(self) -> str:
        """The URL that probes connect to."""
        return self.url or self.anthropic


ORIGIN = Endpoint("origin")


@value
class Request:
    """What a door read from the native request. `headers` are those that mean something here, in lower case."""

    sdk: str  # "openai" | "anthropic" | "" when only the URL is known
    method: str
    origin: str  # the client's own base URL, without a trailing slash
    path: str  # below the origin, with its leading slash
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    live: bool | None  # the caller wants the body unread, as it comes; None: only when it asked for a stream
    default_origin: bool  # the SDK's own origin: the user chose no other
    residency: str = ""  # the region that the client was made for
    fixed: bool = False  # signed, or its credential is not to be seen: it may go nowhere else


class Dialect(Protocol):
    """One API of one provider family: what a request asks and what an answer says. Pure; one instance for all calls.

    Guarantees: `whole(replay(answer))` is the answer, for every answer made of members that the dialect knows; nothing
    raises on malformed answers (they are not storable).
    """

    name: str
    samples: bool  # a model draws the answer by chance, unless a call says otherwise
    closing: bytes  # stands in the last event of a complete stream; b"" when only the end of the body tells

    @property
    def failing(self) -> re.Pattern[bytes] | None:
        """Found where an event of a stream says that the answer broke off; None where there are no such events."""

    def storable(self, answer: Json) -> bool:
        """True for a complete, unfiltered, unrefused, non-empty answer."""

    def calls_tools(self, answer: Json) -> bool:
        """True for an answer that would be storable if it did not call tools, which whoever stores it has to allow."""

    def whole(self, events: bytes) -> Json | None:
        """The answer that a complete event stream spelled out; None when a part of it is not understood."""

    def serves(self, has_usage: bool, body: Json) -> bool:
        """True when a stored answer has all that this request asks for; not every stream told its usage."""

    def fresh(self, body: Json, fresh_id: str, now: int) -> Json:
        """The members of an answer to this request that are new with each answer: its id, its created time."""

    def replay(self, answer: Json, body: Json) -> bytes:
        """The event stream that spells a whole answer out, for a request that asked for one."""

    def steps(self, answer: Json, body: Json, pieces: Sequence[Piece]) -> list[Step]:
        """The same stream, event by event, in pieces that fit the answer; each text in one where there are none."""

    def fits(self, answer: Json, pieces: Sequence[Piece]) -> bool:
        """True when the pieces are exactly the texts of the answer."""

    def spoken(self, event: bytes) -> Sequence[tuple[tuple[int, ...], int]]:
        """To which texts an event of a stream adds, by numbers in the order of the texts, and how many characters."""


@value
class Controls:
    """What the caller said about caching for this one call (RFC 9111 request directives)."""

    store: bool = True
    lookup: bool = True
    max_age_s: float | None = None
    only_if_cached: bool = False
    stale_if_error_s: float | None = None  # None: as the settings say
    stale_while_revalidate_s: float | None = None  # None: as the settings say
    named: str = ""  # what the caller calls the question, in place of its body
    namespace: str = ""  # "": as the settings say
    ttl_s: float | None = None  # how long the answer is fresh; None: as the settings say
    tags: tuple[str, ...] = ()  # by which the answer can be made invalid


UNSAID = Controls()
"""The caller said nothing about caching."""


@value
class Question:
    """What a call asks the semantic cache: the user's last text, and all the rest as one digest."""

    partition: str
    text: str
    serving: str  # shadow | serve
    caller: str = ""  # a digest of the credential: no caller alone decides what is learned


@value
class Call:
    """One call as the pipeline and the policies see it. It holds the parsed body, never a native request."""

    sdk: str
    method: str
    origin: str
    path: str
    model: str = ""
    route: Route = Route.DIRECT
    dialect: Dialect | None = None
    body: Json = field(default_factory=dict)
    size: int = 0  # bytes of the request's body
    opening: int = 0  # tells how the body begins: equal in all turns of a conversation
    streamed: bool = False  # an event stream was asked for
    live: bool = False  # the body goes out unread
    key: str = ""  # of the exact cache; "" when this call is not cacheable
    controls: Controls = UNSAID
    parts: tuple[str, ...] = ()  # of a call that asks several things at once: the key of each; `key` is of all of them
    known: int = 0  # how many things more were asked, whose answers were known
    idempotent: bool = False  # may be sent twice without harm
    keeps_origin: bool = True  # it may always go to the client's own origin
    retry: int = 0  # which retry of the SDK this is; 0 is the first try
    residency: str = ""  # the region that the client was made for: a hard limit
    provider: str = ""  # whose own origin the client has; "" when it is another one
    asked_model: str = ""  # the model in the request, where an alias or a cascade put another in its place; else ""
    first_model: str = ""  # of a cascade: the small model that is asked before this one; else ""
    question: Question | None = None  # for the semantic cache; None: it is not asked
    stands_in: bool = False  # this is that first question: the body here is sent, not that of the request in hand
    reason: str = ""  # why the cache is passed by, where a setting of its says so: "temperature"
    silent_s: float | None = None  # the longest silence before its answer; None: as the caller said


class Failure(Enum):
    """Why an attempt gave no usable answer, in the words of RFC 9209 where it has one."""

    REFUSED = "connection_refused"
    CONNECT_TIMEOUT = "connection_timeout"
    TLS = "tls_protocol_error"
    DNS = "dns_error"
    CONNECT = "destination_unavailable"
    POOL = "connection_limit_reached"
    TERMINATED = "connection_terminated"
    READ_TIMEOUT = "connection_read_timeout"
    UNACKNOWLEDGED = "connection_write_timeout"  # the request went out, and its last bytes were never acknowledged
    PROTOCOL = "http_protocol_error"
    STATUS = "status"  # a 5xx; RFC 9209 says it by received-status alone, and so the next
    THROTTLED = "throttled"  # 429, or 529
    REGION = "http_request_denied"  # the provider serves nobody who comes from where this PoP is
    QUOTA = "quota"  # paid for no more, or used up, until a known time
    CAPACITY = "capacity"  # nothing free there just now
    COLD = "cold"  # the model is being started
    MODEL_MISSING = "model_missing"  # this endpoint does not have it
    TOO_LONG = "too_long"  # the request is larger than what it takes there: than the context of the model, mostly
    NOT_AN_ANSWER = "http_response_content_type_error"  # a captive portal, broken JSON, a redirect
    NO_KEY = "proxy_configuration_error"  # the key of this endpoint could not be read


@value
class Meaning:
    """What an answer of a product means. `failure` None: it is for the caller, whatever its status."""

    failure: Failure | None
    pause_s: float | None = None  # how long it holds, where that is known


FINE = Meaning(None)

UNSENT = frozenset(
    {
        Failure.REFUSED,
        Failure.CONNECT_TIMEOUT,
        Failure.TLS,
        Failure.DNS,
        Failure.CONNECT,
        Failure.POOL,
        Failure.NO_KEY,
        Failure.UNACKNOWLEDGED,
    }
)
"""Failures after which the request has not reached the provider: certainly, or (unacknowledged) by all that TCP can tell."""

SentAgain = Literal["never", "idempotent", "always"]
"""Which calls may be sent again elsewhere after a break that came when the request had gone out."""


@value
class Outcome:
    """What one attempt taught us about its endpoint. One is reported for each attempt, and one more if its body breaks."""

    endpoint: Endpoint
    failure: Failure | None = None
    status: int = 0
    rtt_s: float | None = None  # the path's round-trip time, where it could be measured
    retry_after_s: float | None = None
    took_s: float = 0.0  # start of the attempt to the answer's head (or to its end, when it is not live)
    cold: bool = False  # it had to open a connection first
    sent_bytes: int = 0  # of the request's body
    upload_bytes_s: float | None = None  # how fast it went, where the kernel tells
    processing_s: float | None = None  # of `took_s`, what the server says that the model took
    call: Call | None = None


class Watch(Protocol):
    """Sees a body pass."""

    def feed(self, chunk: bytes) -> None: ...

    def end(self, *, complete: bool, error: BaseException | None = None) -> None: ...


class Unwrapping(Protocol):
    """Turns a body, part by part, into that of the API. Raises ValueError where it is broken or ends too early."""

    kind: str  # the content type of what it gives

    def feed(self, part: bytes) -> bytes: ...

    def end(self) -> bytes: ...


def _as_it_is(body: bytes) -> bytes:
    return body


class Product(Protocol):
    """A product that an endpoint is of, with its account, region and the like: what differs from the plain API."""

    @property
    def name(self) -> str: ...

    def key_header(self, sdk: str) -> str:
        """The header of its key for a caller of that SDK; "both": authorization and x-api-key; "": where the SDK puts it."""

    @property
    def opaque_cache(self) -> bool:
        """True when it answers like questions from a cache of its own, and cannot be told not to."""

    def cache_headers(self, said: Controls, stamps: Mapping[str, Callable[[], str]]) -> Mapping[str, str]:
        """The headers that tell its cache what the caller said; empty where it has no word for it.

        `stamps`: digests of the request, by name, for those words that need one.
        """

    def cache_untold(self, said: Controls, sdk: str) -> tuple[str, ...]:
        """What the caller said that its cache has no word for; nothing where it has no cache."""

    def shapes(self, call: Call) -> bool:
        """False when the request goes as it is."""

    @property
    def context(self) -> int | None:
        """Tokens that fit there, where the settings say so."""

    @property
    def seals(self) -> bool:
        """True when it wants headers over the final request."""

    @property
    def wraps(self) -> bool:
        """True when it may answer in a form of its own."""

    def unwrapping(self, status: int, headers: Mapping[str, str]) -> Unwrapping | None:
        """What makes the API's answer of one that begins so; None when it is that already."""

    def path(self, call: Call) -> str:
        """The path below its address that a call goes to."""

    def name_there(self, model: str, sdk: str) -> str | None: ...

    def cannot(self, call: Call) -> str | None:
        """Why a call that it has the model for must not go there; None when it may."""

    def seal(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Mapping[str, str]:
        """Headers over the request as it is sent (its own headers by name in lower case); asked for each attempt."""

    def shape(self, call: Call, body: dict[str, Any]) -> dict[str, str]:
        """Make the body fit, in place, and give the headers to set."""

    def status_of(self, reply: Reply) -> int:
        """The status that an answer has; not what it came with, where a product says errors inside of a 200."""

    def meaning(self, reply: Reply, wall_s: float) -> Meaning | None:
        """What an answer means, where that is not what its status says."""


@dataclass(slots=True)
class Reply:
    """An answer on its way out. `body` is None while it is still on the wire."""

    status: int
    headers: RawHeaders
    body: bytes | None = None
    native: Any = None  # the family's own response; None for an answer from the cache
    rtt_s: float | None = None
    cold: bool = False  # the connection was opened for it
    upload_bytes_s: float | None = None  # how fast a long request went
    decode: Callable[[bytes], bytes] = _as_it_is  # undoes the content encoding of a body from the wire
    tee: Watch | None = None
    paced: object | None = None  # in place of a body: what comes out of the cache at the pace of the first time
    shared: object | None = None  # a stream that other callers may read along, or how far this caller reads one along
    notes: Notes | None = None
    named: dict[bytes, bytes] = field(init=False)  # the first value of each header, by its name in lower case

    def __post_init__(self) -> None:
        self.named = {key.lower(): said for key, said in reversed(self.headers)}

    def header(self, name: bytes) -> str:
        """The first value of a header, or "". `name` is lower case."""
        return self.named.get(name, b"").decode("latin-1")


BESIDE = 640  # bytes that an entry takes in memory beside its body, and what is lost between them: benchmarks/cache.py


@value
class Entry:
    """One stored answer: always the whole one, as JSON; a stream is spelled out of it again.

    Kept as bytes: thousands of parsed answers would make every garbage collection of the process slower.
    """

    key: str
    body: bytes  # the answer as JSON
    has_usage: bool
    stored_at: float  # wall-clock seconds: entries leave the process
    expires_at: float
    id: str = ""  # the provider's own id of the answer
    request_id: bytes = b""  # and of the request, from the answer's headers: SDKs show it as the answer's `_request_id`
    endpoint: str = ""
    pop: str = ""
    stale_s: float = 0.0  # how long it is kept after its end, for calls that nobody else answers
    model: str = ""  # that was asked; "" when that is not known
    namespace: str = ""
    named: str = ""  # what the caller called the question; "": nothing
    tags: tuple[str, ...] = ()
    pace: bytes = b""  # of a stream, in which pieces it came and when (pace.py); b"": at once
    calls_tools: bool = False  # answers only where such answers are wanted, and never another question
    bare: int | None = field(default=None, compare=False)
    # by how many bytes `body` is shorter without what is new with each answer; None: it is with it

    @property
    def size(self) -> int:
        """Bytes that it counts for in memory: the same for as long as it lives. A number of its own would take 36 more."""
        return len(self.body) + (self.bare or 0) + len(self.pace) + BESIDE

    @property
    def kept_until(self) -> float:
        """When stores may let it go. Fresh it is only until `expires_at`."""
        return self.expires_at + self.stale_s
