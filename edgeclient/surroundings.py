"""Finds settings: the environment and the settings file. Reads both; cheap when there is nothing. Tells a function, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FILE = "edgeclient.toml"
PREFIX = "EDGECLIENT_"
FILE_VARIABLE = PREFIX + "CONFIG"  # names the file itself
RECORD_VARIABLE = PREFIX + "RECORD"  # a word for `edgeclient.testing`, and no setting


# Set by AWS Lambda, Azure Functions, Google Cloud Run and its functions, Vercel: their disks do not outlive the process.
_OF_FUNCTIONS = ("AWS_LAMBDA_RUNTIME_API", "FUNCTIONS_WORKER_RUNTIME", "K_SERVICE", "VERCEL")


def in_function() -> bool:
    """True where a platform starts, freezes and drops this process as calls come."""
    return any(os.environ.get(variable) for variable in _OF_FUNCTIONS)


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


def describe() -> tuple[Any, ...]:
    """What the environment and the nearest file say, as a value to compare; () when there is nothing to read."""
    variables = tuple(
        sorted(item for item in os.environ.items() if item[0].startswith(PREFIX) and item[0] != RECORD_VARIABLE)
    )
    path = settings_file()
    if path is None:
        return variables
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    return (*variables, str(path), changed)
