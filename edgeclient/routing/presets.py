"""Endpoints by the name of a product: `"workers-ai:ACCOUNT"`, or a table with `system = "workers-ai"`.

Pure, but for systems that make their own keys: those look whether they can.

A preset is spelled `name:parts?option=value&...`, with the parts in the order of the system's own spelling.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..errors import SettingsError
from .providers import NAMES
from .systems import Bound, System

_SPELLED = re.compile(r"([a-z][a-z0-9-]*):(?!//)(.*)", re.DOTALL)
_PART = re.compile(r"[A-Z][A-Z_]*")
_EVERYWHERE = {"host": "scheme and host to use instead of the product's own, as in https://ai.example.com"}


def system(name: str) -> System:
    """The system of that name. Raises SettingsError, with those that there are."""
    if name not in NAMES:
        raise SettingsError(f"there is no system {name!r}; known are {', '.join(NAMES)}")
    module = importlib.import_module(f"{__package__}.providers.{name.replace('-', '_')}")
    found: System = module.SYSTEM
    return found


def expand(said: Any) -> list[Any]:
    """The endpoints that a setting's entry means: itself, unless it names a system. Raises SettingsError."""
    if isinstance(said, str):
        spelled = _SPELLED.fullmatch(said)
        return _endpoints(spelled[1], _read(spelled[1], spelled[2]), {}) if spelled else [said]
    if not isinstance(said, Mapping):
        return [said]
    spelled = _SPELLED.fullmatch(str(said.get("url", "")))
    if spelled:
        rest = {name: value for name, value in said.items() if name != "url"}
        return _endpoints(spelled[1], _read(spelled[1], spelled[2]), rest)
    if "system" not in said:
        return [said]
    found = system(str(said["system"]))
    known = {*_parts(found), *found.options, *_EVERYWHERE}
    options = {name: str(value) for name, value in said.items() if name in known}
    _check(found, options)
    return _endpoints(found.name, options, {n: v for n, v in said.items() if n not in known and n != "system"})


def _parts(found: System) -> list[str]:
    """The blanks in a system's spelling, in lower case: account, gateway, ..."""
    return [part.lower() for part in _PART.findall(found.spelling.partition(":")[2])]


def _read(name: str, rest: str) -> dict[str, str]:
    """The options in a preset's text."""
    found = system(name)
    path, _, query = rest.partition("?")
    parts = _parts(found)
    given = [part for part in path.split("/") if part] if parts else []
    if len(given) > len(parts) or (path and not parts):
        raise SettingsError(f"{name}:{rest} has too many parts; it is written {found.spelling}")
    options = {**dict(zip(parts, given, strict=False)), **dict(parse_qsl(query))}
    _check(found, options)
    return options


def _check(found: System, options: Mapping[str, str]) -> None:
    missing = [part for part in _parts(found) if not options.get(part) and part not in found.defaults]
    if missing:
        raise SettingsError(f"{found.name}: {' and '.join(missing)} missing; it is written {found.spelling}")
    known = {**found.options, **_EVERYWHERE}
    odd = [name for name in options if name not in known and name not in _parts(found)]
    if odd:
        raise SettingsError(f"{found.name}: unknown option {odd[0]!r}; known are {', '.join(known)}")
    if not re.fullmatch(r"[0-9]+", options.get("largest", "0"), re.ASCII):
        raise SettingsError(f"{found.name}: largest is {options['largest']!r}; give a number of bytes")
    for part in _parts(found):
        if not re.fullmatch(r"[\w.:-]+", options.get(part, "x"), re.ASCII):
            raise SettingsError(f"{found.name}: {part} is {options[part]!r}; give letters, digits, '-', '_' and '.'")


def _endpoints(name: str, options: Mapping[str, str], own: Mapping[str, Any]) -> list[Any]:
    """The fields of the endpoints; what the user says himself comes first."""
    found = system(name)
    options = {**found.defaults, **options}
    various: Sequence[Mapping[str, str]] = [options]
    if "regions" in options:  # an address that can be asked to enter at one region or another
        various = [{**options, "region": region} for region in options["regions"].split(",") if region]
    many = len(various) > 1
    named = [_named(found, each, many=many, name=own.get("name")) for each in various]
    return [
        {**_fields(found, each, own), **n, **own, "name": n["name"]} for each, n in zip(various, named, strict=True)
    ]


def _fields(found: System, options: Mapping[str, str], own: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "url": found.url, "anthropic": found.anthropic, "route": found.route, "probe": found.probe
    }  # fmt: skip
    if found.at is not None:
        fields.update(found.at(options))
    for address in ("url", "anthropic"):
        fields[address] = _hosted(fields[address].format_map(options), options.get("host", ""))
    fields["headers"] = {
        header: template.format_map(options)
        for header, template in (*found.headers, *fields.get("headers", ()))
        if all(blank in options for blank in re.findall(r"\{(\w+)\}", template))
    }
    sealing = found.seal(options) if found.seal is not None else None
    if fields.get("key") == "none":
        if "key" in own:
            raise SettingsError(f"{found.name}: no key goes to {fields['url']}, its requests are signed; remove key")
    elif found.token is not None and "key" not in own:
        fields["key"] = found.token(options)
    elif found.key and "key" not in fields:
        fields["key"] = found.key
    return {**fields, "product": Bound(found, options, sealing)}


def _named(found: System, options: Mapping[str, str], *, many: bool, name: str | None) -> dict[str, str]:
    """Its name, after the user's own word for it if there is one, and its region."""
    parts = [options[part] for part in _parts(found) if part in options]
    region = options.get("region", "")
    name = "-".join([*([name] if name else [found.name, *parts]), *([region] if many else [])])
    return {"name": name, **({"region": region} if region else {})}


def _hosted(address: str, host: str) -> str:
    """The address at another host, for a name of one's own in front of the product."""
    if not host or not address:
        return address
    parts = urlsplit(address)
    return f"{host.rstrip('/')}{parts.path}"
