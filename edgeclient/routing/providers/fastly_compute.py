"""Fastly Compute: a user's own service at Fastly's PoPs, which passes calls on."""

from __future__ import annotations

from ...values import Failure
from ..caching import HTTP
from ..systems import CAPABILITIES, Signal, System

SYSTEM = System(
    name="fastly-compute",
    what="Fastly Compute: your own service at the edge, in front of the models that it knows",
    spelling="fastly-compute:NAME",
    url="https://{name}.edgecompute.app/v1",
    anthropic="https://{name}.edgecompute.app",
    signals=(
        Signal(
            Failure.STATUS,
            (500, 503),
            "fastly.com/documentation/reference/compute/errors (a sandbox that ran into a limit)",
        ),
    ),
    cache_words=HTTP,
    speaks=CAPABILITIES,  # what the service passes on
    sources=(
        "fastly.com/documentation/reference/compute/errors",
        "fastly.com/documentation/reference/http/http-headers/X-Served-By",
    ),
)
