"""Which route a model takes and which endpoints may take a call. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..values import ORIGIN, Endpoint, Route
from .catalogue import Kind
from .knowledge import Knowledge


def route_of(model: str, said: Mapping[str, str], known: Knowledge) -> Route:
    """The route of a model: what the settings say, else small models to inference and all others to a gateway.

    A model that the catalogue does not know is taken for a foundation model: new ones appear weekly, and a gateway
    passes them on.
    """
    if model in said:
        return Route(said[model])
    return Route.INFERENCE if known.kind_of(model) is Kind.SMALL else Route.GATEWAY


class Candidates:
    """The endpoints that may take a call. The same question gets the same tuple, by which orders of it are kept."""

    _KINDS = 1024  # kept answers; model names come from outside

    def __init__(self, endpoints: Sequence[Endpoint], *, origin: str = "last", regions: Sequence[str] = ()) -> None:
        allowed = {region.lower() for region in regions}
        self._endpoints = tuple(e for e in endpoints if not allowed or e.region.lower() in allowed)
        self.origin = origin if not allowed or ORIGIN.name in allowed else "never"  # where the client's own stands
        self._tail = (ORIGIN,) if self.origin == "candidate" else ()
        self._kept: dict[tuple[str, str, Route], tuple[Endpoint, ...]] = {}

    def of(self, sdk: str, model: str, route: Route) -> tuple[Endpoint, ...]:
        """Those that speak this SDK's API and serve this model, in their configured order.

        Where the client's own origin is a candidate like them it stands last, unless there is nothing to choose.
        """
        kind = (sdk, model, route)
        found = self._kept.get(kind)
        if found is None:
            if len(self._kept) >= self._KINDS:
                self._kept.clear()
            serving = tuple(e for e in self._endpoints if e.base(sdk) and _serves(e, sdk, model, route))
            found = self._kept[kind] = (*serving, *self._tail) if serving else ()
        return found


def _serves(endpoint: Endpoint, sdk: str, model: str, route: Route) -> bool:
    if endpoint.models is not None:  # said by the user, who may know better than the catalogue what its route is
        return model in endpoint.models
    return endpoint.route in (None, route) and endpoint.name_there(model, sdk) is not None
