"""What single settings are made of: endpoints, the cache, hedges, models, cascades; and how an error about one reads.

Each raises SettingsError where pydantic would raise its own error, and shows no key.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from ..errors import SettingsError
from .fitting import misfit

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Key:
    """Whose credential goes to an endpoint. Never shows a secret: not in `repr`, not in errors."""

    __slots__ = ("_say", "passes_through", "said")

    def __init__(self, said: str, say: Callable[[], str] | None = None) -> None:
        self.said = said  # "passthrough" | "none" | "env:NAME" | "callable"
        self.passes_through = said == "passthrough"  # the caller's own credential goes to this endpoint
        self._say = say

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
            raise SettingsError("\n".join(explain(e, {}, kind.__name__) for e in error.errors())) from None

    kind.__init__ = __init__  # type: ignore[method-assign]
    return kind


@_explained
@dataclass(frozen=True, config=STRICT)
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


def is_async(said: Callable[..., object]) -> bool:
    """True for a function that has to be awaited, or an object that is called like one."""
    return inspect.iscoroutinefunction(said) or inspect.iscoroutinefunction(type(said).__call__)


def _sealing(said: object) -> object:
    keys = said if isinstance(said, (list, tuple)) else [said]
    if not all(isinstance(one, (bytes, str)) or callable(one) for one in keys):
        raise ValueError("give 32 bytes, 'env:NAME', a function that returns them, or a list of these")
    if any(is_async(one) for one in keys if callable(one)):
        raise ValueError("give a plain function, not an async one: it is called by a thread")
    return said


SealingKey = bytes | str | Callable[[], bytes | Sequence[bytes]]
Encryption = Annotated[SealingKey | Sequence[SealingKey], PlainValidator(_sealing)]


def _embedder(said: Any) -> Any:
    if isinstance(said, str) or all(hasattr(said, name) for name in ("embed", "fingerprint", "dimensions", "judge")):
        return said
    raise ValueError("give 'auto', 'wordllama', 'none', 'onnx:FOLDER', or an object of edgeclient.cache.embedders")


Lifetime = Annotated[
    float, Field(gt=0, le=2**31, allow_inf_nan=False)
]  # seconds; what more means: RFC 9111, section 1.2.2


@_explained
@dataclass(frozen=True, config=STRICT)
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
    `ttl`: seconds for some models, by name or pattern ("gpt-*"), or for a route ("inference", "gateway", "direct"); `ttl_s`
    is for all others. `namespace`: where answers are kept, apart from those of other namespaces, unless a call says another
    one. `shared`: `True`, or the namespaces whose answers all callers share, whatever their credentials: say it only where
    every caller may read every answer.
    `temperature`: which calls the cache is for: "always" all of them, "deterministic" those that ask for the same answer
    each time, by temperature 0 or a seed, and those whose answers no model samples (embeddings). `usage`: what the answers of
    hits say that they used: "original", as the provider did, or "zero", which is what they cost; then the notes have both.
    `pace`: of streams out of the cache: "instant", or "recorded": in the pieces and at the pace in which they first came.
    `tool_calls`: keep answers that call tools, too; the caller runs the tools anew at each hit. Never for another question.

    With "semantic", questions that mean the same are answered too. `semantic`: "shadow" (decide, ask the model all the same,
    compare), "serve" or "off"; `max_wrong_rate`: the share of lookups that may be answered wrongly, up to 0.2;
    `audit_rate`: the share of answers so served for which the model is asked all the same; `embedder`: "wordllama", "none",
    "auto" (wordllama where it is installed), "onnx:FOLDER" (your `model.onnx` and `tokenizer.json`), or an embedder object;
    `index_bytes`: of the prompts and vectors held in memory; `keep_prompts`: write the prompts (the user's last text) and
    vectors of stored answers to the file or server too, sealed where answers are, so that a new process finds them.
    """

    mode: Literal["off", "exact", "semantic"] = "off"
    ttl_s: Lifetime = 3600.0
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
    keep_prompts: Annotated[bool, Field(strict=True)] = True
    encryption: Encryption | None = Field(default=None, repr=False)
    ttl: dict[str, Lifetime] = field(default_factory=dict)
    namespace: str = ""
    shared: Annotated[bool, Field(strict=True)] | tuple[Annotated[str, Field(min_length=1)], ...] = False
    temperature: Literal["always", "deterministic"] = "always"
    usage: Literal["original", "zero"] = "original"
    pace: Literal["instant", "recorded"] = "instant"
    tool_calls: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="before")
    @classmethod
    def _fits(cls, data: Any) -> Any:
        said = data if isinstance(data, Mapping) else {}
        fields: Any = cls.__pydantic_fields__  # type: ignore[attr-defined]
        if isinstance(data, ArgsKwargs):
            said = {**dict(zip(fields, data.args, strict=False)), **(data.kwargs or {})}
        wrong = misfit({name: one for name, one in said.items() if name in fields and one != fields[name].default})
        if wrong:
            raise ValueError(wrong)
        return data


@_explained
@dataclass(frozen=True, config=STRICT)
class Hedge:
    """Second copies of calls that take unusually long. `share`: of the calls that may be sent twice, at the most.

    `central_an_hour`: so many streamed calls of central models too, each of which is then paid for twice.
    """

    share: float = Field(default=0.03, gt=0, le=0.2)
    central_an_hour: int = Field(default=0, ge=0, le=100_000)


@_explained
@dataclass(frozen=True, config=STRICT)
class KeepWarm:
    """What is kept ready between calls: connections, for nothing, and models, by paid calls.

    `connections`: so many of the nearest endpoints to which each client keeps an open one. `models`: names, as calls ask for
    them, of models at the PoP that are not to be put away. An endpoint where one was seen to be is asked for one token
    shortly before the pause is too long, as long as a caller asked there within `for_s` seconds. That takes at most
    `calls_an_hour` calls (which has to be said) and, where `cost_a_day` is said too, ends for the day when so much is spent,
    in the currency of the prices that the setting `models` says for them. Both hold for each process.
    """

    connections: int = Field(default=0, ge=0, le=10)
    models: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    calls_an_hour: int | None = Field(default=None, ge=1, le=1000)
    cost_a_day: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    for_s: float = Field(default=1800.0, gt=0, le=86_400)

    def __bool__(self) -> bool:
        return bool(self.connections or self.models)


def _day(said: object) -> object:
    """A day, as TOML writes one or as text; not a number, which pydantic would take for seconds since 1970."""
    try:
        return said if said is None or type(said) is date else date.fromisoformat(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError("give a day as in 2027-01-31") from None


Day = Annotated[date, BeforeValidator(_day)]


@_explained
@dataclass(frozen=True, config=STRICT)
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
@dataclass(frozen=True, config=STRICT)
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


# -- errors


def masked(text: str) -> str:
    """A text without the names and passwords in its URLs, fit for errors."""
    return re.sub(r"//[^/\s'\"]*@", "//***@", text)


def explain(error: Any, sources: Mapping[str, str], otherwise: str = "settings") -> str:
    """One validation error in one line: where it came from, which field, which value, what is wrong."""
    path = [str(part) for part in error["loc"] if not str(part).startswith(("function-", "list[", "dict[", "tuple["))]
    source = sources.get(path[0], otherwise) if path else otherwise
    value = error["input"]
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):  # its value may be a key under a wrong name
        return f"{source}: unknown setting {'.'.join(path)}; remove it or mend its name"
    of_kind = error["type"].endswith(("_type", "_parsing"))  # not of the bounds, which its own words say best
    wanted = (
        f"give {_WANTED[path[0]]}"
        if of_kind and len(path) == 1 and path[0] in _WANTED
        else error["msg"].removeprefix("Value error, ")
    )
    secret = (
        bool({"key", "store", "encryption"} & set(path))
        or isinstance(value, (dict, Endpoint, ArgsKwargs))
        or error["type"] == "missing"
    )
    shown = "" if secret else f" (got {masked(repr(value))})"
    return ": ".join(filter(None, (source, ".".join(path), f"{wanted}{shown}")))


# For settings that take words besides what pydantic checks.
_WANTED = {
    "cache": "'off', 'exact', 'semantic', or a table/Cache(...)",
    "hedge": "'off', 'on', or a table/Hedge(...)",
    "dead_path_s": "a number of seconds, or 'off'",
    "keep_warm": "a number from 0 to 10, true or false, or a table/KeepWarm(...)",
}
