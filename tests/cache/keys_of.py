"""A program: the keys of the requests that it reads as JSON, made as an edge makes them; written as JSON."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from typing import Any

from edgeclient.cache.flights import Flights
from edgeclient.cache.stores.memory import MemoryStore
from edgeclient.classifying import classify
from edgeclient.policies import Policies
from edgeclient.pops.selector import Selector
from edgeclient.settings import Cache, Settings
from edgeclient.telemetry.events import Telemetry
from edgeclient.values import Endpoint, Request

PLACE = Endpoint("fra", "https://fra.example.com/v1", "https://fra.example.com")


def policies(cache: Cache | None = None) -> Policies:
    """Those of an edge with one endpoint and a cache in memory."""
    return Policies(
        settings=Settings(cache=cache or Cache("exact")),
        endpoints=(PLACE,),
        origins=frozenset(),
        selector=Selector((PLACE,), random.Random(1)),
        store=MemoryStore(2**20),
        flights=Flights(),
        telemetry=Telemetry(()),
    )


def request(asked: Mapping[str, Any]) -> Request:
    """A request as a door reads it, from its description."""
    return Request(
        sdk=asked["sdk"],
        method="POST",
        origin=asked["origin"],
        path=asked["path"],
        query=asked["query"],
        headers=[(name, said) for name, said in asked["headers"]],
        body=json.dumps(asked["body"]).encode(),
        live=False,
        default_origin=asked["default_origin"],
    )


if __name__ == "__main__":
    edge = policies()
    json.dump([classify(request(asked), edge).key for asked in json.load(sys.stdin)], sys.stdout)
