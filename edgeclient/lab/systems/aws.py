"""What emulators of AWS share: keys, either the one that is known or one that is signed, and errors by name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

Failed = tuple[int, dict[str, object], Sequence[tuple[str, str]]]


def failed(status: int, error: str, message: str) -> Failed:
    """An error as the OpenAI-compatible paths say it, with the native APIs' header."""
    return status, {"error": {"message": message, "type": error, "code": error}}, (("x-amzn-errortype", error),)


def is_signed(token: str, service: str, region: str) -> bool:
    """True for a presigned `CallWithBearerToken` of that service and region. The signature's own value is not checked."""
    prefix = f"{service}-api-key-"
    try:
        url = base64.b64decode(token.removeprefix(prefix), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return False
    host, _, query = url.partition("/?")
    said = dict(parse_qsl(query))
    scope = rf"\w+/(\d{{8}})/{re.escape(region)}/{service}/aws4_request"
    signed = re.fullmatch(scope, said.get("X-Amz-Credential", ""))
    return bool(
        token.startswith(prefix)
        and host == f"{service}.amazonaws.com"
        and said.get("Action") == "CallWithBearerToken"
        and said.get("Version") == "1"
        and signed is not None
        and said.get("X-Amz-Date", "").startswith(signed[1])
        and 0 < int(said.get("X-Amz-Expires", "0")) <= 43_200
        and re.fullmatch("[0-9a-f]{64}", said.get("X-Amz-Signature", "")) is not None
    )
