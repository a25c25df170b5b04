"""Which recorded request is nearest to one that was not recorded, and what differs. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

Json = dict[str, Any]

_FIRST = ("method", "host", "path", "query")
_MOST = 1000  # differences that are counted
_COMPARED = 4000  # characters of two requests
_SHOWN = 80  # characters of a value
_NOTHING = object()


def explain(asked: Json, known: Sequence[Json]) -> str:
    """What differs from the nearest known request, in one or more lines."""
    if not known:
        return "nothing is recorded there"
    nearest = min(known, key=lambda one: _distance(asked, one))
    return f"the nearest of the {len(known)} recorded calls differs:\n" + "\n".join(_told(asked, nearest))


def name_of(request: Json) -> str:
    """A request in a few words."""
    model = _model(request)
    return f"{request['method']} {request['path']}" + (f" (model {model})" if model else "")


def _distance(asked: Json, known: Json) -> tuple[object, ...]:
    """The path counts most, then the other parts of the address, the model, how much of the body, and how alike it is."""
    address = [asked.get(what) != known.get(what) for what in ("path", "method", "host", "query")]
    differing = sum(1 for _ in islice(_differences(asked, known), _MOST))
    one, other = (json.dumps(said, sort_keys=True)[:_COMPARED] for said in (asked, known))
    return *address, _model(asked) != _model(known), differing, -difflib.SequenceMatcher(None, one, other).quick_ratio()


def _told(asked: Json, known: Json) -> Iterator[str]:
    for what in _FIRST:
        if asked.get(what) != known.get(what):
            yield _line(what, asked.get(what, _NOTHING), known.get(what, _NOTHING))
    if _model(asked) != _model(known):
        yield _line("model", _model(asked), _model(known))
    bodies = [{name: value for name, value in one.items() if name not in _FIRST} for one in (asked, known)]
    if "json" in bodies[0] and "json" in bodies[1]:
        bodies = [body["json"] for body in bodies]
    for pointer, one, other in _differences(bodies[0], bodies[1]):
        if pointer != "/model":
            yield _line(pointer or "the body", one, other)
            return


def _differences(asked: Any, known: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ: JSON pointers (RFC 6901) with both values."""
    if isinstance(asked, dict) and isinstance(known, dict):
        for name in sorted({*asked, *known}):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _differences(asked.get(name, _NOTHING), known.get(name, _NOTHING), f"{pointer}/{step}")
    elif isinstance(asked, list) and isinstance(known, list):
        for n in range(max(len(asked), len(known))):
            one, other = (said[n] if n < len(said) else _NOTHING for said in (asked, known))
            yield from _differences(one, other, f"{pointer}/{n}")
    elif type(asked) is not type(known) or asked != known:
        yield pointer, asked, known


def _model(request: Json) -> str:
    body = request.get("json")
    return str(body.get("model", "")) if isinstance(body, dict) else ""


def _line(what: str, asked: Any, known: Any) -> str:
    return f"  {what}: asked {_shown(asked)}, recorded {_shown(known)}"


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
