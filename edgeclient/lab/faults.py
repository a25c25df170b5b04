"""The faults a site can be given: names, options, and the fixed answers some of them give.  Pure, no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

FAULTS: dict[str, str] = {
    "refuse": "The listening socket is closed: a connect gets RST, and open connections are closed.",
    "swallow": "Nothing comes through until cleared: packets are black-holed both ways (tun), or requests are read and "
    "not answered, and new connections are not accepted (loopback).",
    "reset": "The connection gets RST when a request arrives, or after `after` bytes of the answer's body.",
    "5xx": "Answers `status` (503), with `retry_after` seconds if given, in the error shape of the API called.",
    "429": "Answers 429, with `retry_after` seconds if given, in the error shape of the API called.",
    "slow": "Every answer starts `delay_ms` (1000) later.",
    "throttle": "The answer's body comes at `bytes_per_s` (1000) at most.",
    "cut": "The connection is closed after `after` (256) bytes of the answer's body, or at its end if that is sooner.",
    "captive": "Answers 200 with an HTML sign-in page, as a captive portal does.",
    "garbage": "Answers 200 with broken JSON.",
    "wrong_length": "Answers 200 with a content-length larger than the body, then closes.",
    "endless_headers": "Sends header lines until 1 MiB or until the client goes, then closes.",
    "hang": "Reads the request and never answers, or stalls after `after` bytes of the answer's body.",
    "tls": "Aborts the TLS handshake with an alert (only with TLS).",
}

_OPTIONS: dict[str, frozenset[str]] = {
    "refuse": frozenset(),
    "swallow": frozenset(),
    "reset": frozenset({"every", "after", "spare_probes"}),
    "5xx": frozenset({"every", "status", "retry_after", "spare_probes"}),
    "429": frozenset({"every", "retry_after", "spare_probes"}),
    "slow": frozenset({"every", "delay_ms", "spare_probes"}),
    "throttle": frozenset({"every", "bytes_per_s", "spare_probes"}),
    "cut": frozenset({"every", "after", "spare_probes"}),
    "hang": frozenset({"every", "after", "spare_probes"}),
    "tls": frozenset({"every"}),
}
_COMMON = frozenset({"every", "spare_probes"})


class LabError(Exception):
    """The lab cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one site.  `every=k` hits each k-th request only; `spare_probes` leaves unpaid requests alone."""

    name: str
    every: int = 1
    after: int | None = None
    status: int = 503
    retry_after: float | None = None
    delay_ms: float = 1000.0
    bytes_per_s: float = 1000.0
    spare_probes: bool = False

    @property
    def at_arrival(self) -> bool:
        """True when the request itself is the trigger, not a count of answer bytes."""
        return self.name in ("reset", "hang") and self.after is None

    @property
    def breaks_after(self) -> int | None:
        """Bytes of the answer's body after which the answer breaks off, or None when it does not."""
        return self.after if self.name in ("reset", "hang", "cut") else None

    def as_json(self) -> dict[str, object]:
        """The same fault for the control channel; `Fault(**fault.as_json())` gives it back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FixedAnswer:
    """An answer that does not depend on the request.  `length` may lie about the body: that is the fault."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: int


def parse_fault(name: str, options: Mapping[str, object]) -> Fault:
    """The fault by that name; raises LabError for an unknown name, an unknown option or a value out of range."""
    if name not in FAULTS:
        raise LabError(f"there is no fault {name!r}; known: {', '.join(FAULTS)}")
    allowed = _OPTIONS.get(name, _COMMON)
    for option in options:
        if option not in allowed:
            takes = ", ".join(sorted(allowed)) or "none"
            raise LabError(f"fault {name!r} has no option {option!r}; its options: {takes}")
    fault = Fault(name, **options)  # type: ignore[arg-type]
    if name == "cut" and fault.after is None:
        fault = Fault(name, fault.every, 256, spare_probes=fault.spare_probes)
    _check(fault)
    return fault


def _check(fault: Fault) -> None:
    limits = (
        ("every", fault.every, 1, None),
        ("after", fault.after, 0, None),
        ("status", fault.status, 500, 599),
        ("retry_after", fault.retry_after, 0, None),
        ("delay_ms", fault.delay_ms, 0, None),
        ("bytes_per_s", fault.bytes_per_s, 1, None),
    )
    for option, value, low, high in limits:
        if value is None:
            continue
        if not isinstance(value, (int, float)):
            raise LabError(f"fault {fault.name!r}: {option} must be a number, not {value!r}")
        if value < low or (high is not None and value > high):
            above = f" and at most {high}" if high is not None else ""
            raise LabError(f"fault {fault.name!r}: {option} must be at least {low}{above}, not {value!r}")
    for option, value in (("every", fault.every), ("after", fault.after), ("status", fault.status)):
        if value is not None and not isinstance(value, int):
            raise LabError(f"fault {fault.name!r}: {option} must be a whole number, not {value!r}")


def fixed_answer(fault: Fault, path: str) -> FixedAnswer | None:
    """What the fault answers in the site's place, or None when the site still answers itself."""
    kind, body, status = "application/json", b"", 200
    extra: tuple[tuple[str, str], ...] = ()
    if fault.name in ("5xx", "429"):
        status = 429 if fault.name == "429" else fault.status
        body = error_body(path, status, f"lab fault: {fault.name}")
        if fault.retry_after is not None:
            extra = (("retry-after", f"{fault.retry_after:g}"),)
    elif fault.name == "captive":
        kind, body = "text/html", b"<html><title>Wi-Fi</title><p>Please sign in to this network.</html>"
    elif fault.name == "garbage":
        body = b'{"id": "x'
    elif fault.name == "wrong_length":
        body = b'{"object": "lab.fault"}'
    else:
        return None
    length = len(body) + 100 if fault.name == "wrong_length" else len(body)
    return FixedAnswer(status, (("content-type", kind), *extra), body, length)


def error_body(path: str, status: int, message: str, param: str | None = None) -> bytes:
    """An error in the shape of the API that `path` belongs to (Anthropic for /v1/messages, else OpenAI)."""
    if path.startswith("/v1/messages"):
        kind = _ANTHROPIC_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": None}}).encode()


_OPENAI_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
