"""Where settings come from: arguments before `EDGECLIENT_*` variables before `edgeclient.toml`. Reads all three.

Each value remembers where it came from, so that an error can say so; that is why they are merged here and not by a library.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import SettingsError
from ..surroundings import FILE_VARIABLE, PREFIX, RECORD_VARIABLE, settings_file
from .kinds import Endpoint, masked
from .table import SETTINGS

_NO_SETTINGS = (FILE_VARIABLE, RECORD_VARIABLE)

Expand = Callable[[Any], list[Any]]  # an entry of `endpoints` -> the endpoints that it means


def merged(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
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


def shaped(values: dict[str, Any], sources: Mapping[str, str], expand: Expand) -> dict[str, Any]:
    """The short forms as the long ones: a URL is an endpoint, a table of tables a list, a word a cache."""
    found = dict(values)
    if isinstance(found.get("cache"), str):
        found["cache"] = {"mode": found["cache"]}
    if found.get("dead_path_s") == "off":  # a variable and TOML have no None
        found["dead_path_s"] = None
    if found.get("hedge") in ("off", "on", False, True):
        found["hedge"] = {} if found["hedge"] in ("on", True) else None
    if isinstance(found.get("remember"), str):
        found["remember"] = _remembered(found["remember"], sources["remember"])
    endpoints = found.get("endpoints")
    if isinstance(endpoints, Mapping):
        endpoints = [
            {"name": name, **(entry if isinstance(entry, Mapping) else {"url": entry})}
            for name, entry in endpoints.items()
        ]
    if endpoints is not None and not isinstance(endpoints, (list, tuple)):
        raise SettingsError(
            f"{sources['endpoints']}: endpoints is {masked(repr(endpoints))}; give a list of URLs or endpoints"
        )
    if endpoints is not None:
        found["endpoints"] = _expanded(endpoints, sources["endpoints"], expand)
    return found


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
