"""edgeclient: the OpenAI and Anthropic clients, edge-aware by one changed import.

Everything is imported when it is first used: `import edgeclient` alone imports neither SDK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import EdgeError, RouteError, SettingsError, StoreError
from .noting import Notes, notes

if TYPE_CHECKING:
    from . import anthropic, openai
    from .anthropic import Anthropic, AsyncAnthropic
    from .edge import Edge, Status
    from .openai import AsyncOpenAI, OpenAI
    from .settings import Cache, Cascade, Endpoint, Hedge, KeepWarm
    from .telemetry.events import Event
    from .transports import AsyncEdgeTransport, EdgeTransport

__version__ = "0.1.0"

__all__ = [
    "Anthropic",
    "AsyncAnthropic",
    "AsyncEdgeTransport",
    "AsyncOpenAI",
    "Cache",
    "Cascade",
    "Edge",
    "EdgeError",
    "EdgeTransport",
    "Endpoint",
    "Event",
    "Hedge",
    "KeepWarm",
    "Notes",
    "OpenAI",
    "RouteError",
    "SettingsError",
    "Status",
    "StoreError",
    "anthropic",
    "notes",
    "openai",
]

_WHERE = {
    "OpenAI": "openai",
    "AsyncOpenAI": "openai",
    "Anthropic": "anthropic",
    "AsyncAnthropic": "anthropic",
    "Edge": "edge",
    "Status": "edge",
    "Endpoint": "settings",
    "Cache": "settings",
    "Cascade": "settings",
    "Hedge": "settings",
    "KeepWarm": "settings",
    "EdgeTransport": "transports",
    "AsyncEdgeTransport": "transports",
    "Event": "telemetry.events",
}


def __getattr__(name: str) -> Any:
    if name in ("openai", "anthropic"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
