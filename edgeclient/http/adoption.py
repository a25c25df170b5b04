"""Makes our client classes out of the SDKs': real subclasses with the SDK's names and signatures, and a seam in front."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def adopt(sdk_class: type, seam: type, module: str, default_edge: Callable[[], Any]) -> Any:
    """A subclass of an SDK client class with its name, its signatures, and our seam.

    A client belongs to the edge its class is bound to, else to the default edge at its construction; its copies too.
    """

    @functools.wraps(sdk_class.__init__)  # type: ignore[misc]
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        edge: Any = self._bound_edge if self._bound_edge is not None else default_edge()
        self._edge = edge
        sdk_class.__init__(self, *args, **kwargs)  # type: ignore[misc]
        if edge.active and kwargs.get("http_client") is None:
            edge.keep_alive(self._client)

    def copying(copy: Any) -> Any:
        @functools.wraps(copy)
        def kept(self: Any, *args: Any, **kwargs: Any) -> Any:
            made = copy(self, *args, **kwargs)
            made._edge = self._edge
            return made

        return kept

    name = sdk_class.__name__
    copies = {n: copying(getattr(sdk_class, n)) for n in ("copy", "with_options") if hasattr(sdk_class, n)}
    return type(
        name,
        (seam, sdk_class),
        {
            "__init__": __init__,
            **copies,
            "__module__": module,
            "__qualname__": name,
            "__doc__": sdk_class.__doc__,
            "_stands_for": sdk_class,
        },
    )


def bind(our_class: type, edge: Any) -> Any:
    """The same class, bound to one edge."""
    return type(
        our_class.__name__,
        (our_class,),
        {
            "__module__": our_class.__module__,
            "__qualname__": our_class.__qualname__,
            "__doc__": our_class.__doc__,
            "_bound_edge": edge,
            "_stands_for": our_class.__dict__["_stands_for"],
        },
    )


def stands_for(client: object, *sdk_classes: type) -> bool:
    """True when the client's class is ours and stands for one of these exactly (a user's subclass does not)."""
    return type(client).__dict__.get("_stands_for") in sdk_classes
