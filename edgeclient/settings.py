"""Settings: arguments before `EDGECLIENT_*` variables before `edgeclient.toml`, validated once, frozen afterwards.

Reads the environment and one file. Each value remembers where it came from, so that an error can say so; that is why
the three sources are merged here and not by a settings library. Nothing imports this file before there is something to read.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import date
from importlib.util import find_spec
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from .errors import SettingsError
from .surroundings import FILE_VARIABLE, PREFIX, RECORD_VARIABLE, settings_file
from .values import ORIGIN, Route
from .values import Endpoint as Resolved

T = TypeVar("T")

_KEPT_WARM = 3  # the nearest endpoint, and the two next ones

_strict = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Key:
    """Whose credential goes to an endpoint. Never shows a secret: not in `repr`, not in errors."""

    __slots__ = ("_say", "said")

    def __init__(self, said: str, say: Callable[[], str] | None = None) -> None:
        self.said = said  # "passthrough" | "none" | "env:NAME" | "callable"
        self._say = say

    @property
    def passes_through(self) -> bool:
        """True when the caller's own credential goes to this endpoint."""
        return self.said == "passthrough"

    def read(self) -> str:
        """The secret, now; "" when none is sent."""
        return self._say() if self._say is not None else ""

    def __repr__(self) -> str:
        return f"Key({self.said!r})"


def _explained(kind: type[T]) -> type[T]:
    """Lets a settings class raise SettingsError, which never shows a key, where pydantic would raise its own error."""
    checked = kind.__init__

    @functools.wraps(checked)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            checked(self, *args, **kwargs)
        except ValidationError as error:
            raise SettingsError("\n".join(_explain(e, {}, kind.__name__) for e in error.errors())) from None

    kind.__init__ = __init__  # type: ignore[method-assign]
    return kind


@_explained
@dataclass(frozen=True, config=_strict)
class Endpoint:
    """One endpoint, as a user writes it: `Endpoint("https://fra.example.com/v1", key="env:FRA_KEY")`.

    `url` is what one would give openai as `base_url`, `anthropic` what one would give anthropic; at least one is needed.
    `key`: "env:NAME" (read at each call), a function that returns the key, "passthrough" (the caller's own key goes
    there too) or "none". `route`: "inference", "gateway", or None for both. `models`: the models it serves, as names or
    as a mapping from the asked-for name to the name there; None for every model of its route. `probe`: a path, from the root
    of the host, that answers without a key and without cost; used by `rtt_source="http"`. `region`: where it answers, in
    your own words ("eu", "DE"), for `allow_regions`. `headers`: set on each request; "env:NAME" in a value is read at each
    call. `weight`: of two endpoints that are equally near the heavier one is
    preferred.
    """

    url: str = ""
    name: str = ""
    anthropic: str = ""
    key: str | Callable[[], str] | None = None
    route: Literal["inference", "gateway"] | None = None
    models: dict[str, str] | list[str] | tuple[str, ...] | None = None
    probe: str = "/"
    region: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    product: Any = None  # filled in for endpoints that name a system
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


def _sealing(said: object) -> object:
    keys = said if isinstance(said, (list, tuple)) else [said]
    if not all(isinstance(one, (bytes, str)) or callable(one) for one in keys):
        raise ValueError("give 32 bytes, 'env:NAME', a function that returns them, or a list of these")
    if any(_is_async(one) for one in keys if callable(one)):
        raise ValueError("give a plain function, not an async one: it is called by a thread")
    return said


SealingKey = bytes | str | Callable[[], bytes | Sequence[bytes]]
Encryption = Annotated[SealingKey | Sequence[SealingKey], PlainValidator(_sealing)]


def _embedder(said: Any) -> Any:
    if isinstance(said, str) or all(hasattr(said, name) for name in ("embed", "fingerprint", "dimensions", "judge")):
        return said
    raise ValueError("give 'auto', 'wordllama', 'none', 'onnx:FOLDER', or an object of edgeclient.cache.embedders")


@_explained
@dataclass(frozen=True, config=_strict)
class Cache:
    """The answer cache. `mode`: "off", "exact" or "semantic"; `ttl_s`: seconds an answer is fresh; `max_bytes`: of memory.

    `stale_if_error_s`: seconds for which an answer that is no longer fresh still answers calls whose every attempt failed.
    `stale_while_revalidate_s`: seconds for which it answers at once, and is asked for anew beside the call.
    `store`: where answers are kept besides: "memory" (nowhere else), "sqlite" (a file in the user's cache directory),
    "sqlite:PATH", "redis://USER:PASSWORD@HOST:PORT/DB" ("rediss://" over TLS; "redis+sentinel://HOST,HOST/SERVICE",
    "redis+cluster://HOST,HOST", "redis+replicas://PRIMARY,REPLICA"), "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    ("postgresql+logged://": answers outlive a crash of the server), or "env:NAME", a variable that says it.
    `budget_s`: longest wait for a file or a server, then it is a miss; by default 0.005 for a file and 0.025 for a server.
    `file_bytes`: of the SQLite file, whose oldest answers go first, or of the PostgreSQL table, where those go first that
    expire first.
    `encryption`: the key that seals what is kept in a file or on a server: 32 bytes, "env:NAME" (a variable that holds them
    in base64 or hexadecimal), a function that returns them, or a list of such, newest first: the first one seals, all unseal.
    `ttl`: seconds for some models, by name or pattern ("gpt-*"); `ttl_s` is for all others. `namespace`: where answers are
    kept, apart from those of other namespaces, unless a call says another one. `shared`: `True`, or the namespaces whose
    answers all callers share, whatever their credentials: say it only where every caller may read every answer.

    With "semantic", questions that mean the same are answered too. `semantic`: "shadow" (decide, ask the model all the same,
    compare), "serve" or "off"; `max_wrong_rate`: the share of lookups that may be answered wrongly, up to 0.2;
    `audit_rate`: the share of answers so served for which the model is asked all the same; `embedder`: "wordllama", "none",
    "auto" (wordllama where it is installed), "onnx:FOLDER" (your `model.onnx` and `tokenizer.json`), or an embedder object;
    `index_bytes`: of the prompts and vectors held in memory.
    """

    mode: Literal["off", "exact", "semantic"] = "off"
    ttl_s: float = Field(default=3600.0, gt=0)
    stale_if_error_s: float = Field(default=0.0, ge=0, le=31_536_000)
    stale_while_revalidate_s: float = Field(default=0.0, ge=0, le=31_536_000)
    max_bytes: int = Field(default=64 * 2**20, gt=0)
    store: str = Field(default="memory", repr=False)  # may hold a password
    budget_s: float | None = Field(default=None, gt=0, le=60)
    file_bytes: int = Field(default=2**30, ge=2**20)
    semantic: Literal["off", "shadow", "serve"] = "shadow"
    max_wrong_rate: float = Field(default=0.005, gt=0, le=0.2)
    audit_rate: float = Field(default=0.02, ge=0, le=1)
    embedder: Annotated[Any, AfterValidator(_embedder)] = "auto"
    index_bytes: int = Field(default=64 * 2**20, ge=2**20)
    encryption: Encryption | None = Field(default=None, repr=False)
    ttl: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = field(default_factory=dict)
    namespace: str = ""
    shared: Annotated[bool, Field(strict=True)] | tuple[Annotated[str, Field(min_length=1)], ...] = False


@_explained
@dataclass(frozen=True, config=_strict)
class Hedge:
    """Second copies of calls that take unusually long. `share`: of the calls that may be sent twice, at the most.

    `central_an_hour`: so many streamed calls of central models too, each of which is then paid for twice.
    """

    share: float = Field(default=0.03, gt=0, le=0.2)
    central_an_hour: int = Field(default=0, ge=0, le=100_000)


def _day(said: object) -> object:
    """A day, as TOML writes one or as text; not a number, which pydantic would take for seconds since 1970."""
    try:
        return said if said is None or type(said) is date else date.fromisoformat(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("give a day as in 2027-01-31") from None


Day = Annotated[date, BeforeValidator(_day)]


@_explained
@dataclass(frozen=True, config=_strict)
class Model:
    """What you say about a model, before the catalogue. All of it may be left out.

    `kind`: "small" (runs at a PoP) or "foundation"; `family`: the model that it is, in any spelling that the catalogue
    knows; `context`: its length in tokens; `ends`: the first day on which it is no longer served, as in "2027-01-31", and
    `replacement`: what to ask for then; `input_per_mtok`, `output_per_mtok`: your prices of a million tokens, for
    `notes.used`.
    """

    kind: Literal["small", "foundation"] | None = None
    family: str = ""
    context: int | None = Field(default=None, gt=0)
    ends: Day | None = None
    replacement: str = ""
    input_per_mtok: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    output_per_mtok: float | None = Field(default=None, ge=0, allow_inf_nan=False)


def _pattern(said: str) -> str:
    try:
        re.compile(said)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"no regular expression ({error})") from None
    return said


Pattern = Annotated[str, AfterValidator(_pattern)]


@_explained
@dataclass(frozen=True, config=_strict)
class Cascade:
    """A small model that is asked first, and the checks that its answer has to pass to stand for the model asked for.

    `first`: the small model, which an endpoint has to serve; `min_chars`, `max_chars`: of the answer's text; `matches`: a
    regular expression that is found in it (`^...$` for all of it); `json`: the text is JSON; `schema`: the text is JSON of
    the schema that the call asks for (needs the package jsonschema; a call that asks for a schema goes straight to the model
    asked for without it); `min_logprob`: of the answer's tokens, in the mean (0 is certain; chat completions only);
    `check`: a function that gets the text and returns whether it will do. At least one check has to be said, and all that
    are said have to pass. `within_s`: seconds within which the small model's answer has to come.
    """

    first: str = Field(min_length=1)
    min_chars: int = Field(default=0, ge=0)
    max_chars: int | None = Field(default=None, ge=1)
    matches: Pattern = ""
    json: bool = False
    schema: bool = False
    min_logprob: float | None = Field(default=None, le=0, allow_inf_nan=False)
    within_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    check: Callable[[str], object] | None = None


def _so_many(said: object) -> object:
    """A number of endpoints, or whether any."""
    if isinstance(said, str):
        said = {"on": True, "true": True, "off": False, "false": False}.get(said.lower(), said)
    return {True: _KEPT_WARM, False: 0}[said] if isinstance(said, bool) else said


@dataclass(frozen=True, config=_strict)
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
    connect_s: float = Field(default=1.0, gt=0)
    retry_sent: Literal["never", "idempotent", "always"] = "idempotent"
    hedge: Hedge | None = None
    dead_path_s: float | None = Field(default=2.0, gt=0, le=3600)
    watchdog: bool = False
    flight_wait_s: float = Field(default=10.0, ge=0)
    keepalive_s: float = Field(default=300.0, ge=0)
    keep_warm: Annotated[int, BeforeValidator(_so_many)] = Field(default=0, ge=0, le=10)
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
    "keepalive_s": "how long idle connections are kept, seconds (the HTTP libraries' default is 5)",
    "keep_warm": "so many of the nearest endpoints to which each client keeps an open connection, 0 to 10, by an unpaid GET "
    "every 45 seconds until ten minutes after its last call (a thread, or a task, sends it); `True` is 3",
    "notes": "send every call through the pipeline, so that it has notes, even when nothing else is set",
}
"""Every setting, in the order of the reference page."""

_NO_SETTINGS = (FILE_VARIABLE, RECORD_VARIABLE)

_adapter = TypeAdapter(Settings)


Expand = Callable[[Any], list[Any]]  # an entry of `endpoints` -> the endpoints that it means


def load(arguments: Mapping[str, Any], expand: Expand = lambda said: [said]) -> tuple[Settings, tuple[Resolved, ...]]:
    """Merge the three sources, validate them, and resolve the endpoints. Raises `SettingsError`.

    `expand` knows the systems that an endpoint may be named after.
    """
    values, sources = _merge(arguments)
    try:
        settings = _adapter.validate_python(_shapes(values, sources, expand))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(e, sources) for e in error.errors())) from None
    _check_aliases(settings.aliases, sources.get("aliases", "settings"))
    endpoints = _resolve(settings, sources)
    for asked, said in settings.cascade.items():
        _check_cascade(asked, said, settings, endpoints, f"{sources.get('cascade', 'settings')}: cascade.{asked}")
    return settings, endpoints


def source_of(name: str, arguments: Mapping[str, Any]) -> str:
    """Where a setting's value came from, in the words of the errors."""
    return _merge(arguments)[1].get(name, "settings")


def _merge(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for found, where in ((_from_file(), None), (_from_environment(), None), (dict(arguments), "argument")):
        for name, (value, source) in ((n, v if where is None else (v, f"argument {n}")) for n, v in found.items()):
            if name not in SETTINGS:
                known = ", ".join(SETTINGS)
                raise SettingsError(f"{source}: unknown setting {name!r}; known are {known}")
            values[name], sources[name] = value, source
    return values, sources


def _from_environment() -> dict[str, tuple[Any, str]]:
    found = {}
    for variable, text in os.environ.items():
        if variable.startswith(PREFIX) and variable not in _NO_SETTINGS and text:  # an empty one is not set
            found[variable.removeprefix(PREFIX).lower()] = (_from_text(variable, text), f"variable {variable}")
    return found


def _from_text(variable: str, text: str) -> Any:
    """A variable's value: JSON where it looks like it, a comma list where the setting is one, else the text."""
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise SettingsError(f"variable {variable}: not valid JSON ({error}); mend it or use a comma list") from None
    if variable in (PREFIX + "ENDPOINTS", PREFIX + "ORIGINS", PREFIX + "ALLOW_REGIONS"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _from_file() -> dict[str, tuple[Any, str]]:
    path = settings_file()
    if path is None:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); mend its rights or remove it") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: not valid TOML ({error}); mend it, or name another file in {FILE_VARIABLE}"
        ) from None
    return {name: (value, str(path)) for name, value in table.items()}


def _shapes(values: dict[str, Any], sources: Mapping[str, str], expand: Expand) -> dict[str, Any]:
    """The short forms as the long ones: a URL is an endpoint, a table of tables a list, a word a cache."""
    shaped = dict(values)
    if isinstance(shaped.get("cache"), str):
        shaped["cache"] = {"mode": shaped["cache"]}
    if shaped.get("dead_path_s") == "off":  # a variable and TOML have no None
        shaped["dead_path_s"] = None
    if shaped.get("hedge") in ("off", "on", False, True):
        shaped["hedge"] = {} if shaped["hedge"] in ("on", True) else None
    if isinstance(shaped.get("remember"), str):
        shaped["remember"] = _remembered(shaped["remember"], sources["remember"])
    endpoints = shaped.get("endpoints")
    if isinstance(endpoints, Mapping):
        endpoints = [
            {"name": name, **(entry if isinstance(entry, Mapping) else {"url": entry})}
            for name, entry in endpoints.items()
        ]
    if endpoints is not None and not isinstance(endpoints, (list, tuple)):
        raise SettingsError(f"{sources['endpoints']}: endpoints is {endpoints!r}; give a list of URLs or endpoints")
    if endpoints is not None:
        shaped["endpoints"] = _expanded(endpoints, sources["endpoints"], expand)
    return shaped


def _remembered(said: str, source: str) -> bool | str:
    """A variable's word for true or false, or words for a server, at which who opens it looks closer."""
    if said == "shared" or said.startswith("env:") or "://" in said:
        return said
    try:
        return TypeAdapter(bool).validate_python(said)
    except ValidationError:
        shown = "a text with an @" if "@" in said else repr(said)  # that may be a password
        raise SettingsError(
            f"{source}: remember is {shown}; give true, false, 'shared' (for where the cache's store is), "
            "'redis://HOST:PORT' or 'env:NAME'"
        ) from None


def _expanded(endpoints: Sequence[Any], source: str, expand: Expand) -> list[Any]:
    """Each URL as a table, and each system as its endpoints."""
    found: list[Any] = []
    for said in endpoints:
        own = said if not isinstance(said, Endpoint) else _said(said)
        try:
            meant = expand(own)
        except SettingsError as error:
            raise SettingsError(f"{source}: endpoints: {error}") from None
        found += [said] if meant == [own] and isinstance(said, Endpoint) else meant
    return [{"url": e} if isinstance(e, str) else e for e in found]


def _said(endpoint: Endpoint) -> dict[str, Any]:
    """The fields of an endpoint that were given a value."""
    values = {f.name: getattr(endpoint, f.name) for f in dataclasses.fields(endpoint)}
    return {
        name: value for name, value in values.items() if value not in ("", None, {}) and (name, value) not in _USUAL
    }


_USUAL = (("probe", "/"), ("weight", 1.0))


def _explain(error: Any, sources: Mapping[str, str], otherwise: str = "settings") -> str:
    """One validation error in one line: where it came from, which field, which value, what is wrong."""
    path = [str(part) for part in error["loc"] if not str(part).startswith(("function-", "list[", "dict[", "tuple["))]
    source = sources.get(path[0], otherwise) if path else otherwise
    value = error["input"]
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):  # its value may be a key under a wrong name
        return f"{source}: unknown setting {'.'.join(path)}; remove it or mend its name"
    of_kind = error["type"].endswith(("_type", "_parsing"))  # not of the bounds, which its own words say best
    wanted = f"give {_WANTED[path[0]]}" if of_kind and len(path) == 1 and path[0] in _WANTED else error["msg"]
    secret = (
        bool({"key", "store", "encryption"} & set(path))
        or isinstance(value, (dict, Endpoint))
        or error["type"] == "missing"
    )
    shown = "" if secret else " (got {})".format(re.sub(r"//[^/\s'\"]*@", "//***@", repr(value)))
    return f"{source}: {'.'.join(path)}: {wanted}{shown}"


# For settings that take words besides what pydantic checks.
_WANTED = {
    "cache": "'off', 'exact', 'semantic', or a table/Cache(...)",
    "hedge": "'off', 'on', or a table/Hedge(...)",
    "dead_path_s": "a number of seconds, or 'off'",
    "keep_warm": "a number from 0 to 10, true or false",
}


def _resolve(settings: Settings, sources: Mapping[str, str]) -> tuple[Resolved, ...]:
    """The endpoints as the pipeline sees them, checked against each other."""
    source = sources.get("endpoints", "settings")
    names = _names(settings.endpoints)
    found = tuple(
        _endpoint(e, names[n], settings, source, sources.get("key", source)) for n, e in enumerate(settings.endpoints)
    )
    twice = {e.name for e in found if sum(e.name == other.name for other in found) > 1}
    if twice:
        raise SettingsError(f"{source}: two endpoints are named {min(twice)!r}; give each its own name")
    allowed = {region.lower() for region in settings.allow_regions}
    if allowed and not allowed & {"origin", *(e.region.lower() for e in found)}:
        regions = ", ".join(sorted({e.region for e in found if e.region})) or "none"
        raise SettingsError(
            f"{sources['allow_regions']}: allow_regions is {', '.join(settings.allow_regions)}, but no endpoint is there "
            f"(their regions: {regions}); set region= on the endpoints, or add 'origin' to let the client's own serve"
        )
    for model, route in settings.routes.items():
        if (
            route != "direct"
            and not any(sign in model for sign in "*?[")
            and not any(_serves(e, model, route) for e in found)
        ):
            raise SettingsError(
                f"{sources['routes']}: routes.{model} is {route!r}, but no endpoint serves it; "
                f"add one with route={route!r} or models=[{model!r}], or route it 'direct'"
            )
    if settings.origin == "never" and not found:
        raise SettingsError(
            f"{sources['origin']}: origin is 'never' and there are no endpoints; add one or drop origin"
        )
    for origin in settings.origins:
        _check_url(origin, f"{sources['origins']}: origins")
    return found


def _check_aliases(aliases: Mapping[str, str], source: str) -> None:
    for asked, instead in aliases.items():
        if not asked or not instead:
            raise SettingsError(f"{source}: aliases.{asked} is {instead!r}; neither name may be empty")
        if instead in aliases:
            raise SettingsError(
                f"{source}: aliases.{asked} is {instead!r}, which is an alias itself; aliases are followed once, "
                "so say the name that is to be asked for"
            )


def _check_cascade(asked: str, said: Cascade, settings: Settings, endpoints: Sequence[Resolved], where: str) -> None:
    if said.first == asked:
        raise SettingsError(f"{where}.first is {asked!r}, the model that is asked for; name a smaller one")
    if asked in settings.aliases:
        raise SettingsError(
            f"{where}: {asked} is an alias, which is followed first; say cascade.{settings.aliases[asked]} instead"
        )
    checks = (said.min_chars, said.max_chars, said.matches, said.json, said.schema, said.check)
    if not any(checks) and said.min_logprob is None:
        raise SettingsError(
            f"{where} says no check; set min_chars, max_chars, matches, json, schema, min_logprob or check"
        )
    if said.schema and find_spec("jsonschema") is None:
        raise SettingsError(f"{where}.schema needs the package jsonschema; install edgeclient[schema], or drop it")
    if said.max_chars is not None and said.min_chars > said.max_chars:
        raise SettingsError(f"{where}: min_chars is {said.min_chars} and max_chars {said.max_chars}; nothing has both")
    if said.check is not None and _is_async(said.check):
        raise SettingsError(f"{where}.check is an async function; give a plain one: it is called in sync clients too")
    if not any(_serves(e, said.first, "inference") or said.first in (e.models or ()) for e in endpoints):
        raise SettingsError(
            f"{where}.first is {said.first!r}, but no endpoint serves it; "
            f"add one with route='inference' or models=[{said.first!r}], or drop cascade.{asked}"
        )


def _is_async(said: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(said) or inspect.iscoroutinefunction(type(said).__call__)


def normal(url: str) -> str:
    """A base URL in the one spelling that is compared: host in lower case, no default port, no last slash."""
    parts = urlsplit(url)
    host, default = (parts.hostname or ""), {"http": 80, "https": 443}.get(parts.scheme)
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _serves(endpoint: Resolved, model: str, route: str) -> bool:
    right_route = endpoint.route is None or endpoint.route.value == route
    return right_route and any(endpoint.name_there(model, sdk) is not None for sdk in ("openai", "anthropic"))


def _names(endpoints: Sequence[Endpoint]) -> list[str]:
    """A name for each endpoint: its own, else its host, else (where hosts are equal) its URL."""
    addresses = [e.url or e.anthropic for e in endpoints]
    shown = [Resolved("", url=address).shown() for address in addresses]
    hosts = [text.partition("://")[2].partition("/")[0] for text in shown]
    return [e.name or (hosts[n] if hosts.count(hosts[n]) == 1 else shown[n]) or str(n) for n, e in enumerate(endpoints)]


def _endpoint(endpoint: Endpoint, name: str, settings: Settings, source: str, key_source: str) -> Resolved:
    where = f"{source}: endpoints.{name}"
    if name == ORIGIN.name:
        raise SettingsError(f"{where}: the name {name!r} stands for the client's own origin; choose another")
    if not endpoint.url and not endpoint.anthropic:
        raise SettingsError(f"{where} has no url; set endpoints.{name}.url (or .anthropic) or remove it")
    for address, what in ((endpoint.url, "url"), (endpoint.anthropic, "anthropic")):
        if address:
            _check_url(address, f"{where}.{what}")
    own = endpoint.key is not None
    said = endpoint.key if own else settings.key
    if said is None:
        raise SettingsError(
            f"{where} says no key; set endpoints.{name}.key (or key for all) to 'env:NAME', 'passthrough' or 'none'"
        )
    models = endpoint.models
    return Resolved(
        name=name,
        url=endpoint.url.rstrip("/"),
        anthropic=endpoint.anthropic.rstrip("/"),
        key=_key(said, f"{where}.key" if own else f"{key_source}: key"),
        route=Route(endpoint.route) if endpoint.route else None,
        models=models if models is None or isinstance(models, dict) else {model: model for model in models},
        region=endpoint.region,
        weight=endpoint.weight,
        headers=_headers(endpoint.headers, where),
        product=endpoint.product,
        probe=endpoint.probe if endpoint.probe.startswith("/") else f"/{endpoint.probe}",
    )


def _headers(said: Mapping[str, str], where: str) -> dict[str, str]:
    for header, value in said.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", header):
            raise SettingsError(f"{where}.headers: {header!r} is no name of a header")
        for variable in re.findall(r"env:(\w+)", value):
            if not os.environ.get(variable):
                raise SettingsError(f"{where}.headers.{header}: the variable {variable} is not set; set it")
    return dict(said)


def _check_url(address: str, where: str) -> None:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if good and (parts.query or parts.fragment):
        raise SettingsError(f"{where} is {address!r}; paths are put behind it, so it may have no query and no fragment")
    if not good:
        raise SettingsError(
            f"{where} is {address!r}; give an http(s) URL with a host, as in https://fra.example.com/v1"
        )


def _key(said: str | Callable[[], str], where: str) -> Key:
    if callable(said):
        if _is_async(said):
            raise SettingsError(f"{where} is an async function; give a plain one: it is called in sync clients too")
        return Key("callable", said)
    if said in ("passthrough", "none"):
        return Key(said)
    if said.startswith("env:"):
        variable = said.removeprefix("env:")
        if not os.environ.get(variable):
            raise SettingsError(f"{where} is {said!r}, but the variable {variable} is not set; set it")
        return Key(said, lambda: os.environ.get(variable, ""))
    raise SettingsError(
        f"{where} is a text of {len(said)} characters that is no word for a key; "
        "put the key into a variable and say 'env:NAME', or say 'passthrough' or 'none'"
    )
