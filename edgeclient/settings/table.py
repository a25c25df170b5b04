"""The settings of one edge, each with its default and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from .kinds import STRICT, Cache, Cascade, Endpoint, Hedge, KeepWarm, Model

_KEPT_WARM = 3  # the nearest endpoint, and the two next ones


def _kept_warm(said: object) -> object:
    """A number of endpoints, or whether any, is what connections are kept to."""
    if isinstance(said, str):
        said = {"on": True, "true": True, "off": False, "false": False}.get(said.lower(), said)
    if isinstance(said, bool):
        said = {True: _KEPT_WARM, False: 0}[said]
    number = isinstance(said, (int, float)) or (isinstance(said, str) and said.strip("+- ").isdecimal())
    return {"connections": said} if number else said


@dataclass(frozen=True, config=STRICT)
class Settings:
    """All settings of one edge. The words are the same as arguments, as variables and in TOML."""

    endpoints: tuple[Endpoint, ...] = ()
    key: str | Callable[[], str] | None = None
    cache: Cache = field(default_factory=Cache)
    origin: Literal["last", "candidate", "never"] = "last"
    origins: tuple[str, ...] = ()
    allow_regions: tuple[str, ...] = ()
    routes: dict[str, Literal["inference", "gateway", "direct"]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    cascade: dict[str, Cascade] = field(default_factory=dict)
    retired: Literal["warn", "raise", "ignore"] = "warn"
    models: dict[str, Model] = field(default_factory=dict)
    rank: Literal["path", "answer"] = "path"
    rtt_source: Literal["auto", "kernel", "connect", "http"] = "auto"
    probe: bool = True
    remember: bool | str | None = field(default=None, repr=False)  # may hold a password
    max_attempts: int = Field(default=3, ge=1, le=10)
    total_s: float | None = Field(default=None, gt=0)
    connect_s: float = Field(default=1.0, gt=0, le=86_400)
    retry_sent: Literal["never", "idempotent", "always"] = "idempotent"
    hedge: Hedge | None = None
    dead_path_s: float | None = Field(default=2.0, gt=0, le=3600)
    watchdog: bool = False
    flight_wait_s: float = Field(default=10.0, ge=0, le=86_400)
    stream_wait_s: float = Field(default=0.0, ge=0)
    keepalive_s: float = Field(default=300.0, ge=0)
    keep_warm: Annotated[KeepWarm, BeforeValidator(_kept_warm)] = field(default_factory=KeepWarm)
    notes: bool = False

    @property
    def active(self) -> bool:
        """False when nothing is set that could change or observe a call: then clients are the plain SDK's."""
        of_models = bool(self.aliases) or bool(self.models) or self.retired == "raise"
        return bool(self.endpoints) or self.cache.mode != "off" or self.notes or of_models


SETTINGS: dict[str, str] = {
    "endpoints": "the endpoints calls may go to: URLs, or tables/`Endpoint(...)`",
    "key": 'whose key the endpoints get, unless they say otherwise: "env:NAME", "passthrough", "none", or a function',
    "cache": '"off", "exact", "semantic", or a table/`Cache(...)`',
    "origin": 'the client\'s own origin: "last" resort, a "candidate" like the endpoints, or "never"',
    "origins": "further origins (besides the SDK's own) whose calls may go to the endpoints",
    "allow_regions": 'regions of endpoints that calls may go to, and "origin" if the client\'s own is among them; empty: all',
    "routes": 'model name, or a pattern as in "llama-*" -> "inference", "gateway" or "direct"; else the catalogue decides',
    "aliases": "asked-for name of a model -> the name that is asked for instead, at every endpoint and at the origin",
    "cascade": "asked-for name of a model -> the small model that is asked first, and the checks that decide whether its "
    "answer will do: a table/`Cascade(...)`",
    "retired": 'what becomes of a call for a model that has ended: "warn" (one line in the log), "raise", or "ignore"',
    "models": "name of a model -> what you say about it, a table: kind, family, context, ends, replacement",
    "rank": 'what is nearest: "path" (the round trip), or "answer" (for models at the endpoint: also how long they usually '
    "take there, compared between products, and between this machine and others)",
    "rtt_source": '"auto" (kernel, else connect), "kernel", "connect" or "http"',
    "probe": "whether endpoints that traffic does not measure are probed (never by a model call); if not, some calls try "
    "another endpoint first, but wait for its connection only as long as a round trip to the nearest one takes",
    "remember": "keep round-trip times for the next process, in a file in the user's cache directory; by default on, but "
    "not in functions that a platform freezes (Lambda and the like); nothing is kept of endpoints on this machine. "
    'For a fleet, on a server instead: "shared" (that of the cache\'s store), "redis://..." or "env:NAME"',
    "max_attempts": "requests one call may send before the SDK's own retries, 1 to 10",
    "total_s": "seconds after which a call starts no further attempt; none by default",
    "connect_s": "longest wait for a connection while another endpoint is left, seconds",
    "retry_sent": 'which calls go on elsewhere when the connection broke after the request had gone: "never", "idempotent" '
    '(a cacheable read, or an idempotency key), "always" (then read timeouts too: it may be done and billed twice)',
    "hedge": "whether idempotent calls to models at the PoP that take longer than 19 of 20 go to a second endpoint too: "
    '"off", "on", or a table/`Hedge(...)`',
    "dead_path_s": 'seconds after which unacknowledged bytes end a connection; `None` (or "off") leaves it to the system',
    "watchdog": "end connections within a few round trips when their bytes stay unacknowledged (a thread watches them)",
    "flight_wait_s": "longest wait for the same call of another caller, seconds",
    "stream_wait_s": "longest wait of a streamed call for the whole answer to the same call of another process that shares "
    "the cache's store, seconds; where none comes, its first token is so much later. 0: streams wait for no other process",
    "keepalive_s": "how long idle connections are kept, seconds (the HTTP libraries' default is 5)",
    "keep_warm": "so many of the nearest endpoints to which each client keeps an open connection, 0 to 10, by an unpaid GET "
    "every 45 seconds until ten minutes after its last call (a thread, or a task, sends it); `True` is 3; or a "
    "table/`KeepWarm(...)`, which keeps models from being put away, too, by paid calls",
    "notes": "send every call through the pipeline, so that it has notes, even when nothing else is set",
}
"""Every setting, in the order of the reference page."""
