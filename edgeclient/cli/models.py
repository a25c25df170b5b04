"""`edgeclient models`: the families of models, or what is known of one name. Reads settings and the clock; sends nothing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timezone
from typing import Any

from ..routing import families, lifecycle
from ..routing.catalogue import Kind, verdict_on
from ..routing.families import Ambiguous, Family, Name
from ..routing.knowledge import Knowledge, news_of
from ..routing.lifecycle import End
from ..settings import Settings, load

_NAMES = ("system", "name", "weights", "context", "features", "ends")
_FAMILIES = ("family", "kind", "context", "systems", "ends")


def run(name: str | None, *, as_json: bool) -> int:
    """Print; the exit status: 1 for a name that nobody knows. Raises SettingsError."""
    settings, _ = load({})
    known, now = Knowledge(settings.models), time.time()
    today = datetime.fromtimestamp(now, timezone.utc).date()
    if name is None:
        listed = [_own(own, settings, known, today) for own in settings.models]
        listed += [_family(family, known, today) for family in families.families()]
        print(json.dumps({"families": listed}, indent=1)) if as_json else _print_table(_FAMILIES, map(_row, listed))
        return 0
    found = _about(name, settings, known, now)
    print(json.dumps(found, indent=1)) if as_json else _print_about(found)
    return 0 if _is_known(found) else 1


# -- all of them


def _family(family: Family, known: Knowledge, today: date) -> dict[str, Any]:
    contexts = family.contexts()
    return {
        "family": family.name,
        "kind": family.kind.value,
        "systems": list(family.names),
        "context": [contexts[0], contexts[-1]] if contexts else None,
        "ends": [_end(end, today) for end in _ends(family, known)],
    }


def _own(name: str, settings: Settings, known: Knowledge, today: date) -> dict[str, Any]:
    """What the settings say of a model, as a row."""
    said = settings.models[name]
    return {
        "family": name,
        "kind": known.kind_of(name).value,
        "systems": ["settings"],
        "context": [said.context, said.context] if said.context else None,
        "ends": [_end(end, today) for end in known.ends_of(name)],
    }


def _ends(family: Family, known: Knowledge) -> list[End]:
    """The ends of the names to ask for, each once."""
    firsts = ((system, names[0].id) for system, names in family.names.items())
    found = dict.fromkeys(end for system, name in firsts for end in known.ends_of(name, system))
    return sorted(found, key=lambda end: (end.day, end.provider))


def _end(end: End, today: date) -> dict[str, Any]:
    return {
        "provider": end.provider,
        "date": end.day.isoformat(),
        "over": end.day <= today,
        "replacement": end.replacement,
        "sources": list(end.sources),
    }


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    return one["family"], one["kind"], _context(one["context"]), " ".join(one["systems"]), _when(one["ends"])


def _context(span: Sequence[int] | None) -> str:
    return "" if span is None else "-".join(str(tokens) for tokens in dict.fromkeys(span))


def _when(ends: Iterable[dict[str, Any]]) -> str:
    return ", ".join(f"{end['provider']} {'retired ' if end['over'] else ''}{end['date']}" for end in ends)


# -- one name


def _about(name: str, settings: Settings, known: Knowledge, now: float) -> dict[str, Any]:
    found: dict[str, Any] = {"model": name, "alias_for": settings.aliases.get(name)}
    asked = settings.aliases.get(name, name)
    verdict, said = verdict_on(asked), settings.models.get(asked)
    kind = known.kind_of(asked)
    found["kind"] = kind.value
    found["reason"] = verdict.reason if kind is verdict.kind and not (said and said.kind) else "your settings say so"
    family = known.family_of(asked)
    found["in_settings"] = said is not None
    found["family"] = family.name if isinstance(family, Family) else None
    found["meanings"] = list(family.meanings) if isinstance(family, Ambiguous) else []
    found["context"] = said.context if said is not None else None
    state = known.state(asked, "", now)
    today = lifecycle.day_of(now)
    found["stage"], found["news"] = state.stage.value, news_of(asked, state) if state.end else None
    found["ends"] = [_end(end, today) for end in known.ends_of(asked)]
    if isinstance(family, Family):
        embedding = family.embedding
        found["embedding"] = {"dimension": embedding.dimension, "pooling": embedding.pooling} if embedding else None
        found["note"] = family.note
        found["names"] = [
            _name(system, one, asked, known, today) for system, names in family.names.items() for one in names
        ]
    return found


def _name(system: str, name: Name, asked: str, known: Knowledge, today: date) -> dict[str, Any]:
    features = {
        "tools": name.tools,
        "json_schema": name.json_schema,
        "vision": name.vision,
        "streaming": name.streaming,
    }
    return {
        "system": system,
        "name": name.id,
        "weights": families.likeness(asked, name).value,
        "context": name.context,
        **features,
        "price": name.price,
        "ends": [_end(end, today) for end in known.ends_of(name.id, system)],
    }


def _is_known(found: dict[str, Any]) -> bool:
    known = found["family"] or found["meanings"] or found["in_settings"] or found["ends"]
    return bool(known) or found["kind"] != Kind.UNKNOWN.value


def _print_about(found: dict[str, Any]) -> None:
    name = found["model"]
    if not _is_known(found):
        print(
            f"{name}: nobody here knows this name; its calls take the gateway route. Say what it is in edgeclient.toml:\n\n"
            f'[models]\n{json.dumps(name)} = {{ kind = "small", family = "...", context = 8192 }}'
        )
        return
    if found["alias_for"]:
        print(f"{name}: your settings ask for {found['alias_for']} instead")
    print(f"{found['alias_for'] or name}: {found['kind']} ({found['reason']})")
    if found["meanings"]:
        print(f"several families have this name; say which: {', '.join(found['meanings'])}")
    if found["family"]:
        print(f"family: {found['family']}{'; ' + found['note'] if found['note'] else ''}")
    if found["context"]:
        print(f"context: {found['context']} (your settings)")
    if found.get("embedding"):
        pooling = found["embedding"]["pooling"] or "not known"
        print(f"embedding: {found['embedding']['dimension']} numbers, pooling {pooling}")
    print(f"lifecycle: {found['stage']}" + (f"; {found['news']}" if found["news"] else ", no end is known"))
    if found.get("names"):
        print()
        _print_table(_NAMES, map(_name_row, found["names"]))


def _name_row(one: dict[str, Any]) -> tuple[str, ...]:
    features = ", ".join(
        f"{'no ' if one[feature] is False else ''}{feature.replace('_', ' ')}"
        for feature in ("tools", "json_schema", "vision", "streaming")
        if one[feature] is not None
    )
    return one["system"], one["name"], one["weights"], str(one["context"] or ""), features, _when(one["ends"])


# -- how it looks


def _print_table(titles: Sequence[str], rows: Iterable[tuple[str, ...]]) -> None:
    """With rich on a terminal that can, else in columns of plain text."""
    cells = list(rows)
    if sys.stdout.isatty() and _print_rich(titles, cells):
        return
    widths = [max(len(row[n]) for row in [tuple(titles), *cells]) for n in range(len(titles))]
    for row in [tuple(titles), *cells]:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_rich(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> bool:
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title == "context" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style="red" if "retired" in cell else "") for cell in row))
    Console().print(table)
    return True
