"""Tells the cache behind an endpoint, in headers, what the caller says about caching. Opens nothing."""

from __future__ import annotations

import hashlib
from typing import Any

from ..cache.key import credential_digest
from ..routing import caching
from ..values import Call, Endpoint


def tell(aimed: Any, endpoint: Endpoint, call: Call) -> None:
    """Set the headers on a request that is otherwise as it will be sent."""

    def caller() -> str:
        return credential_digest([(name.lower(), value) for name, value in aimed.headers.items()])

    def request() -> str:
        digest = hashlib.blake2b(digest_size=16, person=b"edgeclient-sent")
        for part in (call.controls.namespace, caller(), aimed.method, str(aimed.url)):
            digest.update(b"%d:%s" % (len(part), part.encode("utf-8", "surrogatepass")))
        digest.update(aimed.content)
        return digest.hexdigest()

    for name, value in caching.headers_for(endpoint, call.controls, {"caller": caller, "request": request}).items():
        if name != "cache-control" or name not in aimed.headers:  # there as long as there is no cache here
            aimed.headers[name] = value
