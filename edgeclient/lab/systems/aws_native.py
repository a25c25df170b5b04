"""What emulators of AWS's native APIs share: checking a signature (Version 4), and the frames of an event stream.

Written from AWS's description of both, on purpose without botocore: what signs and reads here is held against another hand.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import struct
import time
import zlib
from collections.abc import Mapping
from urllib.parse import quote

from edgeclient.lab.systems.emulator import Heard

_SKEW_S = 300  # docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, "
    r"SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})"
)


def unsigned_because(heard: Heard, secret: str, service: str, region: str) -> str:
    """What is wrong with a request's signature, as AWS names it; "" for nothing. All that is said to AWS has to be signed."""
    found = _SIGNED.fullmatch(heard.headers.get("authorization", ""))
    if found is None:
        return "MissingAuthenticationTokenException"
    day, names, at = found[2], found[5].split(";"), heard.headers.get("x-amz-date", "")
    wanted = {name for name in heard.headers if name.startswith(("x-amz-", "x-amzn-"))} | {"host", "content-type"}
    if names != sorted(names) or not wanted <= set(names) or not set(names) <= set(heard.headers):
        return "IncompleteSignatureException"
    if (found[3], found[4]) != (region, service) or not at.startswith(day):
        return "InvalidSignatureException"
    if abs(time.time() - _seconds(at)) > _SKEW_S:
        return "InvalidSignatureException"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(_canonical(heard, names).encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return "" if hmac.compare_digest(key.hex(), found[6]) else "InvalidSignatureException"


def _canonical(heard: Heard, names: list[str]) -> str:
    path, _, query = heard.path.partition("?")
    lines = [f"{name}:{' '.join(heard.headers[name].split())}" for name in names]
    asked = "&".join(sorted(query.split("&"))) if query else ""
    head = [heard.method, quote(path, safe="/-_.~"), asked, *lines, "", ";".join(names)]
    return "\n".join([*head, hashlib.sha256(heard.raw).hexdigest()])


def _seconds(at: str) -> float:
    try:
        return calendar.timegm(time.strptime(at, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return 0.0


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of an event stream: lengths, a checksum of them, headers (text: type 7), payload, a checksum of all."""
    named = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    head = struct.pack(">II", 16 + len(named) + len(payload), len(named))
    body = head + struct.pack(">I", zlib.crc32(head)) + named + payload
    return body + struct.pack(">I", zlib.crc32(body))


def part(payload: bytes) -> bytes:
    """A part of what a container streams."""
    said = {":message-type": "event", ":event-type": "PayloadPart", ":content-type": "application/octet-stream"}
    return frame(said, payload)
