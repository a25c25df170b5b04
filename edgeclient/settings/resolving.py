"""The endpoints as the pipeline sees them, and what of the settings has to fit together. Reads variables that are named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..errors import SettingsError
from ..values import ORIGIN, Route
from ..values import Endpoint as Resolved
from .kinds import Cascade, Endpoint, Key, is_async, masked
from .table import Settings


def resolved(settings: Settings, sources: Mapping[str, str]) -> tuple[Resolved, ...]:
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


def check_aliases(aliases: Mapping[str, str], source: str) -> None:
    for asked, instead in aliases.items():
        if not asked or not instead:
            raise SettingsError(f"{source}: aliases.{asked} is {instead!r}; neither name may be empty")
        if instead in aliases:
            raise SettingsError(
                f"{source}: aliases.{asked} is {instead!r}, which is an alias itself; aliases are followed once, "
                "so say the name that is to be asked for"
            )


def check_cascade(asked: str, said: Cascade, settings: Settings, endpoints: Sequence[Resolved], where: str) -> None:
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
    if said.check is not None and is_async(said.check):
        raise SettingsError(f"{where}.check is an async function; give a plain one: it is called in sync clients too")
    if not any(_serves(e, said.first, "inference") or said.first in (e.models or ()) for e in endpoints):
        raise SettingsError(
            f"{where}.first is {said.first!r}, but no endpoint serves it; "
            f"add one with route='inference' or models=[{said.first!r}], or drop cascade.{asked}"
        )


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


def check_kept(settings: Settings, endpoints: Sequence[Resolved], where: str) -> None:
    """Raises SettingsError for models that cannot be kept, or whose budget is not said."""
    said = settings.keep_warm
    if said.models and said.calls_an_hour is None:
        raise SettingsError(f"{where}: models are kept by paid calls; say calls_an_hour, their limit, or drop models")
    for model in said.models:
        if not any(e.name_there(model, sdk) is not None for e in endpoints for sdk in ("openai", "anthropic")):
            raise SettingsError(f"{where}.models: no endpoint serves {model!r}; add one that does, or drop it")
        price = settings.models.get(model)
        known = price is not None and None not in (price.input_per_mtok, price.output_per_mtok)
        if said.cost_a_day is not None and not known:
            raise SettingsError(
                f"{where}.cost_a_day: nobody knows what {model} costs; say models.{model}.input_per_mtok and .output_per_mtok"
            )


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
        raise SettingsError(
            f"{where} is {masked(repr(address))}; paths are put behind it, so it may have no query and no fragment"
        )
    if not good:
        raise SettingsError(
            f"{where} is {masked(repr(address))}; give an http(s) URL with a host, as in https://fra.example.com/v1"
        )


def _key(said: str | Callable[[], str], where: str) -> Key:
    if callable(said):
        if is_async(said):
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
