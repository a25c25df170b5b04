"""Looks for settings in the environment and in a file, and keeps the default edge that they describe.

Reads the environment and at most the names of a few files: cheap when there is nothing.
The heavy parts are imported when there is something to do.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .edge import Edge

FILE = "edgeclient.toml"
PREFIX = "EDGECLIENT_"
FILE_VARIABLE = PREFIX + "CONFIG"  # names the file itself


class Inactive:
    """The edge of somebody who set nothing: clients behave as the plain SDK's, to the byte."""

    active = False


INACTIVE = Inactive()

_edges: dict[tuple[Any, ...], Edge] = {}
_lock = threading.Lock()


def default_edge() -> Edge | Inactive:
    """The edge that the surroundings describe now; the same one as long as they do not change. Raises SettingsError."""
    described = _describe()
    if not described:
        return INACTIVE
    with _lock:
        edge = _edges.get(described)
        if edge is None:
            from .edge import Edge

            edge = _edges[described] = Edge()
        return edge


def settings_file() -> Path | None:
    """The file named by EDGECLIENT_CONFIG, else the nearest `edgeclient.toml` from the working directory upwards."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    try:
        here = os.getcwd()
    except OSError:  # the working directory was removed
        return None
    while True:
        candidate = os.path.join(here, FILE)
        if os.path.exists(candidate):
            return Path(candidate)
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def _describe() -> tuple[Any, ...]:
    """What the environment and the nearest file say, as a value to compare; () when there is nothing to read."""
    variables = tuple(sorted(item for item in os.environ.items() if item[0].startswith(PREFIX)))
    path = settings_file()
    if path is None:
        return variables
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return (*variables, str(path), changed)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
