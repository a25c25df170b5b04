"""Short-lived keys of AWS services, made out of credentials as AWS's own generators make them. Reads environment and clock.

A key is a request that is signed and never sent: `CallWithBearerToken`, presigned with Signature Version 4, in base64. No
network is needed. The algorithm is that of `sagemaker.core.token_generator` and of `aws-bedrock-token-generator`; what they
make is what this makes, byte for byte (`tests/unit/test_aws_tokens.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from .errors import SettingsError

LIFE_S = 3600  # AWS allows twelve hours, and advises the shortest that will do; signing takes microseconds
_FRESH = 0.8  # of its life: then a new one is made
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What AWS gives an identity. `session` only with temporary ones."""

    access_key: str
    secret_key: str
    session: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Credentials:
        """Those in the environment. Raises SettingsError when there are none."""
        access, secret, session = (environ.get(name, "") for name in _VARIABLES)
        missing = [name for name, value in zip(_VARIABLES, (access, secret), strict=False) if not value]
        if missing:
            raise SettingsError(
                f"no credentials of AWS: {' and '.join(missing)} not set; set them, or say key= yourself "
                "(a function that returns a bearer token, say)"
            )
        return cls(access, secret, session)


class Token:
    """A key that is there whenever it is asked for; a new one after 80 % of its life, or with new credentials.

    Thread-safe: at worst two threads sign at the same time, and both keys are good.
    """

    def __init__(
        self,
        service: str,
        region: str,
        *,
        instead: str = "",
        life_s: int = LIFE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`instead`: a variable that holds a ready key. Raises SettingsError when neither it nor credentials are there."""
        self._service, self._region, self._instead = service, region, instead
        self._life_s, self._clock = life_s, clock
        self._made: tuple[Credentials, float, str] | None = None
        self()

    def __call__(self) -> str:
        ready = os.environ.get(self._instead, "") if self._instead else ""
        if ready:
            return ready
        credentials, now = Credentials.read(os.environ), self._clock()
        made = self._made
        if made is None or made[0] != credentials or not 0 <= now - made[1] < _FRESH * self._life_s:
            self._made = made = (credentials, now, sign(credentials, self._service, self._region, now, self._life_s))
        return made[2]


def sign(credentials: Credentials, service: str, region: str, now: float, life_s: int = LIFE_S) -> str:
    """The key of a service in a region, from `now` on. Pure."""
    host, at = f"{service}.amazonaws.com", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    asked = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-Expires": str(life_s),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.session:
        asked["X-Amz-Security-Token"] = credentials.session
    nothing = hashlib.sha256(b"").hexdigest()
    canonical = f"POST\n/\n{_query(dict(sorted(asked.items())))}\nhost:{host}\n\nhost\n{nothing}"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    presigned = f"{host}/?{_query(asked)}&X-Amz-Signature={key.hex()}&Version=1"
    return f"{service}-api-key-{base64.b64encode(presigned.encode()).decode()}"


def _query(asked: Mapping[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in asked.items())
