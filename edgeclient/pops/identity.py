"""Says which PoP answered, from the headers of the answer. Pure, but for reading two files of the package once.

The rules (`data/pop_headers.json`) and the places (`data/pop_codes.csv`) are data, with their sources. Any proxy on the
way can forge a header: what it says is good for notes and reports, never for a decision about trust.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..values import Reply

_LONGEST = 2048  # bytes of one header, repeated lines joined; genuine values stay far below
_TRACE_HEAD = 4096  # bytes of a trace body that are looked at; a genuine one has about 300


@dataclass(frozen=True, slots=True)
class Pop:
    """One site of one network. What is not known of a code is empty, or None."""

    code: str  # as the network spells it: "BOM", "bom1", "bom", "East US"
    city: str = ""
    country: str = ""  # ISO 3166-1 alpha-2
    network: str = ""  # cloudflare | cloudfront | vercel | fastly | fly | azure | groq
    lat: float | None = None
    lon: float | None = None


def of(reply: Reply) -> Pop | None:
    """The PoP that took the call of an answer, as `pop_of` reads its headers."""
    return None if _rules().keys().isdisjoint(reply.named) else pop_of(reply.headers)


def pop_of(headers: Sequence[tuple[bytes, bytes]]) -> Pop | None:
    """The PoP that took this call, or None when no header says so in a form we know.

    Never raises: a malformed or over-long value is passed over, and the next rule in the order of trust is asked.
    A well-formed code that is in no table gives a `Pop` without a place.
    """
    rules = _rules()
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in rules:
            before = found.get(lower)
            found[lower] = value if before is None else _joined(before, value)
    if not found:
        return None
    for header, rule in rules.items():
        if header in found:
            code = _code(rule.pattern, found[header])
            if code:
                return _places().get((rule.network, code)) or Pop(code, network=rule.network)
    return None


def pop_in_trace(body: bytes) -> str | None:
    """The PoP's code in a body of Cloudflare's `/cdn-cgi/trace`, or None. Never raises; reads only the body's head."""
    match = _trace().search(body, 0, _TRACE_HEAD)
    return match["pop"].decode("ascii") if match else None


@dataclass(frozen=True, slots=True)
class _Rule:
    network: str
    pattern: re.Pattern[bytes]


def _joined(before: bytes, value: bytes) -> bytes:
    # One list, as RFC 9110 (5.3) reads repeated fields. Two cf-ray lines so become a malformed value: whose is whose?
    return before if len(before) > _LONGEST else before + b", " + value


def _code(pattern: re.Pattern[bytes], value: bytes) -> str:
    if len(value) > _LONGEST:
        return ""
    match = pattern.fullmatch(value.strip())
    return match["pop"].decode("ascii") if match else ""


@cache
def _rules() -> Mapping[bytes, _Rule]:
    """The rules by lower-case header name, in the order of trust."""
    return {
        rule["header"].encode("ascii"): _Rule(rule["network"], re.compile(rule["pattern"].encode("ascii")))
        for rule in json.loads(_text("pop_headers.json"))["rules"]
    }


@cache
def _trace() -> re.Pattern[bytes]:
    return re.compile(json.loads(_text("pop_headers.json"))["trace"]["pattern"].encode("ascii"))


@cache
def _places() -> Mapping[tuple[str, str], Pop]:
    """Every known PoP by (network, code)."""
    rows = csv.DictReader(line for line in _text("pop_codes.csv").splitlines() if not line.startswith("#"))
    return {(row["network"], row["code"]): _place(row) for row in rows}


def _place(row: Mapping[str, str]) -> Pop:
    lat, lon = (float(row[axis]) if row[axis] else None for axis in ("lat", "lon"))
    return Pop(row["code"], row["city"], row["country"], row["network"], lat, lon)


def _text(name: str) -> str:
    return (files("edgeclient.pops") / "data" / name).read_text(encoding="utf-8")
