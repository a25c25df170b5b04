"""Fly.io: a user's own app at Fly's regions. One address for all, and a header that says in which region to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..caching import HTTP
from ..systems import CAPABILITIES, System

_ROUTING = "fly.io/docs/networking/dynamic-request-routing"


def _at(options: Mapping[str, str]) -> Mapping[str, Any]:
    """By header: `fly-prefer-region` falls back to where a Machine is well, `fly-force-region` does not."""
    return {"headers": (("fly-force-region" if options["pin"] == "on" else "fly-prefer-region", "{region}"),)}


SYSTEM = System(
    name="fly",
    what="Fly.io: your own app at the edge, in front of models or with small ones on its CPUs",
    spelling="fly:APP",
    url="https://{app}.fly.dev/v1",
    anthropic="https://{app}.fly.dev",
    at=_at,
    options={
        "regions": "regions that calls may be answered in, with commas: an endpoint for each",
        "pin": '"on": only there, and an error when no Machine of the region can; else the nearest that can',
        "largest": "bytes of a request: 1000000 for an app that answers with fly-replay",
    },
    defaults={"pin": "off"},
    cache_words=HTTP,
    speaks=CAPABILITIES,  # what the app passes on
    sources=(
        f"{_ROUTING} (the headers; requests over 1 MB cannot be replayed)",
        "fly.io/docs/reference/fly-proxy-autostop-autostart (stopped Machines start on request)",
        "superfly/docs, blueprints/bridge-deployments-wireguard.html.md (fly-request-id)",
    ),
)
