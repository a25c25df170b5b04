"""`edgeclient cache`: what a file or a server holds, and whether all of it can be read. Opens the store, and only reads it.

With `--delete` it removes what nobody can ever read. Prompts and answers are never printed.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

from ..cache.stores.backend import Backend, Scannable
from ..cache.stores.examining import Found, Kind, examine
from ..cache.stores.opening import form_of, open_backend, shown
from ..errors import SettingsError, StoreError
from ..routing import presets
from ..settings import Cache, load

_MEANING = {
    Kind.DAMAGED: "not what was written under this key",
    Kind.FOREIGN: "nothing that edgeclient wrote",
    Kind.IN_CLEAR: "not sealed, and cache.encryption is set",
    Kind.NEWER: "of a newer version; it is left to it",
    Kind.UNREADABLE: "sealed with a key that your settings do not name; it is left to who has it",
}


def run(store: str, *, verify: bool, delete: bool, as_json: bool) -> int:
    """Look through the store and print; the exit status: 1 when something stays that is not well. Raises SettingsError."""
    cache = _cache(store)
    form = form_of(cache, lambda what, error: None)
    backend = open_backend(cache)
    found, left, broken = Found(), None, ""
    try:
        examine(_scan(backend), form, time.time(), found)
        if delete and found.removable:
            backend.write((), found.removable, time.time())
            left = Found()
            examine(_scan(backend), form, time.time(), left)
    except StoreError as error:
        raise SettingsError(f"{shown(cache.store)}: {error}") from None
    except Exception as error:  # whatever the store's library raises
        broken = f"{type(error).__name__}: {error}"
    finally:
        backend.close()
    removed = len(found.removable) - len(left.removable) if left is not None else 0
    said = _as_dict(cache, found, broken, removed)
    print(json.dumps(said, indent=1) if as_json else _text(said, found, verify=verify))
    is_well = not broken and (not verify or (left or found).is_well)
    return 0 if is_well else 1


def _cache(store: str) -> Cache:
    settings, _ = load({}, presets.expand)
    return replace(settings.cache, store=store) if store else settings.cache


def _scan(backend: Backend) -> Any:
    if not isinstance(backend, Scannable):
        raise StoreError("this kind of store cannot be looked through")
    return backend.scan()


def _as_dict(cache: Cache, found: Found, broken: str, removed: int) -> dict[str, Any]:
    return {
        "store": shown(cache.store),
        "entries": found.entries,
        "bytes": found.size,
        "kinds": {kind.word: found.counts[kind] for kind in Kind},
        "keys": {kind.word: keys for kind, keys in found.shown.items()},
        "removed": removed,
        "broken": broken,
    }


def _text(said: dict[str, Any], found: Found, *, verify: bool) -> str:
    lines = [f"store    {said['store']}", f"entries  {said['entries']:,}", f"bytes    {said['bytes']:,}"]
    if verify:
        lines += ["", f"{'kind':10}  {'count':>9}  keys"]
        for kind in Kind:
            keys = ", ".join(found.shown.get(kind, ()))
            more = ", ..." if found.counts[kind] > len(found.shown.get(kind, ())) > 0 else ""
            lines.append(f"{kind.word:10}  {found.counts[kind]:9,}  {keys}{more}".rstrip())
        lines += ["", *(f"{kind.word}: {_MEANING[kind]}" for kind in found.shown)] if found.shown else []
        if said["removed"]:
            lines.append(f"removed {said['removed']:,}")
        elif found.removable:
            lines.append("damaged, foreign and clear ones are misses; --delete removes them")
    if said["broken"]:
        lines.append(f"the rest cannot be read: {said['broken']}")
    return "\n".join(lines)
