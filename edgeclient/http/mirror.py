"""Looks a name up in an SDK's module for our mirror of it: its clients become ours, its lazy resources use our client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .adoption import adopt


def mirrored(
    sdk: Any,
    name: str,
    own: dict[str, Any],
    seams: dict[str, type],
    module: str,
    default_edge: Callable[[], Any],
    load_client: Callable[[], Any] | None,
) -> Any:
    """The SDK's `name`, as the mirror shows it. Client classes that are adopted here are kept in `own`."""
    if name in own:
        return own[name]
    value = getattr(sdk, name)  # raises the SDK's AttributeError, which names the SDK
    if isinstance(value, type):
        colour = _colour(value)
        if colour:
            own[name] = adopt(value, seams[colour], module, default_edge)
            return own[name]
    elif load_client is not None and _is_proxy(value):
        own[name] = _lazily(type(value), lambda: getattr(load_client(), name))
        return own[name]
    return value


def _lazily(kind: Any, load: Callable[[], Any]) -> Any:
    """The SDK's own lazy proxy, over our client: nothing is made before its first use."""
    return type(kind.__name__, (kind,), {"__load__": lambda self: load()})()


def _colour(kind: type) -> str:
    """ "sync" or "async" when the class is a client of an SDK, else ""."""
    names = {parent.__name__ for parent in kind.__mro__}
    return "sync" if "SyncAPIClient" in names else "async" if "AsyncAPIClient" in names else ""


def _is_proxy(value: Any) -> bool:
    """True for the lazy resources of module-level use; the names of openai 0.x are lazy too, and explain themselves."""
    return type(value).__module__.endswith("._module_client") and any(
        parent.__name__ == "LazyProxy" for parent in type(value).__mro__
    )
