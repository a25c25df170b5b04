"""`edgeclient systems`: the products that an endpoint may be named after, with an example each."""

from __future__ import annotations

import json
from typing import Any

from ..routing import presets
from ..routing.providers import NAMES
from ..routing.systems import CAPABILITIES, System


def run(name: str, *, as_json: bool) -> int:
    """Print all, or one in detail; the exit status. Raises SettingsError for a name that there is not."""
    found = [presets.system(one) for one in ([name] if name else NAMES)]
    if as_json:
        print(json.dumps({"systems": [_as_dict(system) for system in found]}, indent=1))
    else:
        print(_detail(found[0]) if name else _table(found))
    return 0


def _as_dict(system: System) -> dict[str, Any]:
    return {
        "name": system.name,
        "what": system.what,
        "spelling": system.spelling,
        "key": system.token_of or system.key or "to be said",
        "route": system.route or "both",
        "options": dict(system.options),
        "speaks": list(system.speaks),
        "lacks": dict(system.lacks),
        "sources": list(system.sources),
    }


def _table(systems: list[System]) -> str:
    width = max(len(system.spelling) for system in systems)
    return "\n".join(f"{system.spelling:{width}}  {system.what}" for system in systems)


def _detail(system: System) -> str:
    lines = [system.spelling, f"  {system.what}", ""]
    lines.append(f"  key      {system.token_of or system.key or 'has to be said: key=...'}")
    lines.append(f"  route    {system.route or 'inference and gateway'}")
    lines += [f"  option   {name}: {meaning}" for name, meaning in system.options.items()]
    lines += [f"  speaks   {', '.join(c for c in CAPABILITIES if c in system.speaks)}"]
    lines += [f"  lacks    {what}: {why}" for what, why in system.lacks.items()]
    lines += [f"  source   {source}" for source in system.sources]
    return "\n".join(lines)
