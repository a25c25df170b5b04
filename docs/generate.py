"""Writes the reference pages in docs/reference/ from the code; `--check` writes nothing and exits 1 when one is stale.

Each page is one function that returns Markdown. What it says comes from the package: fields, defaults, docstrings, tables.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import dataclasses
import difflib
import importlib
import importlib.util
import inspect
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import edgeclient
from edgeclient import noting, settings, values
from edgeclient.cache import controls, key
from edgeclient.lab import FAULTS, Lab, LabError
from edgeclient.lab.faults import Fault, parse_fault
from edgeclient.pops.refusals import SAID
from edgeclient.pops.track import EndpointStatus
from edgeclient.routing import presets
from edgeclient.routing.providers import NAMES
from edgeclient.routing.systems import CAPABILITIES, Signal, System
from edgeclient.surroundings import FILE, FILE_VARIABLE, PREFIX
from edgeclient.telemetry import events
from edgeclient.testing import recorded

REFERENCE = Path(__file__).parent / "reference"

_CACHE_WORDS = ("no-cache", "no-store", "max-age=N")  # those that a cache behind an endpoint may hear
_HEAD = "<!-- Written by docs/generate.py: change the code, then run `python docs/generate.py`. -->\n\n"


# -- pages


def settings_page() -> str:
    rows = []
    for name, meaning in settings.SETTINGS.items():
        kind, default = _kind_and_default(settings.Settings, name)
        rows.append((f"`{name}`", f"`{PREFIX}{name.upper()}`", _code(kind), default, meaning))
    return f"""# Settings

Every setting has one name: the argument of `Edge(...)`, the variable (upper case, with `{PREFIX}` before it), and the key in
`{FILE}`. Arguments come before variables, variables before the file. How to use them:
[Configure](../how-to/configure.md).

{_table(("setting", "variable", "type", "default", "meaning"), rows)}
`{FILE_VARIABLE}` names the file; without it the nearest `{FILE}` counts, from the working directory upwards.
`Edge(...)` takes one more argument that is no setting: `hooks`, functions that are called with an [`Event`](api.md#event).

A variable's text is read as JSON when it begins with `[` or `{{`; for `endpoints` and `origins` a comma-separated list
will do.

## `Endpoint`

{_prose(settings.Endpoint)}

{_fields_table(settings.Endpoint)}
## `Cache`

{_prose(settings.Cache)}

{_fields_table(settings.Cache)}
## `Hedge`

{_prose(settings.Hedge)}

{_fields_table(settings.Hedge)}
## `KeepWarm`

{_prose(settings.KeepWarm)} How to use it: [Set up PoPs](../how-to/pops.md#keep-models-from-being-put-away).

{_fields_table(settings.KeepWarm)}
## `Cascade`

{_prose(settings.Cascade)} How to use it: [Ask a small model first](../how-to/cascade.md).

{_fields_table(settings.Cascade)}
## A table of `models`

{_prose(settings.Model)} How to use it: [Look models up](../how-to/models.md).

{_fields_table(settings.Model)}"""


def notes_page() -> str:
    outrun = (f"`{noting.OUTRUN}`", "it was hedged, and the other of the two attempts was faster")
    failures = [(f"`{f.value}`", _failure_words(f)) for f in values.Failure]
    outcomes = [("`ok`", "it gave the answer"), outrun, *failures]
    return f"""# Notes

{_prose(edgeclient.notes)} How to use them: [Read notes](../how-to/read-notes.md).

## `Notes`

{_prose(noting.Notes)}

{_fields_table(noting.Notes, _comments(noting.Notes))}
## `Attempt`

{_prose(noting.Attempt)}

{_fields_table(noting.Attempt, _comments(noting.Attempt))}
The words for `outcome`:

{_table(("outcome", "meaning"), outcomes)}
## `Used`

{_prose(noting.Used)}

{_fields_table(noting.Used, _comments(noting.Used))}
## `Event`

{_prose(events.Event)}

{_fields_table(events.Event, _comments(events.Event))}"""


def _as_read(header: str, said: str) -> str:
    changed = controls.read([(header, said)])
    if changed == values.UNSAID:
        raise ValueError(f"{header}: {said} is no longer understood: mend this table")
    found = [
        f"{f.name}={getattr(changed, f.name)!r}"
        for f in dataclasses.fields(changed)
        if getattr(changed, f.name) != getattr(values.UNSAID, f.name)
    ]
    return f"`{', '.join(found)}`"


def headers_page() -> str:
    words = [
        ("`no-store`", "no-store", "neither answered from the cache nor stored"),
        ("`no-cache`", "no-cache", "not answered from the cache, but the new answer is stored: a refresh"),
        ("`max-age=N`", "max-age=60", "answered from the cache only by an answer that is at most N seconds old"),
        ("`only-if-cached`", "only-if-cached", "nothing is sent; status 504 when there is no fresh answer"),
        (
            "`stale-if-error=N`",
            "stale-if-error=60",
            "when every attempt failed (no connection, or a 5xx), answered by what was fresh until at most N seconds ago",
        ),
        (
            "`stale-while-revalidate=N`",
            "stale-while-revalidate=60",
            "answered by what was fresh until at most N seconds ago, which is asked for anew beside the call",
        ),
    ]
    rows = [(shown, meaning, _as_read("cache-control", said)) for shown, said, meaning in words]
    of_our_own = [
        ("`Edge-Cache-Key: NAME`", "edge-cache-key", "q1", "the name of the question, in place of its body"),
        ("`Edge-Cache-Namespace: NAME`", "edge-cache-namespace", "faq", "where the answer is looked for and kept"),
        ("`Edge-Cache-Ttl: N`", "edge-cache-ttl", "60", "seconds for which the answer is fresh, more than zero"),
        ("`Edge-Cache-Tag: A, B`", "edge-cache-tag", "a, b", "tags of the answer, to make it invalid by; or `-Tags`"),
    ]
    own = [(shown, meaning, _as_read(name, said)) for shown, name, said, meaning in of_our_own]
    attempts = (noting.Attempt("fra", "connection_refused"), noting.Attempt("nyc", "ok", 200))
    miss = noting.Notes(
        endpoint="nyc", cache="miss", key="5f0c", stored=True, tried=attempts, took_ms=231.5, rtt_ms=20.25
    )
    hit = noting.Notes(endpoint="nyc", cache="hit", key="5f0c", ttl_s=3588.4, age_s=11.6, took_ms=0.084)
    failed = (noting.Attempt("nyc", "connection_refused"), noting.Attempt("origin", "status", 503))
    stale = noting.Notes(
        endpoint="nyc", cache="hit", key="5f0c", ttl_s=-12.0, age_s=3612.0, tried=failed, took_ms=41.25
    )
    return f"""# Headers

## Words for one call

Given per call in `extra_headers={{"Cache-Control": "..."}}`, as in RFC 9111 (5.2.1) and RFC 5861 (4). While
the cache is off the header goes to the API untouched, as with the plain SDK. While it is on, the provider's own origin does
not get it; an endpoint gets `no-cache`, `no-store` and `max-age`, because there may be a cache behind it too (a PoP of your
own), a product gets [its own words](systems.md) for them, and a client's own `base_url` gets it as it is.

{_table(("directive", "meaning", "as read"), rows)}
{_table(("header", "meaning", "as read"), own)}
A header that comes twice is one list with commas. One that is not understood is ignored, and counted in
`edge.status().mishaps`. [How to use them](../how-to/cache.md#say-it-for-one-call).

Other directives, and times that are no whole number of seconds, are ignored and counted likewise. `min-fresh` and
`max-stale` are not understood in this release.

`Edge-Route: inference | gateway | direct` sends one call another way than the settings and the catalogue would. Headers
whose name begins with `edge-` are edgeclient's: they are taken out before sending.

## Headers on the answer

On every answer that passed an active edge: `Cache-Status` (RFC 9211), one `Proxy-Status` for each attempt (RFC 9209), and
`Server-Timing`. They are read with the SDKs' `with_raw_response`; [notes](notes.md) say the same without it.

A call that was refused by `fra`, answered by `nyc`, and stored:

```text
{_written(miss)}
```

The same call again:

```text
{_written(hit)}
```

And when it was answered by a stored answer that ended 12 seconds before, because nobody else gave one:

```text
{_written(stale)}
```

## Headers and the cache key

The exact cache's key has every request header in it, but for these, which cannot change an answer:

{_bullets(sorted(key.HEADERS_LEFT_OUT - set(key.CREDENTIALS)))}
and those that begin with {" or ".join(f"`{p}`" for p in key.PREFIXES_LEFT_OUT)}. Credentials
({", ".join(f"`{name}`" for name in key.CREDENTIALS)}) are in the key as a digest: another key is another caller, and a
request that shows no credential is never cached. Left out of the body:
{", ".join(f"`{n}`" for n in sorted(key.BODY_LEFT_OUT))}.
"""


def faults_page() -> str:
    rows = [(f"`{name}`", text, ", ".join(f"`{o}`" for o in _options(name)) or "none") for name, text in FAULTS.items()]
    options = [
        ("`every`", "hits each k-th request only", "1"),
        ("`after`", "bytes of the answer's body before it breaks", "none; 256 for `cut`"),
        ("`status`", "the status, 500 to 599", "503"),
        ("`retry_after`", "seconds in a `retry-after` header", "no header"),
        ("`delay_ms`", "milliseconds before the answer", f"{Fault('x').delay_ms:g}"),
        ("`bytes_per_s`", "bytes of body a second", f"{Fault('x').bytes_per_s:g}"),
        ("`spare_probes`", "leaves requests alone that are not POSTs", "no"),
    ]
    missing = {f"`{f.name}`" for f in dataclasses.fields(Fault) if f.name != "name"} ^ {row[0] for row in options}
    if missing:
        raise ValueError(f"options of faults changed: {missing}")
    return f"""# The lab and its faults

`edgeclient.lab` needs no extra package in loopback mode; with TLS it needs `pip install "edgeclient[lab]"`. How to use it:
[Test your app](../how-to/test-your-app.md).

## `Lab`

`{_signature(Lab, "Lab")}`

{_prose(Lab)}

{_prose(Lab.__init__)}

{_members(Lab)}
## Faults

`lab.fault(site, name, **options)` gives a site one of these, `lab.clear(site)` takes it away. A site has one fault at a time.

{_table(("fault", "what happens", "options"), rows)}
{_table(("option", "meaning", "default"), options)}"""


_API_HEAD = """# API

What `edgeclient.__all__` names. Everything else may change without notice. All of it is imported when it is first used:
`import edgeclient` imports neither SDK.
"""


def api_page() -> str:
    parts = [_API_HEAD]
    for name in edgeclient.__all__:
        parts.append(f"## `{name}`\n\n{_entry(name)}")
    parts.append(f"## `EndpointStatus`\n\n{_prose(EndpointStatus)}\n\n{_fields_table(EndpointStatus)}")
    parts.append(f"## `edgeclient.testing.recorded`\n\n`{_signature(recorded, 'recorded')}`\n\n{_prose(recorded)}\n")
    return "\n".join(parts)


def cli_page() -> str:
    if importlib.util.find_spec("edgeclient.cli") is None or not hasattr(
        importlib.import_module("edgeclient.cli"), "main"
    ):
        return "# Command line\n\nThis build has no command line yet.\n"
    whole = _help([])
    parts = [
        '# Command line\n\nThe command comes with `pip install "edgeclient[cli]"`.\n',
        f"```text\n{whole}\n```\n",
    ]
    for command in re.findall(r"^    ([a-z]+)(?:  |$)", whole.partition("COMMAND\n")[2], re.MULTILINE):
        parts.append(f"## `edgeclient {command}`\n\n```text\n{_help([command])}\n```\n")
    return "\n".join(parts)


def systems_page() -> str:
    systems = [presets.system(name) for name in NAMES]
    speaks = [(f"`{s.spelling}`", *("yes" if c in s.speaks else "no" for c in CAPABILITIES)) for s in systems]
    signals = [
        (
            f"`{s.name}`",
            ", ".join(map(str, signal.status)),
            _mark(signal),
            signal.failure.value if signal.failure else "ok",
            signal.source,
        )
        for s in systems
        for signal in s.signals
    ]
    inside = "`error` and no `choices`"
    signals += [
        (f"`{s.name}`", "200", inside, "that of its `code`", s.errors_inside) for s in systems if s.errors_inside
    ]
    signals += [
        ("any endpoint", str(status), _words(words), failure.value, seen) for failure, status, words, seen in SAID
    ]
    parts = [
        f"""# Systems

The products that may stand in `endpoints` by name. `edgeclient systems NAME` shows the same. Every cell below is checked by a
test that asks through the real SDKs, sync and async, what a strict emulator of the product answers (`tests/systems/`); the
exact requests are in `tests/systems/golden/`. Of the products themselves only llama.cpp's server was asked.

{_table(("system", *CAPABILITIES), speaks)}
What an answer means where its status alone does not tell; everything else is judged by its status:

{_table(("system", "status", "and", "outcome", "source"), signals)}"""
    ]
    for s in systems:
        rows = [
            ("key", s.token_of or (f"`{s.key}`" if s.key else "has to be said")),
            ("route", s.route or "inference and gateway"),
        ]
        rows += [(f"option `{name}`", meaning) for name, meaning in s.options.items()]
        rows += _cache_rows(s)
        rows += [(f"no {what}", why) for what, why in s.lacks.items()]
        rows += [("source", source) for source in s.sources]
        parts.append(f"## `{s.name}`\n\n{s.what}. Written `{s.spelling}`.\n\n{_table(('', ''), rows)}")
    return "\n".join(parts)


def files_page() -> str:
    """Every file of the package, by room, in the words of its own first line."""
    root = Path(edgeclient.__file__).parent
    rooms: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(root.rglob("*.py"), key=lambda path: (path.parent, path.name)):
        room = path.parent.relative_to(root).as_posix()
        said = None if "projects" in path.parts else ast.get_docstring(ast.parse(path.read_text("utf-8")))
        if said:
            rooms.setdefault(room, []).append((f"`{path.name}`", _cell(said.partition("\n\n")[0])))
    parts = [_FILES]
    for room, files in rooms.items():
        parts.append("## The top\n" if room == "." else f"## `{room}/`\n")
        parts.append(_table(("file", "what lives there"), files))
    return "\n".join(parts)


_FILES = """\
# Files

What each file of the package holds, for whoever looks for a place in the code: the first words of the file itself. How the
rooms hang together: [Architecture](../explanation/architecture.md).
"""


def _cache_rows(system: System) -> list[tuple[str, str]]:
    """What a caller's words about caching become on the way to a product's own cache."""
    words = system.cache_words
    if words is None:
        return [
            ("its own cache", "cannot be told: such calls go elsewhere while there is anything else")
        ] * system.opaque_cache
    sign = f"`{words.member}` in the body: " if words.member else ""
    said = {name: words.of(controls.read([("cache-control", name.replace("N", "60"))])) for name in _CACHE_WORDS}
    own = [("Edge-Cache-Ttl: N", words.ttl), ("Edge-Cache-Namespace: NAME", words.namespace)]
    lives = [
        (
            f"`{name}` becomes",
            sign + ", ".join(f"`{h}: {_blanks_of(v)}`" for h, v in found.items())
            if found
            else "nothing: it has no word",
        )
        for name, found in own
    ]
    return [
        (
            f"`Cache-Control: {name}` becomes",
            sign + ", ".join(f"`{h}: {v.replace('60', 'N')}`" for h, v in found.items()),
        )
        for name, found in said.items()
    ] + lives


def _blanks_of(value: str) -> str:
    return value.format(s="N", namespace="NAME", caller="DIGEST", request="DIGEST")


def _words(words: bytes) -> str:
    return f"`{words.decode()}`" if words else ""


def _mark(signal: Signal) -> str:
    said = [f"`{signal.header[0]}: {signal.header[1]}`"] if signal.header[0] else []
    return " and ".join([*said, *([f"`{signal.says}`"] if signal.says else [])]).replace("|", r"\|")


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "api.md": api_page,
    "notes.md": notes_page,
    "headers.md": headers_page,
    "faults.md": faults_page,
    "cli.md": cli_page,
    "systems.md": systems_page,
    "files.md": files_page,
}


# -- what the code says


def _entry(name: str) -> str:
    """One public name: what it is, how it is called, what it promises."""
    if name in ("openai", "anthropic"):  # read, not imported: that would import the SDK
        spec = importlib.util.find_spec(f"edgeclient.{name}")
        assert spec is not None
        assert spec.origin is not None
        return f"{ast.get_docstring(ast.parse(Path(spec.origin).read_text('utf-8')))}\n"
    if name in ("OpenAI", "AsyncOpenAI", "Anthropic", "AsyncAnthropic"):
        sdk = "anthropic" if name.endswith("Anthropic") else "openai"
        return (
            f"A subclass of `{sdk}.{name}` with the same constructor, methods, types and errors. Its calls pass the\n"
            f"default edge: the one that `{PREFIX}*` variables and `{FILE}` describe. Without either it is the plain SDK's\n"
            "client.\n"
        )
    thing = getattr(edgeclient, name)
    if inspect.isfunction(thing):
        return f"`{_signature(thing, name)}`\n\n{_prose(thing)}\n"
    assert isinstance(thing, type)
    if dataclasses.is_dataclass(thing):
        comments = _comments(thing)
        return f"{_prose(thing)}\n\n{_fields_table(thing, comments)}\n{_members(thing)}"
    if issubclass(thing, Exception):
        bases = ", ".join(f"`{base.__name__}`" for base in thing.__bases__)
        return f"A subclass of {bases}. {_prose(thing)}\n"
    return f"`{_signature(thing, name)}`\n\n{_prose(thing)}\n\n{_members(thing)}"


def _prose(thing: Any) -> str:
    """A docstring as Markdown; code in it becomes a block."""
    text = re.sub(r"(?<=\S)  +", " ", inspect.cleandoc(thing.__doc__ or ""))
    return re.sub(r"\n\n((?:    .*\n?)+)", lambda m: f"\n\n```text\n{inspect.cleandoc(m[1])}\n```\n", text).strip()


def _members(kind: type) -> str:
    """The public methods and properties that a class itself defines and describes, in their order."""
    rows = []
    for name, member in vars(kind).items():
        if name.startswith("_") or not getattr(member, "__doc__", None) or name in ("keep_alive", "after_fork"):
            continue
        if inspect.isfunction(member):
            rows.append((_code(_signature(member, name)), _cell(_prose(member))))
        elif isinstance(member, property):
            rows.append((f"`{name}`", _cell(_prose(member))))
    return f"{_table(('member', 'what it does'), rows)}" if rows else ""


def _signature(thing: Any, name: str) -> str:
    """A signature for readers: without `self`, and with `...` for defaults that mean nothing to them."""
    parts, only_named = [], False
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not only_named:
            only_named = True
            parts.append("*")
        stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
        text = next((s for kind, s in stars.items() if kind is parameter.kind), "") + parameter.name
        typed = parameter.annotation not in (parameter.empty, "Any")
        if typed:
            text += f": {_type(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            plain = isinstance(parameter.default, (str, int, float, bool, tuple, type(None)))
            text += (" = " if typed else "=") + (repr(parameter.default) if plain else "...")
        parts.append(text)
    returns = inspect.signature(thing).return_annotation
    arrow = "" if inspect.isclass(thing) or returns in (inspect.Signature.empty, "Any") else f" -> {_type(returns)}"
    return f"{name}({', '.join(parts)}){arrow}"


def _type(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _kind_and_default(kind: Any, name: str) -> tuple[str, str]:
    """The type of a field as written, with its limits, and its default."""
    field = next(f for f in dataclasses.fields(kind) if f.name == name)
    written = field.type if isinstance(field.type, str) else _type(field.type)
    limits = getattr(kind, "__pydantic_fields__", {}).get(name)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    said = [
        f"{sign} {getattr(limit, word):g}"
        for limit in getattr(limits, "metadata", [])
        for word, sign in signs.items()
        if getattr(limit, word, None) is not None
    ]
    try:
        default: Any = getattr(kind(), name)
    except edgeclient.SettingsError:  # a settings class with a field that has no default
        assert limits is not None
        default = dataclasses.MISSING if limits.is_required() else limits.default
    except TypeError:
        default = dataclasses.MISSING if field.default is dataclasses.MISSING else field.default
    shown = (
        ""
        if default is dataclasses.MISSING
        else "`Cache()`"
        if isinstance(default, settings.Cache)
        else f"`{_value(default)}`"
    )
    return written + (f", {', '.join(said)}" if said else ""), shown


def _value(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) and value > 9999 else repr(value)


def _fields_table(kind: Any, comments: Mapping[str, str] | None = None) -> str:
    rows = []
    for field in dataclasses.fields(kind):
        type_, default = _kind_and_default(kind, field.name)
        row = (f"`{field.name}`", _code(type_), default)
        rows.append(row if comments is None else (*row, comments.get(field.name, "")))
    titles = ("field", "type", "default") + (() if comments is None else ("meaning",))
    filled = [n for n in range(len(titles)) if any(row[n] for row in rows)]
    return _table([titles[n] for n in filled], [[row[n] for n in filled] for row in rows])


def _comments(kind: type) -> dict[str, str]:
    """The comment behind each field, by its name."""
    found = re.findall(r"^    (\w+)(?:: [^#\n]+| = [^#\n]+)  # (.+)$", inspect.getsource(kind), re.MULTILINE)
    return {name: text.replace("|", "\\|") for name, text in found}


def _failure_words(failure: values.Failure) -> str:
    said = _comments(values.Failure).get(failure.name) or _FAILURES[failure]
    return said + ("; the request was not sent" if failure in values.UNSENT - {values.Failure.UNACKNOWLEDGED} else "")


_FAILURES = {
    values.Failure.REFUSED: "nobody listens there",
    values.Failure.CONNECT_TIMEOUT: "no connection in time",
    values.Failure.TLS: "the TLS handshake failed",
    values.Failure.DNS: "the name has no address",
    values.Failure.CONNECT: "no connection, for another reason",
    values.Failure.POOL: "the HTTP client has no connection left to use",
    values.Failure.TERMINATED: "the connection broke after the request had gone",
    values.Failure.READ_TIMEOUT: "no answer in time; may be a slow model",
    values.Failure.PROTOCOL: "what came was not HTTP",
}
"""Of failures that carry no comment in the code."""


def _options(fault: str) -> list[str]:
    """The options that a fault takes."""
    found = []
    for field in dataclasses.fields(Fault):
        if field.name == "name":
            continue
        value = {"after": 1, "retry_after": 1}.get(field.name, field.default)
        try:
            parse_fault(fault, {field.name: value})
        except LabError:
            continue
        found.append(field.name)
    return found


def _written(notes: noting.Notes) -> str:
    return "\n".join(f"{name.decode()}: {value.decode()}" for name, value in noting.headers(notes))


def _help(command: Sequence[str]) -> str:
    """What `--help` prints, 100 columns wide and without colours."""
    main: Callable[[Sequence[str]], int] = importlib.import_module("edgeclient.cli").main
    out = io.StringIO()
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "PYTHON_COLORS": "0"}
    with mock.patch.dict(os.environ, plain), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


# -- Markdown


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


def _bullets(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=ast.get_docstring(ast.parse(Path(__file__).read_text("utf-8"))))
    parser.add_argument("--check", action="store_true", help="write nothing; show what is stale and exit 1")
    parser.add_argument("--into", type=Path, default=REFERENCE, help="another folder than docs/reference")
    arguments = parser.parse_args(argv)
    stale = False
    for name, page in PAGES.items():
        path, fresh = arguments.into / name, _HEAD + page()
        if not fresh.endswith("\n"):
            fresh += "\n"
        written = path.read_text("utf-8") if path.exists() else ""
        if written == fresh:
            continue
        stale = True
        if arguments.check:
            lines = difflib.unified_diff(
                written.splitlines(True), fresh.splitlines(True), f"{name} (written)", f"{name} (fresh)"
            )
            sys.stdout.writelines(lines)
        else:
            path.write_text(fresh, "utf-8")
            print(f"wrote {path}")
    if stale and arguments.check:
        print("stale: run `python docs/generate.py`")
    return int(stale and arguments.check)


if __name__ == "__main__":
    sys.exit(main())
