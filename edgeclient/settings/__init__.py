"""Settings: arguments before `EDGECLIENT_*` variables before `edgeclient.toml`, validated once, frozen afterwards.

Nothing imports this package before there is something to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import SettingsError
from ..values import Endpoint as Resolved
from .kinds import Cache, Cascade, Endpoint, Hedge, KeepWarm, Key, Model, explain
from .resolving import check_aliases, check_cascade, check_kept, normal, resolved
from .sources import Expand, merged, shaped
from .table import SETTINGS, Settings

__all__ = [
    "SETTINGS", "Cache", "Cascade", "Endpoint", "Hedge", "KeepWarm", "Key", "Model", "Settings", "load", "normal",
    "source_of",
]  # fmt: skip

_adapter = TypeAdapter(Settings)


def load(arguments: Mapping[str, Any], expand: Expand = lambda said: [said]) -> tuple[Settings, tuple[Resolved, ...]]:
    """Merge the three sources, validate them, and resolve the endpoints. Raises `SettingsError`.

    `expand` knows the systems that an endpoint may be named after.
    """
    values, sources = merged(arguments)
    try:
        settings = _adapter.validate_python(shaped(values, sources, expand))
    except ValidationError as error:
        raise SettingsError("\n".join(explain(e, sources) for e in error.errors())) from None
    check_aliases(settings.aliases, sources.get("aliases", "settings"))
    endpoints = resolved(settings, sources)
    for asked, said in settings.cascade.items():
        check_cascade(asked, said, settings, endpoints, f"{sources.get('cascade', 'settings')}: cascade.{asked}")
    check_kept(settings, endpoints, f"{sources.get('keep_warm', 'settings')}: keep_warm")
    return settings, endpoints


def source_of(name: str, arguments: Mapping[str, Any]) -> str:
    """Where a setting's value came from, in the words of the errors."""
    return merged(arguments)[1].get(name, "settings")
