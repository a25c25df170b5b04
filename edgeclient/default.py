"""The default edge: the one that the environment and `edgeclient.toml` describe, made when it is first asked for."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from .surroundings import describe

if TYPE_CHECKING:
    from .edge import Edge


class Inactive:
    """The edge of somebody who set nothing: clients behave as the plain SDK's, to the byte."""

    active = False


INACTIVE = Inactive()

_edges: dict[tuple[Any, ...], Edge] = {}
_lock = threading.Lock()


def default_edge() -> Edge | Inactive:
    """The edge that the surroundings describe now; the same one as long as they do not change. Raises SettingsError."""
    described = describe()
    if not described:
        return INACTIVE
    with _lock:
        edge = _edges.get(described)
        if edge is None:
            from .edge import Edge  # the pipeline is imported by those who use it

            edge = _edges[described] = Edge()
        return edge


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
